"""Pages of a list, with tokens as the services hand them out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def page(items: Sequence[T], token: str | None, size: int) -> tuple[Sequence[T], str | None]:
    """Return one page of at most `size` items and the token of the next one, if there is one."""
    start = int(base64.urlsafe_b64decode(token)) if token else 0
    end = start + size
    return items[start:end], base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None

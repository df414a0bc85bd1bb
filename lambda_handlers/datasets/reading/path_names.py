"""Names that are given as text: manifests, rows and messages hold them, and these are UTF-8."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lambda_handlers.protocol.errors import InvalidRequest

# Python holds a byte of an argument that is not UTF-8 as one of these (PEP 383).
_BYTE: Final = re.compile("[\udc80-\udcff]")


def check_path(path: str | Path) -> None:
    """Raise InvalidRequest for a path or an address that is not text."""
    if not is_text(str(path)):
        raise InvalidRequest(f'the name "{shown(str(path))}" is not UTF-8: rename the file or folder')


def is_text(given: str) -> bool:
    """Tell whether a text can be written as UTF-8."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(given: str) -> str:
    """Return a text with what is not UTF-8 as escapes."""
    return _BYTE.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", given).encode("utf-8", "backslashreplace").decode()

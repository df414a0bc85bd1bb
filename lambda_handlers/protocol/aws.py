"""boto3 clients, made when first used and kept for the life of the process."""

from __future__ import annotations

from functools import cache
from typing import Any

_CONNECT_SECONDS = 3
_READ_SECONDS = 20


@cache
def client(service: str) -> Any:
    """Return the client of a service: standard retries, three attempts, and time-outs well below a function's own."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
        ),
    )

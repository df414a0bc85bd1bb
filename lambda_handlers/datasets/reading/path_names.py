"""Names of files and folders as text: manifests and messages name them, and these are UTF-8."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lambda_handlers.protocol.errors import InvalidRequest

# Python holds a byte of a name that is not UTF-8 as one of these (PEP 383).
_BYTE: Final = re.compile("[\udc80-\udcff]")


def check_path(path: str | Path) -> None:
    """Raise InvalidRequest for a path or an address that is not text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = _BYTE.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", str(path)).encode("utf-8", "backslashreplace")
        raise InvalidRequest(f'the name "{shown.decode()}" is not UTF-8: rename the file or folder') from None

"""The form of a rejected row, with what is needed to find and repair it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.reading.json_lines import Line, LongLine

_MAX_ORIGINAL: Final = 1024 * 1024
# A hostile row can break thousands of rules and name them at any length.
_MAX_MESSAGES: Final = 50
_MAX_MESSAGE: Final = 500


def quarantined(*, row: int, line: Line, source: str, faults: Sequence[Fault]) -> bytes:
    """Return the quarantine line of a rejected row.

    `row` counts rows from 1, blank lines left out; `line` counts lines. The original is text where it is UTF-8, else
    base64; originals over 1 MiB are kept by offset, size and hash.
    """
    number, offset, data = line
    return orjson.dumps(
        {
            "row": row,
            "line": number,
            "source": source,
            "offset": offset,
            "bytes": data.size if isinstance(data, LongLine) else len(data),
            "codes": sorted({fault.code for fault in faults}),
            "messages": [fault.message[:_MAX_MESSAGE] for fault in faults[:_MAX_MESSAGES]],
            **_original(data),
        }
    )


def _original(data: bytes | LongLine) -> dict[str, Any]:
    if isinstance(data, LongLine):
        return {"original": None, "original_sha256": data.sha256}
    if len(data) > _MAX_ORIGINAL:
        return {"original": None, "original_sha256": hashlib.sha256(data).hexdigest()}
    try:
        return {"original": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"original_base64": base64.b64encode(data).decode("ascii")}

"""The form of a rejected row, with what is needed to find and repair it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.passes.summary import Place
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record

_MAX_ORIGINAL: Final = 1024 * 1024
# A hostile row can break thousands of rules and name them at any length.
_MAX_MESSAGES: Final = 50
_MAX_MESSAGE: Final = 500


def quarantined(*, place: Place, line: Line, faults: Sequence[Fault]) -> bytes:
    """Return the quarantine line of a rejected row.

    `row` counts rows from 1, blank lines left out, over the whole dataset; `line` counts lines, in `source`. The
    original is text where it is UTF-8, else base64; originals over 1 MiB are kept by offset, size and hash.
    """
    _, offset, row = line
    return orjson.dumps(
        {
            "row": place.row,
            "line": place.line,
            "source": place.source,
            "offset": offset,
            "bytes": _size(row),
            "codes": sorted({fault.code for fault in faults}),
            "messages": [fault.message[:_MAX_MESSAGE] for fault in faults[:_MAX_MESSAGES]],
            **_original(row),
        }
    )


def _size(row: bytes | Record | Damaged) -> int:
    if isinstance(row, Damaged):
        return row.size
    return len(row.raw if isinstance(row, Record) else row)


def _original(row: bytes | Record | Damaged) -> dict[str, Any]:
    if isinstance(row, Damaged) and (row.raw is None or len(row.raw) > _MAX_ORIGINAL):
        return {"original": None, "original_sha256": row.sha256}
    raw = row if isinstance(row, bytes) else row.raw
    assert raw is not None
    if len(raw) > _MAX_ORIGINAL:
        return {"original": None, "original_sha256": hashlib.sha256(raw).hexdigest()}
    try:
        return {"original": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"original_base64": base64.b64encode(raw).decode("ascii")}

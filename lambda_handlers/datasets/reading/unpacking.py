"""Unpack gzip while it is read: any number of members, whole ones only."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from lambda_handlers.protocol.errors import DatasetRejected

_PIECE: Final = 1024 * 1024
_GZIP: Final = 31


def unpacked(chunks: Iterable[bytes], *, uri: str) -> Iterator[bytes]:
    """Yield the content of gzip data in pieces of at most 1 MiB, however small it was packed.

    Zero bytes after a member are padding, as RFC 1952 tools leave it. Raises DatasetRejected for data that is
    truncated, damaged, or followed by something else.
    """
    member: Any = zlib.decompressobj(_GZIP)
    members = position = 0
    for chunk in chunks:
        position += len(chunk)
        data = chunk
        while data:
            if member is None:
                data = data.lstrip(b"\0")
                if not data:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                if piece := member.decompress(data, _PIECE):
                    yield piece
            except zlib.error as error:
                raise _damaged(uri, position - len(data), members, error) from None
            if member.eof:
                data, member, members = member.unused_data, None, members + 1
            else:
                data = member.unconsumed_tail
    if member is not None:
        raise DatasetRejected(
            f"the dataset {uri} is truncated: its {position} bytes end inside of gzip data; pack or copy it again"
        )


def _damaged(uri: str, position: int, members: int, error: zlib.error) -> DatasetRejected:
    behind = f" (after {members} whole gzip members: something else may follow them)" if members else ""
    return DatasetRejected(
        f"the dataset {uri} is damaged gzip data at byte {position} or shortly after{behind}: {error}; pack it again"
    )

"""Unpack gzip while it is read: any number of members, whole ones only."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from lambda_handlers.protocol.errors import DatasetRejected

_PIECE: Final = 1024 * 1024
_GZIP: Final = 31
# A member is given growing pieces of what is packed: what it does not take is copied, for each of many small members.
_FIRST_STEP: Final = 1024
_PADDING: Final = re.compile(rb"\0*+")


def unpacked(chunks: Iterable[bytes], *, uri: str) -> Iterator[bytes]:
    """Yield the content of gzip data in pieces of at most 1 MiB, however small it was packed.

    Zero bytes after a member are padding, as RFC 1952 tools leave it. Raises DatasetRejected for data that is
    truncated, damaged, or followed by something else.
    """
    member: Any = zlib.decompressobj(_GZIP)
    members = position = 0
    for chunk in chunks:
        view, at, step = memoryview(chunk), 0, _FIRST_STEP
        while at < len(chunk):
            if member is None:
                at, step = _behind_padding(chunk, at), _FIRST_STEP
                if at == len(chunk):
                    break
                member = zlib.decompressobj(_GZIP)
            given = view[at : at + step]
            try:
                if piece := member.decompress(given, _PIECE):
                    yield piece
            except zlib.error as error:
                raise _damaged(uri, position + at, members, error) from None
            at += len(given) - len(member.unused_data if member.eof else member.unconsumed_tail)
            step = min(2 * step, _PIECE)
            if member.eof:
                member, members = None, members + 1
        position += len(chunk)
    if member is not None:
        raise DatasetRejected(
            f"the dataset {uri} is truncated: its {position} bytes end inside of gzip data; pack or copy it again"
        )


def _behind_padding(chunk: bytes, at: int) -> int:
    found = _PADDING.match(chunk, at)
    return found.end() if found else at


def _damaged(uri: str, position: int, members: int, error: zlib.error) -> DatasetRejected:
    behind = f" (after {members} whole gzip members: something else may follow them)" if members else ""
    return DatasetRejected(
        f"the dataset {uri} is damaged gzip data at byte {position} or shortly after{behind}: {error}; pack it again"
    )

"""Read files from the output.tar.gz of a training job: as a stream, within limits, and never onto a disk."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Final, Self, cast

from lambda_handlers.datasets import s3_objects
from lambda_handlers.protocol.errors import error_code, service_errors

_HEADERS: Final = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_MAX_HEADER: Final = 1024 * 1024
_ABSENT: Final = ("NoSuchKey", "NoSuchBucket", "404")


class ArchiveError(Exception):
    """Report that an archive is missing, broken, or beyond the limits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Greatest sizes in bytes: of all files together, unpacked, and of one file that is read; and of the count."""

    total: int = 8 * 1024**3
    file: int = 16 * 1024**2
    members: int = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedFile:
    """One file of an archive."""

    name: str
    content: bytes


def read(s3: Any, uri: str, wanted: Callable[[str], bool], limits: Limits | None = None) -> list[ArchivedFile]:
    """Return the regular files whose path `wanted` accepts; raise ArchiveError naming the object and what is wrong.

    Links, devices and paths that leave the archive are passed over.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    stream = _Stream(s3_objects.chunks(s3, bucket=bucket, key=key, version_id=None))
    try:
        with service_errors():
            return list(_files(stream, wanted, limits or Limits()))
    except (tarfile.TarError, zlib.error, EOFError, UnicodeError) as error:
        raise ArchiveError(f"{uri} is not a whole tar.gz archive: {error}") from error
    except ArchiveError as error:
        raise ArchiveError(f"{uri} {error}") from error
    except Exception as error:
        if error_code(error) not in _ABSENT:
            raise
        raise ArchiveError(f"{uri} does not exist") from error


def _files(stream: _Stream, wanted: Callable[[str], bool], limits: Limits) -> Iterator[ArchivedFile]:
    total = 0
    # tarfile asks no more of a stream than `read`.
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|gz", tarinfo=_BoundedHeader) as archive:
        for count, member in enumerate(archive, start=1):
            total += member.size
            if total > limits.total or count > limits.members:
                raise ArchiveError(f"is larger than {limits.total} bytes or {limits.members} files when unpacked")
            if member.isreg() and _stays_inside(member.name) and wanted(member.name):
                yield _file(archive, member, limits)


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, limits: Limits) -> ArchivedFile:
    if member.size > limits.file:
        raise ArchiveError(f"holds {member.name} of {member.size} bytes; at most {limits.file} are read")
    opened = archive.extractfile(member)
    return ArchivedFile(name=str(PurePosixPath(member.name)), content=opened.read() if opened else b"")


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


class _BoundedHeader(tarfile.TarInfo):
    """A header whose extended part, which is read into memory as a whole, has a limit."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _HEADERS and header.size > _MAX_HEADER:
            raise tarfile.ReadError(f"an extended header has {header.size} bytes")
        return header


class _Stream:
    """Give an iterator of byte strings the one method that tarfile needs."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; nothing at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

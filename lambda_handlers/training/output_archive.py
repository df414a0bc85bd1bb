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

Visit = Callable[[str, IO[bytes], int], None]
"""Takes the path of a file in an archive, a stream of its content, and its size in bytes."""

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
_PIECE: Final = 64 * 1024
# Whoever may not list a bucket is told of a missing object that access is denied (Amazon S3 API reference, GetObject).
ABSENT: Final = ("NoSuchKey", "NoSuchBucket", "404", "AccessDenied", "403")


class ArchiveError(Exception):
    """Report that the output of a job is missing, broken, or beyond the limits."""


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
    found: list[ArchivedFile] = []
    most = (limits or Limits()).file

    def keep(name: str, content: IO[bytes], size: int) -> None:
        if wanted(name):
            found.append(ArchivedFile(name=name, content=whole(name, content, size, most=most)))

    walk(s3, uri, keep, limits=limits)
    return found


def whole(name: str, content: IO[bytes], size: int, *, most: int) -> bytes:
    """Return the content of a file; raise ArchiveError if it has more than `most` bytes."""
    if size > most:
        raise ArchiveError(f"holds {name} of {size} bytes; at most {most} are read")
    return content.read()


def walk(s3: Any, uri: str, visit: Visit, *, limits: Limits | None = None, only_plain: bool = False) -> None:
    """Show each regular file of an archive to `visit`, in order, and read the archive to its end.

    Links, devices and paths that leave the archive are passed over; with `only_plain` they are not borne. Raises
    ArchiveError naming the object and what is wrong: missing, cut off, broken, too large, or not plain.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    bounds = limits or Limits()
    stream = _Unzipped(s3_objects.chunks(s3, bucket=bucket, key=key, version_id=None), bounds)
    try:
        with service_errors():
            _show(stream, visit, bounds, only_plain=only_plain)
            stream.finish()
    except (tarfile.TarError, zlib.error, EOFError, UnicodeError) as error:
        raise ArchiveError(f"{uri} is not a whole tar.gz archive: {error}") from error
    except ArchiveError as error:
        raise ArchiveError(f"{uri} {error}") from error
    except Exception as error:
        if error_code(error) not in ABSENT:
            raise
        raise ArchiveError(f"{uri} does not exist, or may not be read") from error


def _show(stream: _Unzipped, visit: Visit, limits: Limits, *, only_plain: bool) -> None:
    total = 0
    # tarfile asks no more of a stream than `read`.
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", tarinfo=_BoundedHeader) as archive:
        for count, member in enumerate(archive, start=1):
            total += member.size
            if total > limits.total or count > limits.members:
                raise too_large(limits)
            strange = _strangeness(member)
            if strange and only_plain:
                raise ArchiveError(f"holds {member.name!r}, which is {strange}: nothing of it is used")
            content = archive.extractfile(member) if member.isreg() and not strange else None
            if content:
                visit(str(PurePosixPath(member.name)), content, member.size)


def _strangeness(member: tarfile.TarInfo) -> str | None:
    """Return what a member is that output of a job never is, or None."""
    if member.issym() or member.islnk():
        return f"a link to {member.linkname!r}"
    if not member.isreg() and not member.isdir():
        return "a device or a pipe"
    return strange_path(member.name)


def strange_path(name: str) -> str | None:
    """Return what is wrong with the path of a file below its archive or folder, or None."""
    path = PurePosixPath(name)
    return "outside of the output" if path.is_absolute() or ".." in path.parts else None


def too_large(limits: Limits) -> ArchiveError:
    """Make the error for an output that is beyond the limits."""
    return ArchiveError(f"is larger than {limits.total} bytes or {limits.members} files when unpacked")


class _BoundedHeader(tarfile.TarInfo):
    """A header whose extended part, which is read into memory as a whole, has a limit."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _HEADERS and header.size > _MAX_HEADER:
            raise tarfile.ReadError(f"an extended header has {header.size} bytes")
        return header


class _Unzipped:
    """Give the gzip in an iterator of byte strings the one method that tarfile needs, a piece at a time.

    tarfile's own reading of gzip takes an archive that is cut off between two members for a whole one.
    """

    def __init__(self, chunks: Iterator[bytes], limits: Limits) -> None:
        self._chunks = chunks
        self._limits = limits
        # What the headers and the padding of members take comes on top of their content.
        self._left = limits.total + limits.members * 3 * tarfile.BLOCKSIZE
        self._unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._packed = b""
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; nothing at the end."""
        while not self._rest and not self._unzip.eof:
            packed = self._packed or next(self._chunks, b"")
            self._rest = self._unzip.decompress(packed, _PIECE)
            if not packed and not self._rest and not self._unzip.eof:
                raise EOFError("it is cut off")
            self._packed = self._unzip.unconsumed_tail
            self._left -= len(self._rest)
            if self._left < 0:
                raise too_large(self._limits)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def finish(self) -> None:
        """Read to the end, where gzip has its checksum; raise EOFError or zlib.error if it is not whole."""
        while self.read(_PIECE):
            pass

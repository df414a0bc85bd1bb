"""Write objects while counting and hashing them, in constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_BLOCK: Final = 1024 * 1024


class Sink(Protocol):
    """Where the bytes of one object go; nothing is visible there before `close`."""

    @property
    def uri(self) -> str:
        """Return where the object is once it is closed."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def close(self) -> None:
        """Make the object visible."""

    def abort(self) -> None:
        """Forget what was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenObject:
    """An object as it was written: its location, SHA-256, size in bytes and number of rows."""

    uri: str
    sha256: str
    bytes: int
    rows: int


class Writer(Protocol):
    """What is closed when all went well, and aborted when not."""

    def close(self) -> None:
        """Make the object visible."""

    def abort(self) -> None:
        """Forget what was written."""


@contextmanager
def all_or_none(*writers: Writer) -> Iterator[None]:
    """Close the writers at the end of the block; abort all of them when it, or closing one, raises."""
    try:
        yield
        for writer in writers:
            writer.close()
    except BaseException:
        for writer in writers:
            writer.abort()
        raise


class LineBuffer:
    """Collect lines into blocks and hand them to a sink."""

    def __init__(self, sink: Sink) -> None:
        self.rows = 0
        """How many lines were handed on; all of them, once the writer is closed."""
        self._sink = sink
        self._lines: list[bytes] = []
        self._pending = 0

    def write(self, line: bytes) -> None:
        """Take one line, given without its line end."""
        self._lines.append(line)
        self._pending += len(line) + 1
        if self._pending >= _BLOCK:
            self._flush()

    def write_lines(self, lines: Iterable[bytes]) -> None:
        """Take lines without their line ends that are together about as large as a block."""
        self._lines.extend(lines)
        self._flush()

    def write_blocks(self, blocks: Iterable[bytes], *, rows: int) -> None:
        """Take `rows` lines with their line ends, in pieces of any size."""
        self._flush()
        for block in blocks:
            self._put(block)
        self.rows += rows

    def close(self) -> None:
        """Write what is left and make the object visible."""
        self._flush()
        self._sink.close()

    def abort(self) -> None:
        """Forget what was written."""
        self._sink.abort()

    def _flush(self) -> None:
        if not self._lines:
            return
        self.rows += len(self._lines)
        self._lines.append(b"")
        self._put(b"\n".join(self._lines))
        self._lines.clear()
        self._pending = 0

    def _put(self, block: bytes) -> None:
        self._sink.write(block)


class LineWriter(LineBuffer):
    """Collect lines into blocks, hash them, and hand them to a sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._digest = hashlib.sha256()
        self._bytes = 0

    def written(self) -> WrittenObject:
        """Return the facts of the object, once it is closed."""
        return WrittenObject(uri=self._sink.uri, sha256=self._digest.hexdigest(), bytes=self._bytes, rows=self.rows)

    def _put(self, block: bytes) -> None:
        self._digest.update(block)
        self._bytes += len(block)
        self._sink.write(block)


class FileSink:
    """Write a local file beside its place and move it there when it is whole.

    `uri` is what the object is known by, where that is not its path.
    """

    def __init__(self, path: Path, *, uri: str | None = None) -> None:
        self._path = path
        self._uri = uri or str(path)
        self._partial = path.with_name(f".{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")

    @property
    def uri(self) -> str:
        """Return the path of the file, or what it is known by."""
        return self._uri

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)

    def close(self) -> None:
        """Move the finished file to its place."""
        self._file.close()
        self._partial.replace(self._path)

    def abort(self) -> None:
        """Remove the unfinished file."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class NullSink:
    """Forget everything."""

    uri = ""

    def write(self, data: bytes) -> None:
        """Forget bytes."""

    def close(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

"""Write objects while counting and hashing them, in constant memory."""

from __future__ import annotations

import hashlib
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


class LineWriter:
    """Collect lines into blocks, hash them, and hand them to a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lines: list[bytes] = []
        self._pending = 0
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._rows = 0

    def write(self, line: bytes) -> None:
        """Take one line, given without its line end."""
        self._lines.append(line)
        self._pending += len(line) + 1
        if self._pending >= _BLOCK:
            self._flush()

    def close(self) -> WrittenObject:
        """Write what is left, make the object visible, and return its facts."""
        self._flush()
        self._sink.close()
        return WrittenObject(uri=self._sink.uri, sha256=self._digest.hexdigest(), bytes=self._bytes, rows=self._rows)

    def abort(self) -> None:
        """Forget what was written."""
        self._sink.abort()

    def _flush(self) -> None:
        if not self._lines:
            return
        self._rows += len(self._lines)
        self._lines.append(b"")
        block = b"\n".join(self._lines)
        self._digest.update(block)
        self._bytes += len(block)
        self._sink.write(block)
        self._lines.clear()
        self._pending = 0


class FileSink:
    """Write a local file beside its place and move it there when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")

    @property
    def uri(self) -> str:
        """Return the path of the file."""
        return str(self._path)

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

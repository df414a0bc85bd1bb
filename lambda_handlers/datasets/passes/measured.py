"""The SHA-256 and the size of what is read, taken while it goes by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.reading.rows import SourceObject


class Measured:
    """A source that is read once, from beginning to end; `on_bytes` is told of every piece."""

    def __init__(self, source: SourceObject, on_bytes: Callable[[int], None] | None = None) -> None:
        self._source = source
        self._on_bytes = on_bytes
        self._digest = hashlib.sha256()
        self.read = 0
        """How many bytes have gone by."""

    @property
    def uri(self) -> str:
        """Return the path or the s3:// address."""
        return self._source.uri

    @property
    def version_id(self) -> str | None:
        """Return the version that is read, where the store has versions."""
        return self._source.version_id

    @property
    def size(self) -> int:
        """Return the size in bytes as it lies there."""
        return self._source.size

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes; a second reading, or one that begins later, would measure something else."""
        if start or self.read:
            raise ValueError(f"{self.uri} is measured by reading it once, from its beginning")
        for chunk in self._source.chunks():
            self._digest.update(chunk)
            self.read += len(chunk)
            if self._on_bytes:
                self._on_bytes(len(chunk))
            yield chunk

    def facts(self) -> ReadObject:
        """Return what the manifest says of the object, once it has been read."""
        return ReadObject(uri=self.uri, version_id=self.version_id, sha256=self._digest.hexdigest(), bytes=self.read)

"""Find and read local files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lambda_handlers.datasets.earlier_outputs import MANIFEST, check_no_preparation
from lambda_handlers.datasets.reading.path_names import check_path
from lambda_handlers.datasets.reading.source_format import ALLOWED, check_one_kind, kind_of
from lambda_handlers.protocol.errors import DataPreparationFailed, InvalidRequest

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFile:
    """A local file as it was when it was found; its `uri` is its path, its `size` is in bytes."""

    uri: str
    size: int
    modified_ns: int
    inode: int

    @property
    def version_id(self) -> None:
        """Return None: a file system keeps no versions."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes from `start` to the end, in pieces of 1 MiB.

        Raises DataPreparationFailed when it is no longer the file that was found. That is looked at before each piece
        is handed on, so that no byte of another content gets through.
        """
        try:
            with Path(self.uri).open("rb") as file:
                file.seek(start)
                while chunk := self._next(file):
                    yield chunk
        except OSError as error:
            raise DataPreparationFailed(
                f"the dataset {self.uri} vanished or cannot be read any more: {error.strerror}"
            ) from error

    def _next(self, file: Any) -> bytes:
        chunk: bytes = file.read(_CHUNK)
        if _as_found(self.uri, Path(self.uri).stat()) != self:
            raise DataPreparationFailed(
                f"the dataset {self.uri} changed while it was read: run again when nothing writes to it any more"
            )
        return chunk


def find(path: str) -> list[LocalFile]:
    """Return the data files that a path stands for: the file, or those directly in the folder, sorted by name.

    In a folder, names that begin with `.` or `_`, other folders, and names that tell no format are left out. Raises
    InvalidRequest if nothing is there, if nothing there can be read, for a folder of several kinds, and for a name
    that is not UTF-8.
    """
    check_path(path)
    place = Path(path)
    try:
        found = _in_folder(place) if place.is_dir() else [_local_file(place)]
        for file in found:
            check_path(file.uri)
            with Path(file.uri).open("rb"):
                pass
    except OSError as error:
        raise InvalidRequest(f"the dataset {error.filename or path} cannot be read: {error.strerror}") from error
    return found


def _in_folder(folder: Path) -> list[LocalFile]:
    files = [each for each in folder.iterdir() if each.is_file() and each.name[0] not in "._"]
    found = [_local_file(each) for each in sorted(files, key=lambda each: each.name) if kind_of(each.name)]
    if not found:
        raise InvalidRequest(
            f"the folder {folder} holds nothing to read: none of the {len(files)} files in it ends in {ALLOWED}"
        )
    names = [Path(file.uri).name for file in found]
    check_no_preparation(f"the folder {folder}", names, (folder / MANIFEST).read_bytes)
    check_one_kind(str(folder), [file.uri for file in found])
    return found


def _local_file(path: Path) -> LocalFile:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise InvalidRequest(f"the dataset {path} is not a file: give a file or a folder")
    return _as_found(str(path), found)


def _as_found(uri: str, found: os.stat_result) -> LocalFile:
    return LocalFile(uri=uri, size=found.st_size, modified_ns=found.st_mtime_ns, inode=found.st_ino)

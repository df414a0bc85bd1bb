"""A hidden folder for work that is not finished; one that a killed run left is removed by the next run."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

PREFIX: Final = ".nova-data-"
MARKER: Final = ".unfinished"
_MARK: Final = b"Unfinished work of a preparation of data. When no run holds a lock on this file, the folder may go.\n"


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Give an empty folder of our own in `parent`, and remove it at the end.

    Folders that earlier runs left there are removed first: those with our marker, where no process holds its lock. The
    system frees a lock however its process ends, so that no run takes the work of one that is alive.
    """
    _remove_left(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        with _marked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / MARKER).open("r+b") as marker:
            if marker.read(len(_MARK) + 1) == _MARK:
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def _marked(folder: Path) -> BinaryIO:
    """Put the marker into a folder and return it, locked as long as it is open."""
    new = folder / f"{MARKER}.new"
    marker = new.open("xb")
    marker.write(_MARK)
    marker.flush()
    # It gets its name when it is locked, so that no other run finds it before; where there are no locks, it gets none.
    with suppress(OSError):
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(folder / MARKER)
    return marker

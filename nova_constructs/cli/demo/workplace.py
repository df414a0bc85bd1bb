"""A temporary folder that holds every file of a demo, so that removing it leaves nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nova_constructs.cli.interrupts import Interrupts

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.05


@contextmanager
def workplace(interrupts: Interrupts) -> Iterator[Path]:
    """Give a folder in which this process and its children make their temporary files; remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="nova-demo-"))
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    try:
        temporary = folder / "tmp"
        temporary.mkdir()
        tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
        yield folder
    finally:
        interrupts.end()
        tempfile.tempdir = before
        if variable is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = variable
        _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        # A process that was just killed may have written once more while its folder was being emptied.
        time.sleep(_PAUSE_SECONDS)

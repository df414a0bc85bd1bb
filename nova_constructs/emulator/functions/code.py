"""The unpacked code of functions and layers, one folder for each content."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path

_NATIVE_SUFFIXES = (".so", ".pyd", ".dylib")


class CodeStore:
    """Temporary folders with code, kept until `clear`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._root: Path | None = None

    def folder(self, sha256: str, archive: bytes) -> Path:
        """Return the folder that holds the content of a zip."""
        name = "".join(letter if letter.isalnum() else "-" for letter in sha256)
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="nova-emulator-"))
            target = self._root / name
            if not target.is_dir():
                with zipfile.ZipFile(io.BytesIO(archive)) as opened:
                    opened.extractall(target)
            return target

    def layer(self, sha256: str, archive: bytes) -> Path | None:
        """Return the import path of a layer, or None if it holds machine code.

        Machine code in a layer is for Lambda's platform; the host's own packages stand in for it.
        """
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if any(name.endswith(_NATIVE_SUFFIXES) for name in opened.namelist()):
                return None
        return self.folder(sha256, archive) / "python"

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
                self._root = None

"""A local folder that takes the outputs of a preparation all at once, and nothing else in it is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lambda_handlers.datasets.writers import FileSink
from lambda_handlers.protocol.errors import InvalidRequest

MANIFEST: Final = "manifest.json"
QUARANTINE: Final = "quarantine.jsonl"
_PARTIAL: Final = ".partial"


class OutputFolder:
    """Outputs are written to a hidden folder within, and moved to their places together by `commit`.

    An output of an earlier run, which the manifest there names, is replaced; where it is not made now, it is removed.
    Raises InvalidRequest, before anything is written, when an output would replace a file that is not ours, or that is
    one of `inputs`.
    """

    def __init__(self, path: Path, names: Iterable[str], *, inputs: Iterable[str]) -> None:
        self.path = path
        self._names = [*names, QUARANTINE]
        self._partial = path / _PARTIAL
        self._earlier = _earlier_outputs(path)
        self._check(inputs)

    def __enter__(self) -> Self:
        self._existed = self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._partial, ignore_errors=True)  # of a run that was killed
            self._partial.mkdir()
        except OSError as error:
            raise InvalidRequest(f"the output folder {self.path} cannot be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        if not self._existed:
            with suppress(OSError):  # not empty: it holds the outputs
                self.path.rmdir()

    def sink(self, name: str) -> FileSink:
        """Return where to write an output."""
        return FileSink(self._partial / name, uri=str(self.path / name))

    def scratch(self, name: str) -> Path:
        """Return an empty folder that goes with this object."""
        folder = self._partial / f"scratch-{name}"
        folder.mkdir()
        return folder

    def commit(self, manifest: bytes) -> str:
        """Move the outputs to their places, remove earlier ones that were not made again, and the manifest last."""
        (self._partial / MANIFEST).write_bytes(manifest)
        for name in self._names:
            (self._partial / name).replace(self.path / name)
        for name in self._earlier.difference(self._names):
            (self.path / name).unlink(missing_ok=True)
        place = self.path / MANIFEST
        (self._partial / MANIFEST).replace(place)
        return str(place)

    def _check(self, inputs: Iterable[str]) -> None:
        touched = {*self._names, MANIFEST, *self._earlier}
        for name in touched:
            for given in inputs:
                if _same_file(self.path / name, given):
                    raise InvalidRequest(
                        f"the output {name} in {self.path} would replace the input {given}; choose another folder"
                    )
        ours = {*self._earlier, *([MANIFEST] if self._earlier else [])}
        for name in sorted({*self._names, MANIFEST} - ours):
            if (self.path / name).exists():
                raise InvalidRequest(
                    f"{self.path / name} is not an output of an earlier preparation and would be replaced; "
                    "move it away or choose another folder"
                )


def _earlier_outputs(folder: Path) -> set[str]:
    """Return the names of the outputs that the manifest in a folder lists; empty where there is none of ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return {Path(output["uri"]).name for output in manifest["outputs"] if manifest["schema_version"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _same_file(path: Path, given: str) -> bool:
    try:
        return path.samefile(given)
    except OSError:
        return False

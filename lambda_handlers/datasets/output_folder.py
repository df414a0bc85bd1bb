"""A local folder that takes the outputs of a preparation all at once, and nothing else in it is touched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lambda_handlers.datasets.earlier_outputs import MANIFEST, QUARANTINE, outputs_in
from lambda_handlers.datasets.work_folder import work_folder
from lambda_handlers.datasets.writers import FileSink
from lambda_handlers.protocol.errors import InvalidRequest


def check_apart(output: Path, given: Iterable[str]) -> None:
    """Raise InvalidRequest if the output folder is one of the folders that are given to be read."""
    for each in given:
        if output.is_dir() and _same_file(output, each):
            raise InvalidRequest(
                f"the output folder {output} is an input folder as well: its outputs would be input the next time; "
                "choose another folder"
            )


class OutputFolder:
    """Outputs are written to a hidden work folder within, and moved to their places together by `commit`.

    An output of an earlier run, which the manifest there names, is replaced; where it is not made now, it is removed.
    Raises InvalidRequest, before anything is written, when an output would replace a file that is not ours, or that is
    one of `inputs`.
    """

    def __init__(self, path: Path, names: Iterable[str], *, inputs: Iterable[str]) -> None:
        self.path = path
        self._names = [*names, QUARANTINE]
        self._inputs = list(inputs)
        self._checked()

    def __enter__(self) -> Self:
        with ExitStack() as ended:
            ended.callback(_remove_empty, [each for each in (self.path, *self.path.parents) if not each.exists()])
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                self._partial = ended.enter_context(work_folder(self.path))
            except OSError as error:
                raise InvalidRequest(f"the output folder {self.path} cannot be written: {error.strerror}") from error
            self._ended = ended.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.close()

    def sink(self, name: str) -> FileSink:
        """Return where to write an output."""
        return FileSink(self._partial / name, uri=str(self.path / name))

    def scratch(self, name: str) -> Path:
        """Return an empty folder that goes with this object."""
        folder = self._partial / f"scratch-{name}"
        folder.mkdir()
        return folder

    def commit(self, manifest: bytes) -> str:
        """Move the outputs to their places, remove earlier ones that were not made again, and the manifest last.

        Raises InvalidRequest, before anything is moved, when what lies there meanwhile is in the way.
        """
        earlier = self._checked()
        (self._partial / MANIFEST).write_bytes(manifest)
        for name in self._names:
            (self._partial / name).replace(self.path / name)
        for name in earlier.difference(self._names):
            (self.path / name).unlink(missing_ok=True)
        place = self.path / MANIFEST
        (self._partial / MANIFEST).replace(place)
        return str(place)

    def _checked(self) -> set[str]:
        """Return the names of earlier outputs; raise InvalidRequest for what may not be replaced or removed."""
        earlier = _earlier_outputs(self.path)
        ours = {*earlier, *([MANIFEST] if earlier else [])}
        for name in sorted({*self._names, MANIFEST, *earlier}):
            self._check(name, is_ours=name in ours)
        return earlier

    def _check(self, name: str, *, is_ours: bool) -> None:
        place = self.path / name
        for given in self._inputs:
            if _same_file(place, given):
                raise InvalidRequest(
                    f"the output {name} in {self.path} would replace the input {given}; choose another folder"
                )
        if place.is_dir() and not place.is_symlink():
            raise InvalidRequest(f"{place} is a folder, where a file has to go; move it away or choose another folder")
        if not is_ours and os.path.lexists(place):  # a link that leads nowhere is not ours either
            raise InvalidRequest(
                f"{place} is not an output of an earlier preparation and would be replaced; "
                "move it away or choose another folder"
            )


def _remove_empty(made: Iterable[Path]) -> None:
    """Remove folders that were made, the innermost first, unless something is in them."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def _earlier_outputs(folder: Path) -> set[str]:
    try:
        return outputs_in((folder / MANIFEST).read_bytes())
    except OSError:
        return set()


def _same_file(path: Path, given: str) -> bool:
    try:
        return path.samefile(given)
    except OSError:
        return False

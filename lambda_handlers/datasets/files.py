"""Prepare a dataset from a local file into a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lambda_handlers.datasets.passes.single import Preparation, Prepared, Source, prepare
from lambda_handlers.datasets.writers import FileSink, LineWriter
from lambda_handlers.protocol.errors import InvalidRequest

_CHUNK: Final = 1024 * 1024


def prepare_file(path: Path, folder: Path, preparation: Preparation) -> Prepared:
    """Write train.jsonl, quarantine.jsonl and manifest.json of a local file into a folder.

    Raises InvalidRequest when the file is missing, is a folder or cannot be read.
    """
    _check_readable(path)
    prepared = prepare(
        Source(uri=str(path), chunks=_chunks(path)),
        preparation,
        output=LineWriter(FileSink(folder / "train.jsonl")),
        quarantine=LineWriter(FileSink(folder / "quarantine.jsonl")),
    )
    sink = FileSink(folder / "manifest.json")
    sink.write(prepared.manifest.to_json())
    sink.close()
    return prepared


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise InvalidRequest(f"the dataset {path} cannot be read: {error.strerror}") from error


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk

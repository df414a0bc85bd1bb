"""The dataset of a demo: the file, and which of its columns hold what."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nova_constructs.cli.demo.second_run import Second
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.files import require_readable

STANDARD_COLUMNS = ("question", "answer", "system")
_REQUIRED = ("question", "answer")
_SYNTAX = "question=NAME,answer=NAME[,system=NAME]"
_LOOKED_AT = 20


def _example() -> Path:
    """Return the folder of the example: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "examples" / "demo"
    return installed if installed.is_dir() else package.parent / "examples" / "demo"


EXAMPLE = _example()


def check_dataset(path: Path) -> Path:
    """Return the path of a dataset whose first lines hold at least one JSON object."""
    require_readable(path)
    if not any(line.strip() for line in _lines(path)):
        raise BadInputError("the dataset is empty", received=path, do="name a file with one JSON object per line")
    if not first_rows(path):
        raise BadInputError(
            f"none of the first {_LOOKED_AT} lines is a JSON object",
            received=path,
            allowed="JSON lines: one object per line, UTF-8",
            do="convert the file to JSON lines",
        )
    return path


def check_uploads(uploads: int, path: Path, *, second: Second | None) -> None:
    """Raise BadInputError for a file that cannot be cut into so many objects, each with a row."""
    rows = sum(1 for _ in _lines(path))
    if uploads > 1 and second:
        raise BadInputError(
            f"--uploads does not go with {second}, which runs on one object",
            received=f"--uploads {uploads} and {second}",
            do="leave one of them out",
        )
    if uploads > rows:
        raise BadInputError(
            f"{path} has too few rows for --uploads",
            received=uploads,
            allowed=f"1 to {rows}, the rows of the file",
            do="upload fewer objects, or name a larger file with --data",
        )


def parts_of(path: Path, uploads: int) -> list[bytes]:
    """Cut a file into so many objects of about as many rows each."""
    lines = [line.rstrip("\n") for line in _lines(path)]
    return ["".join(f"{line}\n" for line in lines[number::uploads]).encode() for number in range(uploads)]


def parse_columns(text: str | None, path: Path) -> dict[str, str]:
    """Parse `question=…,answer=…[,system=…]` and check each column against the file's first rows."""
    columns = dict(_pairs(text)) if text is not None else {name: name for name in _REQUIRED}
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise BadInputError(
            f"--columns does not say where the {missing[0]} is",
            received=text,
            allowed=_SYNTAX,
            do=f"add {missing[0]}=NAME",
        )
    rows = first_rows(path)
    known = sorted({key for row in rows for key in row})
    for name, column in columns.items():
        if column not in known:
            raise BadInputError(
                f"the {name} column is not in the first rows of {path}",
                received=f"{name}={column}",
                allowed=f"one of {', '.join(known)}",
                do=f"name the column with --columns {_SYNTAX}",
            )
    return columns


def first_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return those of the first lines that are JSON objects."""
    rows: list[Mapping[str, Any]] = []
    for line in itertools.islice(_lines(path), _LOOKED_AT):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for pair in text.split(","):
        name, _, column = (part.strip() for part in pair.partition("="))
        if not column or name not in STANDARD_COLUMNS or name in seen:
            raise BadInputError(
                f"--columns names {name} twice" if name in seen else "--columns cannot be read",
                received=pair.strip() or text,
                allowed=_SYNTAX,
                do="try --columns question=question,answer=answer",
            )
        seen.add(name)
        yield name, column


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.strip():
                yield line

"""The bare loops that preparation is compared with: what reading and writing cost with nothing done in between."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import orjson


def parse_dump_hash(source: Path, target: Path) -> None:
    """Parse and dump each line of a file with orjson, hash what is read and what is written, and write it."""
    read, written = hashlib.sha256(), hashlib.sha256()
    with source.open("rb") as lines, target.open("wb") as out:
        for line in lines:
            read.update(line)
            made = orjson.dumps(orjson.loads(line), option=orjson.OPT_APPEND_NEWLINE)
            written.update(made)
            out.write(made)


def read_csv(source: Path, _target: Path) -> None:
    """Read the records of a file with the csv module, and do nothing with them."""
    with source.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass

"""`nova data show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms.parsing import parse
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from nova_constructs.cli import output
from nova_constructs.cli.data import places
from nova_constructs.cli.data.command import DataCommand


@click.command(
    cls=DataCommand,
    epilog="""\b
Examples:
  nova data show train.jsonl
  nova data show train.csv.gz -n 3
  nova data show s3://BUCKET/datasets/ --json | jq .rows[0]

\b
Exit codes: 0 shown, 1 the data cannot be read, 2 bad input.
""",
)
@click.argument("source", metavar="INPUT")
@click.option("-n", "--rows", type=click.IntRange(min=1), default=10, show_default=True, help="How many rows.")
@output.json_option
def show(source: str, rows: int, as_json: bool) -> None:
    """Show the first rows of INPUT as they are read, with their row numbers; CSV rows by column name.

    Rows are not checked. With --json, one object whose `rows` hold `row`, `line`, `source`, `offset` and the `value`;
    where a row is not a JSON object, its `text` instead, and where it cannot be read at all, the `fault`.
    """
    shown = list(islice(_numbered(source), rows))
    if as_json:
        output.print_json({"error": None, "cause": None, "rows": [_described(*each) for each in shown]})
        return
    width = len(str(len(shown)))
    for number, _, line in shown:
        click.echo(f"{number:>{width}}  {output.harmless(_text(line[2]))}")


def _numbered(given: str) -> Iterator[tuple[int, str, Line]]:
    number = 0
    for source in places.find(given):
        for line in read_rows(source):
            number += 1
            yield number, source.uri, line


def _described(number: int, uri: str, line: Line) -> dict[str, Any]:
    return {"row": number, "line": line[0], "source": uri, "offset": line[1], **_content(line[2])}


def _content(row: bytes | Record | Damaged) -> dict[str, Any]:
    if isinstance(row, Record):
        return {"value": dict(row.values)}
    if isinstance(row, Damaged):
        return {"fault": {"code": row.fault.code, "message": row.fault.message}}
    try:
        return {"value": parse(row)}
    except RejectedRowError:
        return {"text": _text(row)}


def _text(row: bytes | Record | Damaged) -> str:
    if isinstance(row, Record):
        return json.dumps(dict(row.values), ensure_ascii=False)
    if isinstance(row, Damaged):
        return f"({row.fault.code}: {row.fault.message})"
    return row.decode("utf-8", "replace")

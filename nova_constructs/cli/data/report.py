"""What is printed about a preparation: one JSON object, or a few short tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from nova_constructs.cli import output
from nova_constructs.cli.exits import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

_COUNTS: Final = ("in", "out", "rejected", "duplicate", "leaked", "over_limit")


def print_manifest(manifest: Mapping[str, Any], uri: str | None, *, as_json: bool) -> int:
    """Print what a manifest tells on stdout and return the exit code; `uri` is None where nothing was written."""
    rejection = manifest["rejection"]
    if as_json:
        error = "DatasetRejected" if rejection else None
        output.print_json({"error": error, "cause": rejection, **manifest, "manifest_uri": uri})
    else:
        _print_tables(output.console(), manifest, uri)
        if rejection:
            sys.stdout.flush()
            click.echo(f"Error: the dataset is rejected: {output.harmless(rejection)}", err=True)
    return ExitCode.FAILED if rejection else ExitCode.OK


def _print_tables(to: Console, found: Mapping[str, Any], uri: str | None) -> None:
    from rich.markup import escape

    headers = [name.upper().replace("_", " ") for name in _COUNTS]
    output.print_rows(to, headers, [[f"{found['rows'][name]:,}" for name in _COUNTS]])
    if found["rules"]:
        from lambda_handlers.datasets.faults import CODES

        to.print()
        by_count = sorted(found["rules"].items(), key=lambda item: (-item[1], item[0]))
        rows = [(escape(code), f"{count:,}", escape(CODES.get(code, ""))) for code, count in by_count]
        output.print_rows(to, ("RULE", "ROWS", "WHAT IT SAYS"), rows)
    _print_list(to, "First rejected rows", found["first_reasons"])
    _print_list(to, "Errors", found["errors"])
    _print_list(to, "Warnings", found["warnings"])
    if uri is not None:
        to.print()
        written = [(item["uri"], f"{item['rows']:,}", f"{item['bytes']:,}") for item in found["outputs"]]
        files = [(escape(output.harmless(name)), rows, size) for name, rows, size in (*written, (uri, "", ""))]
        output.print_rows(to, ("FILE", "ROWS", "BYTES"), files)


def _print_list(to: Console, title: str, sentences: Iterable[str]) -> None:
    lines = list(sentences)
    if lines:
        to.print()
        to.print(f"{title}:")
        for line in lines:
            to.print(f"  {output.harmless(line)}", markup=False)

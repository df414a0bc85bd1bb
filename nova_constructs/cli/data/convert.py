"""`nova data convert`."""

from __future__ import annotations

import click

from nova_constructs.cli import output
from nova_constructs.cli.data import options, places
from nova_constructs.cli.data.bar import progress_bar
from nova_constructs.cli.data.command import DataCommand
from nova_constructs.cli.data.report import print_manifest


@click.command(
    cls=DataCommand,
    epilog="""\b
Examples:
  nova data convert chats.jsonl --to converse --output converted
  nova data convert train.jsonl --to openai --output converted --json

\b
Written: converse.jsonl or openai.jsonl, and always quarantine.jsonl (rejected rows and why) and manifest.json.

\b
Exit codes: 0 converted, 1 the dataset is rejected or could not be read or written, 2 bad input.
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--to", "form", required=True, metavar="openai|converse", help="What the rows become.")
@click.option("--output", "target", required=True, metavar="DIR|s3://…", help="Folder that takes the files.")
@options.reject_ratio_option(0.01)
@output.json_option
def convert(inputs: tuple[str, ...], form: str, target: str, max_reject_ratio: float, as_json: bool) -> int:
    """Turn chat rows from OpenAI messages into Converse form or back; what cannot be said there is rejected."""
    with progress_bar("Converting") as progress:
        manifest, where = places.convert(inputs, target, form, max_reject_ratio=max_reject_ratio, progress=progress)
    return print_manifest(manifest, where, as_json=as_json)

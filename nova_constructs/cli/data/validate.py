"""`nova data validate`."""

from __future__ import annotations

import click

from lambda_handlers.datasets.preparation import Preparation
from nova_constructs.cli import output
from nova_constructs.cli.data import options, places
from nova_constructs.cli.data.bar import progress_bar
from nova_constructs.cli.data.command import DataCommand
from nova_constructs.cli.data.report import print_manifest


@click.command(
    cls=DataCommand,
    epilog="""\b
Examples:
  nova data validate train.jsonl --model NOVA_LITE_2 --method SFT_LORA
  nova data validate gen_qa.jsonl --model NOVA_LITE_2 --method EVALUATION --json

\b
Exit codes: 0 valid, 1 rows break rules or cannot be read, 2 bad input.
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@options.target_options
@options.reject_ratio_option(0.0)
@output.json_option
def validate(
    inputs: tuple[str, ...], model: str, method: str, eval_task: str | None, max_reject_ratio: float, as_json: bool
) -> int:
    """Check rows that have the form of the model and method already. Nothing is written."""
    preparation = Preparation(model=model, method=method, eval_task=eval_task, as_is=True)
    with progress_bar("Validating") as progress:
        manifest = places.validate(inputs, preparation, max_reject_ratio=max_reject_ratio, progress=progress)
    return print_manifest(manifest, None, as_json=as_json)

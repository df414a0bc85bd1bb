"""`nova data prepare`."""

from __future__ import annotations

from typing import Any

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
  nova data prepare train.jsonl --model NOVA_LITE_2 --method SFT_LORA --output prepared
  nova data prepare a.csv b.csv --model NOVA_PRO --method SFT_FULL --columns question=q,answer=a --output prepared
  nova data prepare train.jsonl --model NOVA_LITE_2 --method SFT_LORA --split --dedupe --no-leak --output prepared
  nova data prepare questions.jsonl --model NOVA_LITE_2 --method EVALUATION --columns query=q,response=a --output eval
  nova data prepare s3://BUCKET/raw/ --model NOVA_LITE_2 --method RFT_LORA --output s3://BUCKET/prepared/ --json

\b
Written: train.jsonl (with EVALUATION gen_qa.jsonl, llm_judge.jsonl or rft_eval.jsonl), with --split also
validation.jsonl and test.jsonl, and always quarantine.jsonl (rejected rows and why) and manifest.json.
Under an s3:// output also media/: images, videos and documents of rows that lie in another bucket.

\b
Exit codes: 0 prepared, 1 the dataset is rejected or could not be read or written, 2 bad input.
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@options.target_options
@click.option("--output", "target", required=True, metavar="DIR|s3://…", help="Folder that takes the files.")
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN[,…]",
    help="Which column of flat rows is what: question=q,answer=a. Equal names need none. Repeatable.",
)
@click.option("--system-prompt", metavar="TEXT", help="For rows that bring none. None is invented.")
@options.operation_options
@options.reject_ratio_option(0.01)
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="Same bytes, sooner.")
@output.json_option
def prepare(
    inputs: tuple[str, ...],
    model: str,
    method: str,
    eval_task: str | None,
    target: str,
    columns: tuple[str, ...],
    system_prompt: str | None,
    no_leak_with: tuple[str, ...],
    max_reject_ratio: float,
    processes: int,
    as_json: bool,
    **operations: Any,
) -> int:
    """Make training or evaluation data of each INPUT (files, folders, s3:// objects or prefixes), in order.

    Every row ends in an output or in quarantine, and is counted once. The same input gives the same bytes.
    """
    preparation = Preparation(
        model=model,
        method=method,
        eval_task=eval_task,
        columns=options.parse_columns(columns),
        system_prompt=system_prompt,
        operations=options.parse_operations(no_leak_with=no_leak_with, **operations),
    )
    with progress_bar("Preparing") as progress:
        manifest, where = places.prepare(
            inputs,
            target,
            preparation,
            evaluation_sets=no_leak_with,
            max_reject_ratio=max_reject_ratio,
            processes=processes,
            progress=progress,
        )
    return print_manifest(manifest, where, as_json=as_json)

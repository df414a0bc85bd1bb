"""`nova run start`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.modes import FULL, MODES
from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid
from nova_constructs.cli import output
from nova_constructs.cli.approval.requester import attest_requester
from nova_constructs.cli.deployed import Customization, stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.files import require_readable
from nova_constructs.cli.run.details import read_details
from nova_constructs.cli.run.dry_run import print_dry_run, read_report
from nova_constructs.cli.run.show import print_run
from nova_constructs.cli.run.target import open_runs
from nova_constructs.cli.run.waiting import wait_until_closed
from nova_constructs.cli.runs import Runs
from nova_constructs.cli.settings import parse_settings

# Not the prefix that starts a run by itself: this command starts it, with its own options.
UPLOAD_PREFIX = "uploads"
_ANY_URI = "s3://incoming-bucket/uploads/file"


@click.command(
    epilog="""\b
Examples:
  nova run start ./train.jsonl --stack NovaSupport
  nova run start s3://BUCKET/datasets/train.jsonl --set max_epochs=3 --wait
  nova run start ./train.jsonl --force --reason "retrain after the catalogue change" --json
  nova run start ./train.jsonl --recipe ./recipe.yaml --dry-run
  nova run start ./more.jsonl --base-run 20260101-120000-abc123 --mode train
  nova run start --mode evaluate --model production --wait
  nova run start --mode deploy --model-package arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/1 --force
  nova run start ./questions.jsonl --mode batch_inference --base-run 20260101-120000-abc123 --wait

\b
Exit codes: with --wait those of the run (0 succeeded, 1 failed, 3 rejected, 4 skipped); 2 bad input.
"""
)
@click.argument("dataset", required=False)
@click.option(
    "--mode",
    type=click.Choice(list(MODES)),
    default=FULL.name,
    show_default=True,
    help="full: the whole workflow; prepare: ends with the data; train: ends with the checkpoint; evaluate: measures a "
    "model and deploys nothing; batch_inference: a model answers every row of DATASET; deploy: serves a model.",
)
@click.option("--model-path", metavar="S3URI", help="Train on from this checkpoint, or evaluate it.")
@click.option("--model-package", metavar="ARN", help="With --mode deploy: this model package of SageMaker.")
@click.option("--base-run", metavar="RUN", help="Train on from the checkpoint of this run, or evaluate it.")
@click.option(
    "--model", type=click.Choice(["base", "production"]), help="With --mode evaluate or batch_inference: the model."
)
@click.option("--output", "place", metavar="S3URI", help="With --mode batch_inference: the folder for the results.")
@click.option("--force", is_flag=True, help="Run even if the same input has already succeeded.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check everything, start no job, and print what would be sent and cost. Stays until that is done.",
)
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@click.option("--recipe", metavar="FILE", help="Train by a recipe of your own: a YAML file, or its s3:// URI.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Override a recipe value, read as YAML. Repeatable."
)
@click.option(
    "--hub-content-version",
    metavar="VERSION",
    help="Take recipes from this version of the hub's content, such as 1.0.20.",
)
@click.option("--wait", is_flag=True, help="Stay until the run has ended. Ctrl-C leaves the run running.")
@stack_options
@output.json_option
def start(
    dataset: str | None,
    mode: str,
    model_path: str | None,
    model_package: str | None,
    base_run: str | None,
    model: str | None,
    place: str | None,
    force: bool,
    dry_run: bool,
    reason: str | None,
    recipe: str | None,
    settings: tuple[str, ...],
    hub_content_version: str | None,
    wait: bool,
    stack: str | None,
    customization: str | None,
    as_json: bool,
) -> int:
    """Start a run on DATASET: an s3:// URI, or a local file, which is uploaded first. An evaluation takes none."""
    local = None if dataset is None or dataset.startswith("s3://") else require_readable(Path(dataset))
    overrides = parse_settings(settings, example="max_epochs=3")
    asked = {
        "mode": None if mode == FULL.name else mode,
        "model_path": model_path,
        "model_package": model_package,
        "base_run": base_run,
        "model": model,
        "output": place,
        "force": force or None,
        "dry_run": dry_run or None,
        "reason": reason or None,
        "recipe": own_recipe(recipe),
        "overrides": overrides or None,
        "hub_content_version": hub_content_version,
    }
    input_for = partial(execution_input, asked)
    check_input(input_for(uri=dataset if local is None else _ANY_URI))
    runs = open_runs(stack=stack, customization=customization)
    run_id = new_run_id(datetime.now(UTC))
    uri = dataset if local is None else _upload(runs, local, run_id)
    if MODES[mode].deploys and not dry_run:
        attest_requester(runs, run_id)
    execution_arn = start_execution(runs, run_id, input_for(uri=uri))
    click.echo(f"Started run {run_id}", err=True)
    if wait or dry_run:
        wait_until_closed(runs, run_id)
        details = read_details(runs, run_id)
        if dry_run:
            print_dry_run(details, read_report(runs, run_id), as_json=as_json)
        else:
            print_run(details, as_json=as_json)
        return exit_code(details.status)
    _print_started(runs.customization, run_id, execution_arn, uri, as_json=as_json)
    return 0


def execution_input(asked: Mapping[str, Any], *, uri: str | None) -> dict[str, Any]:
    """Return the execution input of a run; what is None is left out, and who asks, which only AWS can attest."""
    dataset = {} if uri is None else {"dataset": {"uri": uri}}
    return dataset | {key: value for key, value in asked.items() if value is not None}


def own_recipe(place: str | None) -> str | Mapping[str, Any] | None:
    """Return a recipe as the execution input takes it: its URI, or what a local file says."""
    if place is None or place.startswith("s3://"):
        return place
    from nova_constructs.cli.recipe.own import read_own

    try:
        return read_own(place).values
    except RecipeInvalid as invalid:
        raise BadInputError(str(invalid), do="see `nova recipe render --help`") from None


def check_input(document: Mapping[str, Any]) -> None:
    """Raise BadInputError for what the workflow would refuse."""
    try:
        ExecutionInput.parse(document)
    except InvalidRequest as invalid:
        raise BadInputError(str(invalid), do="see `nova run start --help`") from None


def new_run_id(now: datetime) -> str:
    """Return a run id that sorts by time and does not repeat."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _upload(runs: Runs, path: Path, run_id: str) -> str:
    bucket = runs.customization.outputs["IncomingBucketName"]
    key = f"{UPLOAD_PREFIX}/{run_id}/{path.name}"
    click.echo(f"Uploading {path} to s3://{bucket}/{key}", err=True)
    runs.client("s3").upload_file(str(path), bucket, key)
    return f"s3://{bucket}/{key}"


def start_execution(runs: Runs, run_id: str, document: Mapping[str, Any]) -> str:
    """Start a run with an execution input; return the ARN of its execution."""
    started = runs.client("stepfunctions").start_execution(
        stateMachineArn=runs.customization.state_machine_arn, name=run_id, input=json.dumps(document)
    )
    arn: str = started["executionArn"]
    return arn


def _print_started(customization: Customization, run_id: str, arn: str, uri: str | None, *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {
                "run_id": run_id,
                "status": "RUNNING",
                "customization": customization.name,
                "execution_arn": arn,
                "dataset": uri,
            }
        )
    else:
        click.echo(run_id)

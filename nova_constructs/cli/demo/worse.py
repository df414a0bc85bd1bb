"""The second run of `nova demo --worse`: the same data, but training makes a model of lower quality.

The simulator is told so, and nobody else: the gate has to find out by the scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.catalog.images import FINE_TUNE_REPOSITORY
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.runs import Runs

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator

QUALITY: Final = 0.55
"""Share of questions that the worse model gets right: above the gate's floor, below the model in production."""


@contextmanager
def worse_training(emulator: Emulator) -> Iterator[None]:
    """Let models trained in the block be worse; what evaluates them is not touched."""
    before = emulator.state.simulation
    emulator.state.simulation = replace(before, hooks=(*before.hooks, _lower_quality))
    try:
        yield
    finally:
        emulator.state.simulation = before


def _lower_quality(request: Mapping[str, Any]) -> Mapping[str, Any]:
    image = str(request.get("AlgorithmSpecification", {}).get("TrainingImage", ""))
    return {"quality": QUALITY} if f"/{FINE_TUNE_REPOSITORY}:" in image else {}


def start_again(runs: Runs, dataset: str) -> str:
    """Start a run on the dataset of the one before, and return its id."""
    bucket = runs.customization.outputs["IncomingBucketName"]
    request = {"dataset": f"s3://{bucket}/{dataset}", "force": True, "reason": "a model that was trained worse"}
    started = runs.client("stepfunctions").start_execution(
        stateMachineArn=runs.customization.state_machine_arn, input=json.dumps(request)
    )
    return str(started["executionArn"]).rsplit(":", 1)[1]


def production(runs: Runs) -> dict[str, str]:
    """Return the name of the pointer and what it shows; raise CommandError where nothing is in production."""
    name, client = runs.customization.outputs["PointerParameterName"], runs.client("ssm")
    try:
        return {"name": name, "value": str(client.get_parameter(Name=name)["Parameter"]["Value"])}
    except client.exceptions.ParameterNotFound:
        raise CommandError(f"nothing is in production: {name} does not exist") from None

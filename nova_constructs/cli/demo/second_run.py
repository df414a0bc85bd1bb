"""The second run of `nova demo --worse` and `--fail-smoke`: the same data, with something wrong on the emulator.

The simulator is told so, and nobody else: the workflow has to find out by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.catalog.images import FINE_TUNE_REPOSITORY
from lambda_handlers.jobs.driver import RUN_TAG
from nova_constructs.cli.runs import Runs

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator

QUALITY: Final = 0.55
"""Share of questions that the worse model gets right: above the gate's floor, below the model in production."""


class Second(StrEnum):
    """What is wrong in the second run. The value is its option."""

    WORSE = "--worse"
    FAIL_SMOKE = "--fail-smoke"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trouble:
    """Say what is wrong: as the reason given to the run, for the progress shown, and in the report."""

    reason: str
    shown: str
    injected: str


_TROUBLES: Final[Mapping[Second, _Trouble]] = {
    Second.WORSE: _Trouble(
        reason="a model that was trained worse",
        shown="of a worse model",
        injected=f"The emulator was told that the second run's model gets {QUALITY:.0%} of questions right.",
    ),
    Second.FAIL_SMOKE: _Trouble(
        reason="a model that does not answer",
        shown="of a model that does not answer",
        injected="The emulator was told of a hosting fault: what serves the second run's model answers no question.",
    ),
}


def describe(second: Second) -> str:
    """Return what the emulator was told, as a sentence."""
    return _TROUBLES[second].injected


def start_second(runs: Runs, second: Second, dataset: str) -> tuple[str, str]:
    """Start a run on the dataset of the one before; return its id, and what to show of it."""
    bucket, trouble = runs.customization.outputs["IncomingBucketName"], _TROUBLES[second]
    request = {"dataset": f"s3://{bucket}/{dataset}", "force": True, "reason": trouble.reason}
    started = runs.client("stepfunctions").start_execution(
        stateMachineArn=runs.customization.state_machine_arn, input=json.dumps(request)
    )
    run_id = str(started["executionArn"]).rsplit(":", 1)[1]
    return run_id, f"Run {run_id}, {trouble.shown}"


@contextmanager
def trouble(emulator: Emulator, second: Second, *, first_run: str) -> Iterator[None]:
    """Let models made in the block have what is wrong with them; the model of the first run is not touched."""
    if second is Second.FAIL_SMOKE:
        # Left there: whatever the second run made goes on not to answer, while production is asked.
        emulator.faults.no_answer(lambda _, tags: tags.get(RUN_TAG) != first_run)
        yield
        return
    before = emulator.state.simulation
    emulator.state.simulation = replace(before, hooks=(*before.hooks, _lower_quality))
    try:
        yield
    finally:
        emulator.state.simulation = before


def _lower_quality(request: Mapping[str, Any]) -> Mapping[str, Any]:
    image = str(request.get("AlgorithmSpecification", {}).get("TrainingImage", ""))
    return {"quality": QUALITY} if f"/{FINE_TUNE_REPOSITORY}:" in image else {}

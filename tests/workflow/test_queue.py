"""Runs that start while another works, on the emulator: never two at once, and every one accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.runs import Runs
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, synthesize, until
from tests.workflow.paths import dataset_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
AT_ONCE = 12


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization whose runs wait for one another."""
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, synthesize(tmp_path_factory.mktemp("queue"), concurrency="QUEUE"))


def start(workflow: Workflow, name: str, mode: str = "prepare") -> str:
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    return workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl", mode=mode)


def runs_of(workflow: Workflow) -> Runs:
    outputs = {name.removeprefix("Demo"): value for name, value in workflow.stack.outputs.items()}
    return Runs(Customization(stack="Nova-Demo", name="Demo", outputs=outputs), workflow.emulator.client)


def test_many_starts_at_once_run_one_after_another(workflow: Workflow) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        arns = list(pool.map(lambda number: start(workflow, f"at-once-{number}"), range(AT_ONCE)))
    ended = [workflow.finish(arn) for arn in arns]
    assert [json.loads(each["output"])["status"] for each in ended] == ["SUCCEEDED"] * AT_ONCE
    worked = []
    for each in ended:
        ledger = {event["type"]: event for event in workflow.record(each["name"])["ledger"]}
        generation = ledger["run_started"]["detail"]["run"]["lock_generation"]
        worked.append((ledger["run_started"]["at"], ledger["run_closed"]["at"], generation))
    worked.sort()
    assert all(closed <= begun for (_, closed, _), (begun, _, _) in pairwise(worked))
    assert [generation for *_, generation in worked] == list(range(worked[0][2], worked[0][2] + AT_ONCE))
    workflow.nothing_left_running()


def test_a_run_that_waits_is_seen_and_can_be_stopped(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training", times=1)
    holder = start(workflow, "holder", "train")
    until(lambda: workflow.live_jobs() or None, "the training job")
    waiting = [start(workflow, f"waiting-{number}") for number in range(2)]
    for arn in waiting:
        workflow.reach(arn, "AwaitTurn")
    names = [arn.rsplit(":", 1)[1] for arn in (holder, *waiting)]
    listed = {each.run_id: each.status for each in runs_of(workflow).latest(3)}
    assert listed == dict(zip(names, ("RUNNING", "QUEUED", "QUEUED"), strict=True))
    found = runs_of(workflow).queued(names[2])
    assert found is not None
    assert (found.place, found.behind) == (2, names[:1])
    workflow.states.stop_execution(executionArn=waiting[0], error="StoppedByOperator", cause="wrong data")
    assert workflow.record(names[1])["error"] == "StoppedByOperator"
    assert workflow.lock_holders() == [names[0], names[2]]
    workflow.states.stop_execution(executionArn=holder)
    assert workflow.finish(waiting[1])["status"] == "SUCCEEDED"
    workflow.nothing_left_running()


def test_a_whole_run_that_has_waited_stays_within_its_transitions(workflow: Workflow) -> None:
    holder = start(workflow, "before", "train")
    until(lambda: workflow.live_jobs() or None, "the training job")
    arn = start(workflow, "whole", "full")
    workflow.reach(arn, "AwaitTurn")
    for each in (holder, arn):
        assert workflow.finish(each)["status"] == "SUCCEEDED"
    path = workflow.path(arn)
    assert path.count("PlanRun") == 2
    assert len(path) <= 40

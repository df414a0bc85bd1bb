"""Kill a run at every state of the synthesized machine in every way: nothing runs on, nothing is held, all is told."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, synthesize
from tests.workflow.paths import dataset_of, rows_of_size
from tests.workflow.states import Calling, states_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOB_EVENT = "SageMaker Training Job State Change"
RUN_EVENT = "Step Functions Execution Status Change"
LATE = 30 * 86_400.0
"""Seconds: longer than any job may take, and any state waits."""
AT_ONCE = 8
FAULTS = ("abort", "crash", "lose", "delay")

SIDE_BY_SIDE: dict[str, Any] = {
    "concurrency": "PARALLEL",
    "batch_inference": {},
    # No score is enough, so that an evaluation ends in CloseRejectedRun; mode deploy asks no gate.
    "gate": {"criteria": [{"task": "mmlu", "floor": 0.999}]},
}
IN_A_QUEUE: dict[str, Any] = {
    "concurrency": "QUEUE",
    "approval": {"deadline_hours": 1},
    "deployment": {"target": "BEDROCK_OD", "mode": "UPDATE_IF_EXISTS"},
}
MAPS = ("TransformShards", "ReduceShards", "AssembleShards", "FinishData", "Transform", "Assemble")
OF_INFERENCE = ("AnswerRows", "ReadAnswers")


class Chaos:
    """A deployed customization whose runs are killed one by one, many at the same time."""

    def __init__(self, emulator: Emulator, assembly: Path) -> None:
        self.workflow = Workflow(emulator, assembly)
        self.states = states_of(self.workflow, assembly)
        self.faults = emulator.faults
        self.hit: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        place = f"s3://{self.workflow['IncomingBucketName']}/uploads"
        self.small, self.large, self.twice = (f"{place}/{name}.jsonl" for name in ("small", "large", "twice"))
        for name, body in (("small", dataset_of("small")), ("twice", dataset_of("twice"))):
            self.workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", body)
        self.approve: set[str] = set()

    def start(self, **request: Any) -> str:
        """Start a run under an id that is known before it begins."""
        run = f"chaos-{uuid.uuid4().hex[:12]}"
        self.begin(run, request)
        return run

    def begin(self, run: str, request: Mapping[str, Any]) -> None:
        self.workflow.states.start_execution(
            stateMachineArn=self.workflow["StateMachineArn"], name=run, input=json.dumps(request)
        )

    def arn(self, run: str) -> str:
        return f"{self.workflow['StateMachineArn'].replace(':stateMachine:', ':execution:', 1)}:{run}"

    def done(self, **request: Any) -> str:
        run = self.start(**request)
        self.approve.add(run)
        ended = self.workflow.finish(self.arn(run))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        return run

    def checkpoint(self, name: str) -> str:
        """Train a checkpoint and return its address."""
        self.workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
        run = self.done(dataset=self.small.replace("small", name), mode="train")
        [found] = [e for e in self.workflow.record(run)["ledger"] if e["type"] == "checkpoint_resolved"]
        return str(found["detail"]["uri"])

    def inject(self, state: Calling, fault: str, request: Mapping[str, Any]) -> str:
        """Start a run that meets a fault in a state; return its id."""
        run = f"{fault}-{state.name}-{uuid.uuid4().hex[:8]}"[-80:]
        key = f"{fault} {state.name}"

        def kill() -> None:
            self.hit[run] += 1
            self.workflow.states.stop_execution(executionArn=self.arn(run), error="Chaos", cause=key)

        def note() -> None:
            self.hit[run] += 1

        if fault == "crash":
            self.faults.before_function(state.function, note, when=state.made(run))
            # One that crashes as it closes a run is called again, by the event of its execution's end.
            self.faults.crash_function(state.function, times=None, when=state.made(run))
        else:
            self.faults.before_function(state.function, kill, when=state.made(run))
        self.injected[fault] += 1
        self.begin(run, request)
        return run

    def check(self, run: str, state: Calling, fault: str) -> None:
        """Assert that the record says what happened, and that the run met its fault."""
        record = self.workflow.record(run)
        told = (fault, state.name, record["status"], record["error"], record["cause"])
        assert self.hit[run], ("the run did not come to the state", *told, self.workflow.path(self.arn(run)))
        assert record["ledger"][-1]["type"] == "run_closed", told
        if state.name.startswith("Close"):
            return  # how far it had come is what counts, and the first closing keeps its word
        if fault == "crash":
            assert (record["status"], record["error"]) == ("FAILED", "Runtime.ExitError"), told
        else:
            assert (record["status"], record["error"]) == ("ABORTED", "Chaos"), told
            assert fault in ("lose", "delay") or record["cause"] == f"{fault} {state.name}", told

    def at_rest(self) -> None:
        """Assert that nothing runs, nothing is held and nobody waits."""
        self.workflow.nothing_left_running()
        listed = self.workflow.states.list_executions(
            stateMachineArn=self.workflow["StateMachineArn"], statusFilter="RUNNING"
        )
        assert listed["executions"] == []
        bedrock = self.workflow.emulator.client("bedrock")
        models = [each["modelStatus"] for each in bedrock.list_custom_models()["modelSummaries"]]
        deployed = [each["status"] for each in bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]]
        assert not {"Creating"} & {*models, *deployed}


def request_for(chaos: Chaos, state: str, checkpoint: str) -> dict[str, Any]:
    """Return the cheapest run that comes to a state."""
    if state == "CloseSkippedRun":
        return {"dataset": chaos.twice, "mode": "prepare"}
    if state == "CloseDryRun":
        return {"dataset": chaos.small, "mode": "prepare", "dry_run": True}
    if state == "CloseFailedRun":
        return {"dataset": chaos.small.replace("small", "missing"), "mode": "prepare"}
    if state in MAPS:
        return {"dataset": chaos.large, "mode": "prepare", "force": True}
    if state in ("Train", "FindCheckpoint"):
        return {"dataset": chaos.small, "mode": "train", "force": True}
    if state.startswith(("Evaluate", "Read", "Freeze", "Find")) and state not in OF_INFERENCE:
        return {"mode": "evaluate", "model": "base", "force": True}
    if state in ("DecideGate", "CloseRejectedRun"):
        return {"mode": "evaluate", "model": "base", "force": True}
    if state in OF_INFERENCE or state.endswith("-batch-inference"):
        large = state.removesuffix("-batch-inference") in MAPS
        return {
            "dataset": chaos.large if large else chaos.small,
            "mode": "batch_inference",
            "model": "base",
            "force": True,
        }
    if state in ("PlanRun", "PrepareData", "CloseRun"):
        return {"dataset": chaos.small, "mode": "prepare", "force": True}
    assert state in DEPLOYING, f"no run is known that comes to {state}"
    return {"mode": "deploy", "model_path": checkpoint, "force": True}


DEPLOYING = (
    *("ImportModel", "DeployModel", "PromoteDeployment", "RetireModels"),
    *("AwaitApproval", "SettleApproval", "ChooseDeployment"),
    *("DeployCandidate", "SmokeCandidate", "UpdateDeployment", "RemoveCandidate"),
)


def prepare_events(chaos: Chaos, fault: str) -> None:
    for event in (RUN_EVENT, JOB_EVENT):
        if fault == "lose":
            chaos.faults.lose_event(event, times=None)
        if fault == "delay":
            chaos.faults.delay_event(event, LATE, times=None)


def batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("side-by-side"), **SIDE_BY_SIDE)


@pytest.fixture(scope="module")
def chaos(machine: Path) -> Iterator[tuple[Chaos, str]]:
    with Emulator(speed=SPEED) as emulator:
        made = Chaos(emulator, machine)
        made.workflow.put("IncomingBucketName", "uploads/large.jsonl", rows_of_size("Chaos", good=8300, faulty=0))
        made.done(dataset=made.twice, mode="prepare")
        yield made, made.checkpoint("first")
        print(f"\n{sum(made.injected.values())} faults injected side by side: {dict(made.injected)}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_killed_at_any_state_leaves_nothing_but_its_record(chaos: tuple[Chaos, str], fault: str) -> None:
    world, checkpoint = chaos
    world.faults.clear()
    prepare_events(world, fault)
    for names in batches(list(world.states)):
        runs = {name: world.inject(world.states[name], fault, request_for(world, name, checkpoint)) for name in names}
        for name, run in runs.items():
            world.workflow.finish(world.arn(run))
            world.check(run, world.states[name], fault)
    world.at_rest()


@pytest.mark.parametrize("fault", ["lose", "delay"])
def test_a_run_whose_job_events_do_not_come_in_time_succeeds(chaos: tuple[Chaos, str], fault: str) -> None:
    world, _ = chaos
    world.faults.clear()
    prepare_events(world, fault)
    requests = [request_for(world, state, "") for state in ("Train", "DecideGate", "AnswerRows")]
    runs = [world.start(**request) for request in requests]
    ended = [world.workflow.finish(world.arn(run)) for run in runs]
    assert [each["status"] for each in ended] == ["SUCCEEDED"] * 3, [each.get("cause") for each in ended]
    world.injected[f"{fault} job events"] += world.faults.fired["lose_event" if fault == "lose" else "delay_event"]
    world.at_rest()

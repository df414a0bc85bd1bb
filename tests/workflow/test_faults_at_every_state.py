"""Kill a run at every state of the synthesized machine in every way: nothing runs on, nothing is held, all is told."""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, jsonl, synthesize
from tests.workflow.paths import dataset_of
from tests.workflow.states import Calling, states_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOB_EVENT = "SageMaker Training Job State Change"
RUN_EVENT = "Step Functions Execution Status Change"
LATE = 30 * 86_400.0
"""Seconds: longer than any job may take, and any state waits."""
FAULTS = ("abort", "crash", "lose", "delay")

SIDE_BY_SIDE: dict[str, Any] = {
    "concurrency": "PARALLEL",
    "batch_inference": {"data": {"columns": {"query": "question", "response": "answer"}}},
    # No score is enough, so that an evaluation ends in CloseRejectedRun; mode deploy asks no gate.
    "gate": {"criteria": [{"task": "mmlu", "floor": 0.999}]},
}
IN_A_QUEUE: dict[str, Any] = {
    "concurrency": "QUEUE",
    "approval": {"deadline_hours": 1},
    "deployment": {"target": "BEDROCK_OD", "mode": "UPDATE_IF_EXISTS"},
}
MAPS = ("TransformShards", "ReduceShards", "AssembleShards", "FinishData", "Transform", "Assemble")


class Chaos:
    """A deployed customization whose runs are killed one by one, many at the same time."""

    def __init__(self, emulator: Emulator, assembly: Path) -> None:
        self.workflow = Workflow(emulator, assembly)
        self.states = states_of(assembly)
        self.faults = emulator.faults
        self.hit: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self._place = f"s3://{self.workflow['IncomingBucketName']}/"
        self.twice, self.large = self.upload("twice", dataset_of("twice")), list[str]()
        self.approve: set[str] = set()

    def upload(self, name: str, body: bytes) -> str:
        self.workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", body)
        return f"{self._place}uploads/{name}.jsonl"

    def unique(self) -> str:
        """Upload a small dataset that no run has seen, and return its address."""
        name = uuid.uuid4().hex
        return self.upload(name, dataset_of(name))

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

    def checkpoint(self) -> str:
        """Train a checkpoint and return its address."""
        run = self.done(dataset=self.unique(), mode="train")
        [found] = [e for e in self.workflow.record(run)["ledger"] if e["type"] == "checkpoint_resolved"]
        return str(found["detail"]["uri"])

    def inject(self, state: Calling, fault: str, request: Mapping[str, Any]) -> str:
        """Start a run that meets a fault in a state; return its id."""
        run = f"{fault}-{state.name}-{uuid.uuid4().hex[:8]}"[-80:]
        key, function = f"{fault} {state.name}", state.function_name(self.workflow)

        def kill() -> None:
            self.hit[run] += 1
            self.workflow.states.stop_execution(executionArn=self.arn(run), error="Chaos", cause=key)

        def note() -> None:
            self.hit[run] += 1

        if fault == "crash":
            self.faults.before_function(function, note, when=state.made(run))
            # One that crashes as it closes a run is called again, by the event of its execution's end.
            self.faults.crash_function(function, times=None, when=state.made(run))
        else:
            self.faults.before_function(function, kill, when=state.made(run))
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
            # A Map and a Parallel tell the error as their own; that a process was killed stands in the cause of each.
            assert record["status"] == "FAILED", told
            assert "signal: kill" in record["cause"], told
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


def request_for(chaos: Chaos, state: str, number: int, checkpoints: Sequence[str]) -> dict[str, Any]:
    """Return the cheapest run that comes to a state; those of different numbers have different input."""
    if state == "CloseSkippedRun":
        return {"dataset": chaos.twice, "mode": "prepare"}
    if state == "CloseFailedRun":
        return {"dataset": chaos.twice.replace("twice", "missing"), "mode": "prepare"}
    kind = kind_of(state)
    if kind == "large":
        return {"dataset": chaos.large[number % len(chaos.large)], "mode": "prepare", "force": True}
    if kind == "answer":
        large = state.removesuffix("-batch-inference") in MAPS
        dataset = chaos.large[number % len(chaos.large)] if large else chaos.unique()
        return {"dataset": dataset, "mode": "batch_inference", "model": "base", "force": True}
    if kind in ("evaluate", "deploy"):
        return {"mode": kind, "model_path": checkpoints[number % len(checkpoints)], "force": True}
    dry = {"dry_run": True} if state == "CloseDryRun" else {}
    return {"dataset": chaos.unique(), "mode": kind, **dry}


def kind_of(state: str) -> str:
    """Return the mode of the cheapest run that comes to a state, or `large` and `answer`, which need other data."""
    if state in MAPS:
        return "large"
    if state in ("AnswerRows", "ReadAnswers") or state.endswith("-batch-inference"):
        return "answer"
    if state in ("Train", "FindCheckpoint"):
        return "train"
    if state.startswith(("Evaluate", "Read", "FreezeEvaluationSets", "DecideGate", "CloseRejectedRun")):
        return "evaluate"
    if state in DEPLOYING:
        return "deploy"
    assert state in ("PlanRun", "PrepareData", "CloseRun", "CloseDryRun", "CloseSkippedRun", "CloseFailedRun"), state
    return "prepare"


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


AT_ONCE = {"large": 2, "answer": 4, "evaluate": 3, "deploy": 1, "train": 4, "prepare": 6}
"""Runs of a kind at the same time: no two have the same input, and none that deploys gives way to another."""


def batches(states: Iterable[str]) -> Sequence[Mapping[str, int]]:
    """Return which states are tried at the same time, each with the number of its input."""
    seen: Counter[str] = Counter()
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for state in states:
        kind = kind_of(state)
        large = kind == "answer" and state.removesuffix("-batch-inference") in MAPS
        batch, number = divmod(seen["large" if large else kind], AT_ONCE["large" if large else kind])
        seen["large" if large else kind] += 1
        found[batch][state] = number
    return list(found.values())


def two_shards(number: int) -> bytes:
    """Return few rows of many bytes, just more than one call takes."""
    return jsonl([{"question": f"{number} {n} " + "q" * 120_000, "answer": "a"} for n in range(290)])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("side-by-side"), **SIDE_BY_SIDE)


@pytest.fixture(scope="module")
def chaos(machine: Path) -> Iterator[tuple[Chaos, list[str]]]:
    with Emulator(speed=SPEED) as emulator:
        made = Chaos(emulator, machine)
        made.large = [made.upload(f"large-{n}", two_shards(n)) for n in range(2)]
        made.done(dataset=made.twice, mode="prepare")
        yield made, [made.checkpoint() for _ in range(3)]
        print(f"\n{sum(made.injected.values())} faults injected side by side: {dict(made.injected)}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_killed_at_any_state_leaves_nothing_but_its_record(chaos: tuple[Chaos, list[str]], fault: str) -> None:
    world, checkpoints = chaos
    world.faults.clear()
    prepare_events(world, fault)
    for batch in batches(world.states):
        runs = {
            state: world.inject(world.states[state], fault, request_for(world, state, number, checkpoints))
            for state, number in batch.items()
        }
        for state, run in runs.items():
            world.workflow.finish(world.arn(run))
            world.check(run, world.states[state], fault)
    world.at_rest()


@pytest.mark.parametrize("fault", ["lose", "delay"])
def test_a_run_whose_job_events_do_not_come_in_time_succeeds(chaos: tuple[Chaos, list[str]], fault: str) -> None:
    world, checkpoints = chaos
    world.faults.clear()
    prepare_events(world, fault)
    requests = [request_for(world, state, 0, checkpoints) for state in ("Train", "DecideGate", "AnswerRows")]
    runs = [world.start(**request) for request in requests]
    ended = [world.workflow.finish(world.arn(run)) for run in runs]
    assert [each["status"] for each in ended] == ["SUCCEEDED"] * 3, [each.get("cause") for each in ended]
    world.injected[f"{fault} job events"] += world.faults.fired["lose_event" if fault == "lose" else "delay_event"]
    world.at_rest()

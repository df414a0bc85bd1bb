"""Customization on a HyperPod cluster, end to end; whatever a job brought there is gone when it is over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nova_constructs.cli import root
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, jsonl, until
from tests.workflow.hyperpod_support import (
    CLUSTER,
    NAMESPACE,
    PLATFORM,
    SCORE,
    entry,
    job_facts,
    make_cluster,
    make_reward_function,
    nothing_left,
    own_objects,
    rewarded,
    synthesize_all,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MIXING = {"customer_percent": 60, "nova": {"code": 30, "general": 70}}
RFT_OBJECTS = {
    "ConfigMap": 7,
    "Service": 6,
    "Job": 3,
    "StatefulSet": 2,
    "Secret": 1,
    "Deployment": 1,
    "PyTorchJob": 1,
}
"""The 21 objects of a reinforcement job, by kind (aws/sagemaker-hyperpod-recipes)."""


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nothing = {"evaluation": [{"task": "mmlu"}], "deployment": {"target": "NONE"}}
    reward = f"arn:aws:lambda:us-east-1:123456789012:function:{SCORE}"
    return synthesize_all(
        tmp_path_factory.mktemp("hyperpod"),
        entry("Nova-Sft"),
        entry("Nova-Cpt", method="CPT", platform={**PLATFORM, "data_mixing": MIXING}, data={}, **nothing),
        entry(
            "Nova-Rft",
            method="RFT_LORA",
            reward_function=reward,
            platform={**PLATFORM, "instance_count": 2},
            data={},
            **nothing,
        ),
    )


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=SPEED) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(emulator: Emulator) -> Any:
    make_reward_function(emulator)
    return make_cluster(emulator)


@pytest.fixture(scope="module")
def rft(emulator: Emulator, assembly: Path, cluster: Any) -> Workflow:
    return Workflow(emulator, assembly, "Nova-Rft")


@pytest.fixture(autouse=True)
def _no_faults_left(emulator: Emulator) -> Iterator[None]:
    yield
    emulator.faults.clear()


def succeeded(workflow: Workflow, arn: str) -> dict[str, Any]:
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    told = dict(json.loads(ended["output"]))
    assert told["status"] == "SUCCEEDED"
    return told


def test_training_evaluation_and_deployment(
    emulator: Emulator,
    assembly: Path,
    cluster: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workflow = Workflow(emulator, assembly, "Nova-Sft")
    arn = workflow.upload()
    run_id = arn.rsplit(":", 1)[1]
    told = succeeded(workflow, arn)
    assert workflow.pointer()
    assert "-hp-" in told["checkpoint_uri"]
    facts = {job["stage"]: job for job in job_facts(workflow, run_id)}
    assert set(facts) == {"training", "evaluation-mmlu", "evaluation-gen_qa"}
    assert {(job["place"]["cluster_name"], job["place"]["namespace"]) for job in facts.values()} == {
        (CLUSTER, NAMESPACE)
    }
    assert workflow.jobs() == {}
    job = facts["training"]["name"]
    events = {event["type"]: event["detail"] for event in workflow.record(run_id)["ledger"]}
    assert events["checkpoint_resolved"]["platform"] == "SMHP"
    assert events["checkpoint_resolved"]["manifest"].endswith(f"/jobs/{job}/manifest.json")
    assert "/eval-result/results_" in events["evaluation_read"]["results_uri"]
    nothing_left(workflow, cluster)
    assert [str(call) for call in emulator.calls.denied()] == []
    monkeypatch.setenv("NOVA_STACK", "Nova-Sft")
    for name, value in workflow.emulator.environment.items():
        monkeypatch.setenv(name, value)

    def nova(*arguments: str) -> str:
        assert root.run(arguments) == 0
        return capsys.readouterr().out

    logs_are_read(nova, run_id, job)


def logs_are_read(nova: Callable[..., str], run_id: str, job: str) -> None:
    """Assert what `nova run show` and `nova logs` print of a run on the cluster."""
    shown = json.loads(nova("run", "show", run_id, "--json"))
    assert ("PyTorchJob", "SMHP") in {(each["kind"], each["platform"]) for each in shown["jobs"]}
    lines = [json.loads(line) for line in nova("logs", run_id, "--json").splitlines()]
    assert {line["stage"] for line in lines} == {"training", "evaluation-mmlu", "evaluation-gen_qa"}
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    training = [line for line in lines if line["stage"] == "training"]
    assert len({line["node"] for line in training}) == PLATFORM["instance_count"]
    steps = [json.loads(line) for line in nova("logs", run_id, "--metrics", "--json").splitlines()]
    assert steps
    assert all(step["loss"] > 0 and step["learning_rate"] for step in steps)
    where = ("--platform", "SMHP", "--cluster", CLUSTER, "--namespace", NAMESPACE)
    alone = [json.loads(line)["message"] for line in nova("logs", "--job-id", job, *where, "--json").splitlines()]
    assert alone == [line["message"] for line in training]


def test_continued_pre_training_with_nova_data_mixed_in(emulator: Emulator, assembly: Path, cluster: Any) -> None:
    workflow = Workflow(emulator, assembly, "Nova-Cpt")
    arn = workflow.upload(jsonl([{"text": f"In the year {n} it rained on {n} days."} for n in range(120)]))
    recipe = until(lambda: recipe_of(cluster), "the recipe of a job on the cluster")
    sources = recipe["data_mixing"]["sources"]
    assert sources["customer_data"]["percent"] == 60
    assert {name: share for name, share in sources["nova_data"].items() if share} == {"code": 30, "general": 70}
    succeeded(workflow, arn)
    nothing_left(workflow, cluster)


def recipe_of(cluster: Any) -> dict[str, Any] | None:
    """Return the recipe that the containers of the one job on the cluster read."""
    configs = [
        name for kind, name in own_objects(cluster) if kind == "ConfigMap" and name.startswith("training-config")
    ]
    found = cluster.get("ConfigMap", configs[0], NAMESPACE) if configs else None
    return dict(yaml.safe_load(found["data"]["config.yaml"])) if found else None


def reinforced(workflow: Workflow, cluster: Any, salt: str) -> str:
    """Start a run of reinforcement, wait until all objects of its job are there, and return its execution."""
    arn = workflow.upload(rewarded(salt=salt))
    until(
        lambda: len(own_objects(cluster)) >= sum(RFT_OBJECTS.values()) or None,
        lambda: f"{RFT_OBJECTS}; there are {Counter(kind for kind, _ in own_objects(cluster))}; {workflow.path(arn)}",
    )
    assert Counter(kind for kind, _ in own_objects(cluster)) == RFT_OBJECTS
    return arn


def test_reinforcement_leaves_no_object_when_it_succeeds(rft: Workflow, cluster: Any) -> None:
    succeeded(rft, reinforced(rft, cluster, "success"))
    nothing_left(rft, cluster)


def test_reinforcement_leaves_no_object_when_it_fails(rft: Workflow, cluster: Any) -> None:
    rft.emulator.faults.fail_job("training", "AlgorithmError: reward is NaN")
    ended = rft.finish(reinforced(rft, cluster, "failure"))
    assert (ended["status"], ended["error"]) == ("FAILED", "JobFailed"), ended.get("cause")
    nothing_left(rft, cluster)


def test_reinforcement_leaves_no_object_when_it_is_aborted(rft: Workflow, cluster: Any) -> None:
    rft.emulator.faults.never_finish("training")
    arn = reinforced(rft, cluster, "abort")
    rft.states.stop_execution(executionArn=arn, error="Stopped", cause="enough")
    assert rft.finish(arn)["status"] == "ABORTED"
    nothing_left(rft, cluster)
    [job] = job_facts(rft, arn.rsplit(":", 1)[1])
    assert (job["stage"], job["kind"]) == ("training", "PyTorchJob")

"""What decides whether a candidate serves: compared with production, or with the base model before there is any."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.training.training_support import archive, giant_header, link
from tests.workflow.harness import SPEED, Workflow, dataset, jsonl, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
GATE = {
    "criteria": [
        {"task": "mmlu", "floor": 0.2},
        {"kind": "not_worse_than_production", "task": "mmlu", "margin": 0.1},
        {"kind": "not_worse_than_production", "task": "gen_qa", "metric": "em", "margin": 0.45},
    ]
}
Assembly = Path


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("gated"), gate=GATE)


@pytest.fixture
def gated(assembly: Assembly) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)
        assert [f"{c.role_name} {c.action} {c.resource}" for c in emulator.calls.denied()] == []


def outcome(workflow: Workflow, body: bytes | None = None) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """Run once; return the output and the events of the ledger."""
    ended = workflow.run(body)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return json.loads(ended["output"]), workflow.record(ended["name"])["ledger"]


def found(events: list[Mapping[str, Any]]) -> dict[str, tuple[str, str | None]]:
    """Return what was decided about each model of comparison: the decision, and which model it is."""
    details = [event["detail"] for event in events if event["type"] == "baseline_found"]
    return {each["stage"]: (each["decision"], each.get("subject", {}).get("model")) for each in details}


def sets(events: list[Mapping[str, Any]]) -> dict[str, Any]:
    [frozen] = [event["detail"]["sets"] for event in events if event["type"] == "evaluation_sets_frozen"]
    return dict(frozen)


@contextmanager
def trained_to(workflow: Workflow, quality: float) -> Iterator[None]:
    """Let models trained in the block get this share of questions right; evaluations are told nothing."""
    state = workflow.emulator.state
    before = state.simulation

    def hook(request: Mapping[str, Any]) -> Mapping[str, Any]:
        trains = "nova-fine-tune" in str(request.get("AlgorithmSpecification"))
        return {"quality": quality} if trains else {}

    state.simulation = replace(before, hooks=(hook,))
    try:
        yield
    finally:
        state.simulation = before


def test_each_candidate_is_compared_with_what_serves_before_it(gated: Workflow) -> None:
    first, events = outcome(gated)
    assert first["status"] == "SUCCEEDED", first
    base = ("MEASURE", "base")
    assert found(events) == {"evaluation-mmlu-production": base, "evaluation-gen_qa-production": base}
    live = gated.pointer()
    assert live == first["pointer"]["after"]

    with trained_to(gated, 0.3):
        worse, events = outcome(gated)
    assert (worse["status"], worse["gate"]["verdict"]) == ("REJECTED", "FAILED")
    known = ("KNOWN", "production")
    assert found(events) == {"evaluation-mmlu-production": known, "evaluation-gen_qa-production": known}
    failed = {each["name"] for each in worse["gate"]["criteria"] if not each["passed"]}
    assert any("mmlu" in name for name in failed)
    assert gated.pointer() == live

    with trained_to(gated, 0.95):
        better, events = outcome(gated)
    assert better["status"] == "SUCCEEDED"
    assert better["pointer"]["before"] == live
    assert gated.pointer() == better["pointer"]["after"] != live


def test_production_is_measured_again_when_the_set_is_another(gated: Workflow) -> None:
    _, before = outcome(gated)
    gold = [{"query": f"What is {n} minus {n}?", "response": "0, of course"} for n in range(24)]
    gated.put("IncomingBucketName", "evaluation/gen_qa.jsonl", jsonl(gold))
    _, after = outcome(gated)
    assert sets(before)["gen_qa"]["sha256"] != sets(after)["gen_qa"]["sha256"]
    assert found(after) == {
        "evaluation-mmlu-production": ("KNOWN", "production"),
        "evaluation-gen_qa-production": ("MEASURE", "production"),
    }
    read = [event["detail"] for event in after if event["type"] == "evaluation_read"]
    asked = {each["model"]: (each["dataset_sha256"], each["samples"]) for each in read if each["task"] == "gen_qa"}
    assert asked == dict.fromkeys(("candidate", "production"), (sets(after)["gen_qa"]["sha256"], 24))


def test_rows_that_production_was_trained_on_do_not_decide(gated: Workflow) -> None:
    outcome(gated, jsonl([{"question": f"What is {n} plus {n}?", "answer": f"{2 * n}"} for n in range(8)]))
    with trained_to(gated, 0.95):  # twelve questions are few: a model that is no better may well be rejected
        second, events = outcome(gated)
    assert second["status"] == "SUCCEEDED"
    frozen = sets(events)["gen_qa"]
    assert (frozen["rows"], frozen["left_out"]) == (12, {"faulty": 0, "trained_on": 8})
    gated.put(
        "IncomingBucketName", "evaluation/gen_qa.jsonl", jsonl([{"query": "what is  3 PLUS 3?", "response": "6"}])
    )
    ended = gated.run()
    # The rows of the run that made production now are others: nothing is left out.
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


def test_a_set_of_nothing_but_trained_rows_fails_the_run(gated: Workflow) -> None:
    first, _ = outcome(gated, dataset(40))
    gated.put(
        "IncomingBucketName", "evaluation/gen_qa.jsonl", jsonl([{"query": "What is 3 times 3?", "response": "9"}])
    )
    ended = gated.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed")
    assert f"1 were trained on by {first['run_id']}" in ended["cause"]
    gated.nothing_left_running()


def job_fails(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("evaluation-mmlu")


def no_results(workflow: Workflow) -> None:
    workflow.emulator.faults.omit_output("evaluation-gen_qa")


@pytest.mark.parametrize(("inject", "words"), [(job_fails, "loss is NaN"), (no_results, "left no results")])
def test_without_every_score_nothing_is_deployed(
    gated: Workflow, inject: Callable[[Workflow], None], words: str
) -> None:
    inject(gated)
    ended = gated.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed")
    assert words in ended["cause"]
    assert gated.pointer() is None
    assert gated.emulator.client("bedrock").list_custom_models()["modelSummaries"] == []
    gated.nothing_left_running()


GOOD = {"x/eval_results/results_1.json": b'{"results": {"all": {"accuracy": 0.99, "accuracy_stderr": 0.001}}}'}
HOSTILE = {
    "outside of the output": archive({**GOOD, "../../../evaluations/known.json": b"{}"}),
    "a link to '/etc/passwd'": archive(GOOD, link("x/results_2.json", "/etc/passwd")),
    "a device or a pipe": archive(GOOD, link("x/results_2.json", "", tarfile.CHRTYPE)),
    "it is cut off": archive(GOOD)[:-9],
    "an extended header has": giant_header(),
}


def objects(workflow: Workflow) -> set[str]:
    """Return every object of the customization but those of single runs."""
    buckets = [f"{name}BucketName" for name in ("Incoming", "Prepared", "Quarantine", "Artifacts", "Audit")]
    found = [(bucket, workflow.s3.list_objects_v2(Bucket=workflow[bucket])) for bucket in buckets]
    named = [f"{bucket}/{each['Key']}" for bucket, page in found for each in page.get("Contents", ())]
    return {name for name in named if "/runs/" not in name}


def any_evaluation(_name: str, tags: Mapping[str, str]) -> bool:
    return tags.get("nova-constructs:stage", "").startswith("evaluation-")


def test_a_hostile_archive_ends_the_run_and_leaves_nothing(gated: Workflow) -> None:
    left = objects(gated)
    for words, content in HOSTILE.items():
        gated.emulator.faults.clear()
        gated.emulator.faults.replace_output(any_evaluation, content)
        ended = gated.finish(gated.start(mode="evaluate", model="base", force=True))
        assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed")
        assert words in ended["cause"]
        assert "evaluation_read" not in gated.events(ended["name"])
        own = f"runs/{ended['name']}/"
        listed = gated.s3.list_objects_v2(Bucket=gated["ArtifactsBucketName"], Prefix="runs/")["Contents"]
        folders = {each["Key"].removeprefix(own).split("/")[0] for each in listed if each["Key"].startswith(own)}
        assert {name for name in folders if not name.startswith("evaluation-")} <= {"hub", "jobs"}
    assert objects(gated) == left


def test_evaluations_run_at_the_same_time(gated: Workflow) -> None:
    outcome(gated)
    sagemaker = gated.emulator.client("sagemaker")
    described = [sagemaker.describe_training_job(TrainingJobName=name) for name in gated.jobs()]
    times = [
        (job["TrainingStartTime"], job["TrainingEndTime"])
        for job in described
        if "nova-evaluation" in job["AlgorithmSpecification"]["TrainingImage"]
    ]
    assert len(times) == 4  # two tasks of two models
    assert max(start for start, _ in times) < min(end for _, end in times)


def faulty(workflow: Workflow, name: str) -> None:
    """Put an evaluation set half of whose rows have no answer."""
    rows = [{"query": "What is 1 plus 1?", "response": "2"}, {"query": "What is 2 plus 2?"}]
    workflow.put("IncomingBucketName", f"evaluation/{name}.jsonl", jsonl(rows))


def test_a_faulty_evaluation_set_ends_the_run_before_anything_is_bought(gated: Workflow) -> None:
    outcome(gated)
    faulty(gated, "gen_qa")
    bought = gated.jobs()
    for start in (gated.upload, lambda: gated.start(mode="evaluate", model="base", force=True)):
        ended = gated.finish(start())
        assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed")
        assert "1 faulty rows of 2" in ended["cause"]
        assert gated.jobs() == bought
    gated.nothing_left_running()

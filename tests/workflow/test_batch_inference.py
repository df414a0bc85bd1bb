"""Batch inference on the emulator: rows in, rows out, in a run of its own and as a stage of a whole one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, jsonl, synthesize
from tests.workflow.paths import dataset_of
from tests.workflow.test_modes import finish, hyperparameters, jobs_of, upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ELSEWHERE = "nova-test-results"
STAGE = "uploads/every-run.jsonl"
GSM8K = Path(__file__).resolve().parents[3] / "shared" / "data" / "gsm8k" / "train.jsonl"
TRICKY = "It's \"quoted\", isn't it?\n\\n is not a line; é 𝄞 \u2028 ['x', 'y']"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization whose whole runs infer too."""
    columns = {"query": "question", "response": "answer"}
    inference = {"dataset": STAGE, "output_buckets": [ELSEWHERE], "data": {"columns": columns}}
    assembly = synthesize(tmp_path_factory.mktemp("inference"), batch_inference=inference)
    with Emulator(speed=SPEED) as emulator:
        made = Workflow(emulator, assembly)
        made.s3.create_bucket(Bucket=ELSEWHERE)
        made.put("IncomingBucketName", STAGE, dataset_of("every run"))
        yield made


@pytest.fixture(scope="module")
def first(workflow: Workflow) -> dict[str, Any]:
    """Return a whole run."""
    return finish(workflow, dataset=upload(workflow, "first"))


def results(workflow: Workflow, found: dict[str, Any]) -> list[dict[str, Any]]:
    bucket, _, key = found["inference"]["results_uri"].removeprefix("s3://").partition("/")
    body = workflow.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return [json.loads(line) for line in body.split(b"\n") if line]


def ask(workflow: Workflow, name: str, rows: list[dict[str, Any]], **asked: Any) -> dict[str, Any]:
    """Run batch inference on rows, and return its output with the results."""
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", jsonl(rows))
    place = f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl"
    # By force: several names may stand for the same model.
    found = finish(workflow, mode="batch_inference", dataset=place, force=True, **asked)
    return {**found, "results": results(workflow, found)}


def test_a_whole_run_answers_its_rows_before_it_deploys(workflow: Workflow, first: dict[str, Any]) -> None:
    assert first["status"] == "SUCCEEDED"
    path = first["path"]
    rows, train, answer = (path.index(name) for name in ("PrepareData-batch-inference", "Train", "AnswerRows"))
    assert rows < train < path.index("GateDecision") < answer < path.index("ImportModel")
    found = results(workflow, first)
    assert [row["query"] for row in found] == [f"every run: what is {n} plus one?" for n in range(20)]
    assert [row["gold_response"] for row in found] == [str(n + 1) for n in range(20)]
    place = f"s3://{workflow['ArtifactsBucketName']}/runs/{first['run']}/inference/inference_results.jsonl"
    assert first["inference"]["results_uri"] == place
    told = hyperparameters(workflow, first["run"], "batch-inference")
    assert told["base_model_location"] == first["checkpoint_uri"]


@pytest.mark.parametrize("kind", ["checkpoint", "run", "production", "base"])
def test_any_model_answers_and_nothing_is_deployed(workflow: Workflow, first: dict[str, Any], kind: str) -> None:
    asked = {
        "checkpoint": {"model_path": first["checkpoint_uri"]},
        "run": {"base_run": first["run"]},
        "production": {"model": "production"},
        "base": {"model": "base"},
    }[kind]
    production = workflow.pointer()
    texts = [TRICKY, "'", '"', "\\", "a\nb", " b ", "[]"]
    rows = [
        {"question": text, "answer": f"{n} {text}", "system": text, "metadata": text} for n, text in enumerate(texts)
    ]
    found = ask(workflow, f"any-{kind}", rows, **asked)
    assert [(row["query"], row["gold_response"], row["system"], row["metadata"]) for row in found["results"]] == [
        (text, f"{n} {text}", text, text) for n, text in enumerate(texts)
    ]
    assert jobs_of(workflow, found["run"]) == ["batch-inference"]
    assert found["evaluated"]["kind"] == kind
    assert found["path"][-5:] == ["AnswerRows", "ReadAnswers", "InferenceDone", "CloseRun", "RunSucceeded"]
    assert workflow.pointer() == production
    assert "batch_inference_read" in workflow.events(found["run"])


def test_results_go_where_the_input_says(workflow: Workflow, first: dict[str, Any]) -> None:
    rows = [{"question": "Where to?", "answer": "There"}]
    own = f"s3://{workflow['ArtifactsBucketName']}/inference/mine"
    for output in (f"s3://{ELSEWHERE}/some/place/", own):
        found = ask(workflow, "where", rows, base_run=first["run"], output=output)
        assert found["inference"]["results_uri"] == f"{output.rstrip('/')}/inference_results.jsonl"
        assert [row["query"] for row in found["results"]] == ["Where to?"]


def test_results_may_go_nowhere_else(workflow: Workflow, first: dict[str, Any]) -> None:
    place = upload(workflow, "nowhere")
    for bucket in ("some-other-bucket", workflow["AuditBucketName"], f"{workflow['ArtifactsBucketName']}/runs/x"):
        output = f"s3://{bucket}/"
        ended = workflow.finish(
            workflow.start(mode="batch_inference", dataset=place, base_run=first["run"], output=output)
        )
        assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
        assert f'output: received "{output}"; allowed: a folder under s3://' in ended["cause"]


def test_a_faulty_row_ends_the_run_before_any_job(workflow: Workflow, first: dict[str, Any]) -> None:
    workflow.put(
        "IncomingBucketName", "uploads/faulty.jsonl", jsonl([{"question": "a", "answer": "b"}, {"question": "a"}])
    )
    place = f"s3://{workflow['IncomingBucketName']}/uploads/faulty.jsonl"
    ended = workflow.finish(workflow.start(mode="batch_inference", dataset=place, base_run=first["run"]))
    assert (ended["status"], ended["error"]) == ("FAILED", "DatasetRejected")
    assert workflow.record(ended["name"])["jobs"] == []


def test_a_job_that_fails_fails_the_run(workflow: Workflow, first: dict[str, Any]) -> None:
    workflow.emulator.faults.fail_job(lambda name, tags: tags.get("nova-constructs:stage") == "batch-inference")
    place = upload(workflow, "failing")
    ended = workflow.finish(workflow.start(mode="batch_inference", dataset=place, base_run=first["run"]))
    assert ended["status"] == "FAILED"
    workflow.nothing_left_running()


def test_a_dry_run_writes_the_request_and_its_cost(workflow: Workflow, first: dict[str, Any]) -> None:
    place = upload(workflow, "dry")
    found = finish(workflow, mode="batch_inference", dataset=place, base_run=first["run"], dry_run=True)
    assert found["status"] == "DRY_RUN"
    bucket, _, key = found["report_uri"].removeprefix("s3://").partition("/")
    report = json.loads(workflow.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert [request["stage"] for request in report["requests"]] == ["batch-inference"]
    assert [job["stage"] for job in report["cost"]["jobs"]] == ["batch-inference"]


@pytest.mark.skipif(not GSM8K.is_file(), reason="the public data set is not here")
def test_7473_questions_come_back_as_7473_answers(workflow: Workflow, first: dict[str, Any]) -> None:
    rows = [json.loads(line) for line in GSM8K.read_bytes().splitlines()]
    found = ask(workflow, "gsm8k", rows, base_run=first["run"])
    assert (len(rows), found["inference"]["rows"], len(found["results"])) == (7473, 7473, 7473)
    assert [row["query"] for row in found["results"]] == [row["question"] for row in rows]
    assert [row["gold_response"] for row in found["results"]] == [row["answer"] for row in rows]

"""Scores of a HyperPod job lie in a folder; they are read with the care that archives get."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.catalog import Platform
from lambda_handlers.evaluation import output, results
from lambda_handlers.protocol.errors import EvaluationFailed
from tests.training.training_support import FOLDER, RUN, MemoryS3, Recorder

SCORES = json.dumps({"results": {"all": {"accuracy": 0.71, "accuracy_stderr": 0.01}}}).encode()
JOB = {"stage": "evaluation-mmlu", "kind": Platform.SMHP.job_kind, "name": "job-1", "arn": "arn:job"}
RESULTS = "eval-result/results_2026-01-01T00-00-00.json"


def read(files: dict[str, bytes], **more: Any) -> tuple[dict[str, Any], MemoryS3]:
    s3 = MemoryS3({f"{FOLDER}/{name}": content for name, content in files.items()})
    event = {
        "run": RUN,
        "task": {"task": "mmlu", "subtask": None, **more.pop("task", {})},
        "submitted": {"output_uri": FOLDER, "job": JOB},
        "subject": {"model": "candidate", "model_path": "s3://escrow/step_4"},
        "config": {"model": "NOVA_LITE_2"},
        **more,
    }
    return results.read_evaluation(event, s3=s3, artifacts_bucket="artifacts", ledger=Recorder()), s3


def test_scores_are_found_below_the_folder_of_the_job() -> None:
    record, _ = read({RESULTS: SCORES, "eval-result/details/model/x/details_mmlu_0.parquet": b"\0"})
    assert (record["metrics"], record["results_uri"]) == ({"accuracy": 0.71}, f"{FOLDER}/{RESULTS}")
    assert (record["raw_uri"], record["job"]) == (FOLDER, JOB)


def test_the_newest_of_several_results_counts_since_a_job_may_have_begun_again() -> None:
    older = json.dumps({"results": {"all": {"accuracy": 0.1}}}).encode()
    record, _ = read({RESULTS: SCORES, "eval-result/results_2025-12-31T00-00-00.json": older})
    assert record["metrics"] == {"accuracy": 0.71}


def test_every_row_of_the_set_has_to_be_answered() -> None:
    frozen = {"uri": "s3://prepared/gen_qa.jsonl", "sha256": "ab" * 32, "rows": 3}
    scores = json.dumps({"results": {"all": {"f1": 0.5}}}).encode()
    files = {RESULTS: scores, "eval-result/inference_output.jsonl": b"{}\n" * 3}
    record, _ = read(files, task={"task": "gen_qa"}, set=frozen)
    assert record["samples"] == 3
    with pytest.raises(EvaluationFailed, match="has 2 answers to 3 rows"):
        read({**files, "eval-result/inference_output.jsonl": b"{}\n" * 2}, task={"task": "gen_qa"}, set=frozen)


def test_records_for_tensorboard_are_kept() -> None:
    files = {RESULTS: SCORES, "tensorboard-results/eval/events.out": b"records"}
    record, s3 = read(files, task={"tensorboard": True})
    assert record["tensorboard_uri"] == "s3://artifacts/runs/run-1/evaluation-mmlu/tensorboard/"
    assert s3.objects[f"{record['tensorboard_uri']}eval/events.out"] == b"records"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, f"left no usable output: {FOLDER} is empty"),
        ({"manifest.json": b"{}"}, f"left no results: {FOLDER} has no results_"),
        ({RESULTS: b""}, f"The results {FOLDER}/{RESULTS} are not JSON"),
        ({RESULTS: b"[]"}, 'have no "results"'),
        ({RESULTS: b'{"results": {"all": {"accuracy": NaN}}}'}, "not a number"),
        ({RESULTS: SCORES, "../../../evaluations/known.json": b"{}"}, "outside of the output: nothing of it is used"),
    ],
)
def test_what_is_missing_or_wrong_fails_the_evaluation(files: dict[str, bytes], words: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        read(files)
    assert words in caught.value.message


def test_results_that_are_too_large_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_MOST_RESULTS", len(SCORES) - 1)
    with pytest.raises(EvaluationFailed, match=f"holds {RESULTS} of {len(SCORES)} bytes; at most"):
        read({RESULTS: SCORES})


def test_an_archive_where_the_job_ran_on_hyperpod_is_not_taken() -> None:
    from tests.training.training_support import archive

    with pytest.raises(EvaluationFailed, match="left no results"):
        read({"output/output.tar.gz": archive({RESULTS: SCORES})})

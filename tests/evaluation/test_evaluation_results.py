"""Scores are read from the container's archive; what is missing or no number fails the evaluation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.evaluation import results
from lambda_handlers.protocol.errors import EvaluationFailed
from tests.training.training_support import RUN, URI, MemoryS3, Recorder, archive

SCORES = {"accuracy": 0.71, "accuracy_stderr": 0.01}


def document(**entries: Any) -> bytes:
    return json.dumps({"config_general": {}, "results": entries, "versions": {}}).encode()


def scores(content: bytes, task: str = "mmlu") -> results.Scores:
    return results.parse_scores(content, task, "place")


@pytest.mark.parametrize("folder", ["demo/eval_results/", "eval-result/", "./demo/eval_results/", ""])
def test_scores_are_found_whatever_the_folder_is_called(folder: str) -> None:
    name = f"{folder}results_2026-01-01T00-00-00.json"
    s3 = MemoryS3({URI: archive({"demo/eval_results/inference_output.jsonl": b"x", name: document(all=SCORES)})})
    ledger = Recorder()
    job = {"stage": "evaluation-mmlu", "kind": "TrainingJob", "name": "job-1", "arn": "arn:job"}
    read = results.read_evaluation(
        {"run": RUN, "task": {"task": "mmlu", "subtask": None}, "submitted": {"output_uri": URI, "job": job}},
        s3=s3,
        ledger=ledger,
    )
    assert read == {
        "task": "mmlu",
        "subtask": None,
        "metrics": {"accuracy": 0.71},
        "stderr": {"accuracy": 0.01},
        "results_uri": f"{URI}#{name.removeprefix('./')}",
        "job": job,
    }
    [event] = ledger.events
    assert (event["type"], event["event_id"], event["detail"]) == ("evaluation_read", "evaluation-mmlu-read", read)


def test_the_newest_results_count() -> None:
    files = {
        "a/results_2026-01-02.json": document(all={"accuracy": 0.9}),
        "b/results_2026-01-01.json": document(all={"accuracy": 0.1}),
    }
    assert results.read_scores(MemoryS3({URI: archive(files)}), URI, "mmlu").metrics == {"accuracy": 0.9}


def test_all_comes_before_the_entry_of_the_task() -> None:
    content = document(**{"custom|mmlu_zs_cot|0": {"accuracy": 0.1}, "all": SCORES})
    assert scores(content).metrics == {"accuracy": 0.71}


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ("mmlu", "custom|mmlu_zs_cot|0"),
        ("gen_qa", "custom|gen_qa_gen_qa|0"),
        ("mmlu", "custom|mmlu:anatomy|0"),
        ("mmlu", "mmlu"),
    ],
)
def test_without_all_the_entry_of_the_task_counts(task: str, key: str) -> None:
    content = document(**{key: SCORES, "custom|other|0": {"accuracy": 0.1}, "all": {}})
    assert scores(content, task).metrics == {"accuracy": 0.71}


def test_the_scores_of_another_task_do_not_count() -> None:
    with pytest.raises(
        EvaluationFailed, match=r'neither "all" nor one entry for mmlu; entries: custom\|mmlu_pro_zs_cot'
    ):
        scores(document(**{"custom|mmlu_pro_zs_cot|0": SCORES}))


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"0.7"', "true", "null", "[1]"])
def test_a_score_that_is_no_number_is_refused(value: str) -> None:
    content = f'{{"results": {{"all": {{"accuracy": {value}}}}}}}'.encode()
    with pytest.raises(EvaluationFailed, match=r"place give accuracy as .*, which is not a number"):
        scores(content)


def test_a_standard_error_that_is_no_number_is_left_out() -> None:
    content = b'{"results": {"all": {"accuracy": 0.5, "accuracy_stderr": NaN}}}'
    assert (scores(content).metrics, scores(content).stderr) == ({"accuracy": 0.5}, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "are not JSON"), (b"[]", 'have no "results"'), (document(), "entries: none"), (b"[" * 100_000, "not JSON")],
)
def test_broken_results_fail_the_evaluation(content: bytes, words: str) -> None:
    with pytest.raises(EvaluationFailed, match=words):
        scores(content)


def test_missing_output_is_named() -> None:
    with pytest.raises(EvaluationFailed, match=rf"evaluation mmlu left no usable output: {URI} does not exist"):
        results.read_scores(MemoryS3(), URI, "mmlu")
    with pytest.raises(EvaluationFailed, match=rf"{URI} has no results_"):
        results.read_scores(MemoryS3({URI: archive({"manifest.json": b"{}"})}), URI, "mmlu")

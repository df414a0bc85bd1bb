"""Evaluation jobs: the archive in the shapes AWS documents, scores that follow from the model and nothing else."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambda_handlers.catalog.subtasks import MMLU as MMLU_SUBTASKS
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators import text_metrics
from nova_constructs.emulator.simulators.training_data import read_chats
from tests.emulator import sim_support as support
from tests.emulator.sim_support import World, channel, evaluation_request, finish, prepare

MMLU = {"task": "mmlu", "strategy": "zs_cot", "metric": "accuracy", "subtask": ""}
GEN_QA = {"task": "gen_qa", "strategy": "gen_qa", "metric": "all"}
FAST = Simulation(training_seconds=600, evaluation_seconds=200)


@pytest.fixture
def world() -> Iterator[World]:
    with support.running(FAST) as running:
        prepare(running)
        yield running


def evaluated(world: World, name: str, evaluation: dict[str, Any], location: str | None, **changes: Any) -> Any:
    """Run an evaluation and return the results document and the archive."""
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**evaluation_request(world, name, evaluation, location, **changes))
    job = finish(sagemaker, name)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    files = support.archive(world.client("s3"), name)
    (path,) = [each for each in files if each.startswith("exam/eval_results/results_")]
    return json.loads(files[path]), files


def test_a_benchmark_gives_its_metric_under_the_documented_keys(world: World) -> None:
    uri = support.trained(world)
    results, files = evaluated(world, "exam-1", MMLU, uri)
    subtasks = {f"custom|mmlu_zs_cot:{name}|0" for name in MMLU_SUBTASKS}
    assert set(results["results"]) == {"custom|mmlu_zs_cot|0", "all"} | subtasks
    assert {settings["effective_num_docs"] for settings in results["config_tasks"].values()} == {17, 57 * 17}
    assert set(results["results"]["all"]) == {"accuracy", "accuracy_stderr"}
    assert results["results"]["all"]["accuracy"] == pytest.approx(0.8, abs=0.02)
    assert results["config_general"]["model_name"] == uri
    assert "total_evaluation_time_secondes" in results["config_general"]
    assert results["versions"]["custom|mmlu_zs_cot|0"] == 0
    assert any(name.startswith("exam/tensorboard_results/") for name in files)
    assert not any(name.endswith("inference_output.jsonl") for name in files)


def test_scores_follow_from_data_and_model_alone(world: World) -> None:
    one, two = support.trained(world, "demo-1"), support.trained(world, "demo-2")
    world.client("s3").put_object(Bucket="work", Key="run/train.jsonl", Body=support.dataset(11))
    other = support.trained(world, "demo-3")
    scores = [evaluated(world, f"exam-{n}", MMLU, uri)[0]["results"]["all"] for n, uri in enumerate((one, two, other))]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]


def test_quality_moves_the_scores() -> None:
    with support.running(Simulation(training_seconds=600, evaluation_seconds=200, quality=0.3)) as world:
        prepare(world)
        results, _ = evaluated(world, "exam", MMLU, support.trained(world))
        assert results["results"]["all"]["accuracy"] == pytest.approx(0.3, abs=0.02)


def test_own_questions_are_answered_and_measured(world: World) -> None:
    uri = support.trained(world)
    rows = [
        {"query": f"What's {n} plus {n}?", "response": f"It is {2 * n}.", "system": "Be 'brief'"} for n in range(40)
    ]
    rows[0]["metadata"] = "m"
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    world.client("s3").put_object(Bucket="work", Key="eval/gen_qa.jsonl", Body=body)
    inputs = [channel("recipe", "s3://work/exam/"), channel("train", "s3://work/eval/gen_qa.jsonl")]
    results, files = evaluated(world, "exam", GEN_QA, uri, InputDataConfig=inputs)
    scores = results["results"]["custom|gen_qa_gen_qa|0"]
    names = {"rouge1", "rouge2", "rougeL", "em", "qem", "f1", "f1_score_quasi", "bleu"}
    assert set(scores) == names | {f"{name}_stderr" for name in names}
    assert 0.5 < scores["em"] < 1.0
    lines = [json.loads(line) for line in files["exam/eval_results/inference_output.jsonl"].splitlines()]
    assert len(lines) == 40
    assert ast.literal_eval(lines[1]["prompt"]) == [
        {"role": "system", "content": "Be 'brief'"},
        {"role": "user", "content": "What's 1 plus 1?"},
    ]
    (inference,) = ast.literal_eval(lines[1]["inference"])
    assert inference.startswith("<|begin_of_solution|>")
    assert inference.endswith("<|end_of_solution|>")
    assert lines[0]["metadata"] == "m"
    assert "metadata" not in lines[1]
    right = sum(f"<|begin_of_solution|>{line['gold']}<|end_of_solution|>" in line["inference"] for line in lines)
    assert scores["em"] == pytest.approx(right / 40)


@pytest.mark.parametrize(
    ("evaluation", "reason"),
    [
        ({"task": "mm_llm_judge", "strategy": "judge", "metric": "all"}, "task 'mm_llm_judge' is not available"),
        (GEN_QA, "Input channel 'train' is required"),
    ],
)
def test_an_evaluation_that_cannot_run_fails(world: World, evaluation: dict[str, Any], reason: str) -> None:
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**evaluation_request(world, "exam", evaluation))
    job = finish(sagemaker, "exam")
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_a_file_of_another_name_is_not_found(world: World) -> None:
    world.client("s3").put_object(Bucket="work", Key="eval/questions.jsonl", Body=b"{}\n")
    inputs = [channel("recipe", "s3://work/exam/"), channel("train", "s3://work/eval/questions.jsonl")]
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**evaluation_request(world, "exam", GEN_QA, InputDataConfig=inputs))
    assert "gen_qa.jsonl was not found" in finish(sagemaker, "exam")["FailureReason"]


def test_only_a_checkpoint_in_escrow_is_evaluated(world: World) -> None:
    sagemaker = world.client("sagemaker")
    location = "s3://customer-escrow-123456789012-smtj-00000000/x/step_1"
    sagemaker.create_training_job(**evaluation_request(world, "exam", MMLU, location))
    assert f"Model checkpoint not found: {location}" in finish(sagemaker, "exam")["FailureReason"]


def test_results_can_be_left_out(world: World) -> None:
    world.faults.omit_output("exam")
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**evaluation_request(world, "exam", MMLU))
    assert finish(sagemaker, "exam")["TrainingJobStatus"] == "Completed"
    assert not any("results_2" in name for name in support.archive(world.client("s3"), "exam"))


def test_an_archive_can_be_another(world: World) -> None:
    world.faults.replace_output("exam", b"no archive")
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**evaluation_request(world, "exam", MMLU))
    assert finish(sagemaker, "exam")["TrainingJobStatus"] == "Completed"
    left = world.client("s3").get_object(Bucket="work", Key="jobs/exam/output/output.tar.gz")
    assert left["Body"].read() == b"no archive"


def test_text_metrics_of_known_cases() -> None:
    same = text_metrics.scores("The answer is 4", "The answer is 4")
    assert {name: round(value, 6) for name, value in same.items()} == {
        "rouge1": 1.0,
        "rouge2": 1.0,
        "rougeL": 1.0,
        "em": 1.0,
        "qem": 1.0,
        "f1": 1.0,
        "f1_score_quasi": 1.0,
        "bleu": 100.0,
    }
    part = text_metrics.scores("a b c d", "a x c d")
    assert (part["rouge1"], part["rougeL"], part["em"]) == (0.75, 0.75, 0.0)
    assert part["rouge2"] == pytest.approx(1 / 3)
    assert text_metrics.scores("nothing", "shared here")["bleu"] == 0.0
    assert text_metrics.mean_and_error([1.0]) == (1.0, 0.0)
    assert text_metrics.mean_and_error([0.0, 1.0]) == (0.5, 0.5)


def test_chat_rows_of_reinforcement_data_are_read() -> None:
    row = {"messages": [{"role": "user", "content": "2+2?"}], "reference_answer": "4"}
    data = read_chats({"rft.jsonl": json.dumps(row).encode()})
    assert (data.rows, data.examples) == (1, (("2+2?", "4"),))

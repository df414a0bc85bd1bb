"""Batch inference in the template: its states, what its functions may do, and what is refused at synth."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nova_constructs.checks import ConfigurationError
from tests.constructs.test_state_machine import walk

Template = dict[str, Any]
BUCKET = "nova-results"
MODEL = "amazon.nova-2-lite-v1:0"
ARN = "arn:aws:bedrock:us-east-1:111122223333"
BEDROCK = {"through": "bedrock", "model_id": MODEL}
PLATFORM = {"type": "SMTJ", "instance_type": "ml.p5.48xlarge", "instance_count": 1}


@pytest.fixture(scope="module")
def made(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    return synthesize({**entry, "batch_inference": {"output_buckets": [BUCKET]}})["Nova-Support"]


@pytest.fixture(scope="module")
def alone(definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
    return definition_of({**entry, "batch_inference": {}})


@pytest.fixture(scope="module")
def staged(definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
    return definition_of({**entry, "batch_inference": {"dataset": "uploads/answer.jsonl"}})


def chosen(definition: dict[str, Any], name: str, mode: str) -> str:
    """Return where a choice sends a run in a mode; where it never names the mode, its default."""
    state = definition["States"][name]
    for choice in state["Choices"]:
        if f'"{mode}"' in json.dumps(choice):
            return str(choice["Next"])
    return str(state["Default"])


def test_a_run_of_its_own_prepares_answers_and_ends(alone: dict[str, Any]) -> None:
    begin = chosen(alone, "PlanDecision", "batch_inference")
    not_cut = alone["States"]["DataIsCut-batch-inference"]["Default"]
    assert walk(alone, {"PlanDecision": begin, "DataIsCut-batch-inference": not_cut}) == [
        *("PlanRun", "PlanDecision", "PrepareData-batch-inference", "DataIsCut-batch-inference"),
        *("DataReady-batch-inference", "AnswerRows", "ReadAnswers", "CloseRun", "RunSucceeded"),
    ]


def test_without_data_of_its_own_a_whole_run_does_not_infer(alone: dict[str, Any], staged: dict[str, Any]) -> None:
    gates = {name: each["States"]["GateDecision"]["Choices"][0]["Next"] for name, each in
             {"alone": alone, "staged": staged}.items()}  # fmt: skip
    assert gates == {"alone": "ImportModel", "staged": "AnswerRows"}


def test_a_stage_has_its_rows_ready_before_training_and_answers_before_deployment(staged: dict[str, Any]) -> None:
    assert chosen(staged, "DataDone", "full") == "PrepareData-batch-inference"
    assert chosen(staged, "DataDone", "train") == "Train"
    assert chosen(staged, "RowsReady", "batch_inference") == "AnswerRows"
    assert chosen(staged, "InferenceDone", "full") == "ImportModel"
    assert chosen(staged, "InferenceDone", "batch_inference") == "CloseRun"


def test_rows_are_checked_by_the_rules_of_gen_qa_and_none_may_be_faulty(alone: dict[str, Any]) -> None:
    given = alone["States"]["PrepareData-batch-inference"]["Parameters"]
    assert given["dataset.$"] == "$.plan.batch_inference.dataset"
    assert (given["config"]["method"], given["config"]["max_reject_ratio"]) == ("EVALUATION", 0)


def test_every_state_of_it_is_caught(staged: dict[str, Any]) -> None:
    for name in ("PrepareData-batch-inference", "AnswerRows", "ReadAnswers"):
        assert staged["States"][name]["Catch"][0]["Next"] == "CloseFailedRun"


def test_results_are_written_there_and_nowhere_else(made: Template) -> None:
    role = next(name for name in made["Resources"] if name.startswith("SupportBatchInferenceReadRoleDefaultPolicy"))
    statements = made["Resources"][role]["Properties"]["PolicyDocument"]["Statement"]
    by_sid = {each["Sid"]: each for each in statements}
    assert len(by_sid) == len(statements)
    assert by_sid["WriteElsewhere"]["Action"] == ["s3:AbortMultipartUpload", "s3:PutObject"]
    assert f":s3:::{BUCKET}/*" in json.dumps(by_sid["WriteElsewhere"]["Resource"])
    written = [each["Fn::Join"][1][-1] for each in by_sid["WriteResults"]["Resource"]]
    assert sorted(written) == ["/inference/*", "/runs/*/inference/*"]


def test_without_buckets_of_ones_own_nothing_elsewhere_may_be_written(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    text = json.dumps(synthesize({**entry, "batch_inference": {}}))
    assert "WriteElsewhere" not in text
    assert "submit_batch_inference" in text


def test_a_customization_without_it_has_none_of_it(template: Template) -> None:
    assert "batch_inference" not in json.dumps({k: v for k, v in template["Resources"].items() if "Function" in k})


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"through": "bedrock"},
            "model_id is missing, which through bedrock needs: use the base model as Bedrock calls",
        ),
        ({**BEDROCK, "model_id": "amazon.nova-lite-v1:0"}, "and this customization's model is NOVA_LITE_2: use"),
        ({**BEDROCK, "model_id": f"{ARN}:custom-model/imported/abcdefghij12"}, "checkpoint is not documented: use the"),
        ({**BEDROCK, "model_id": f"{ARN}:custom-model-deployment/abcdefghij12"}, "model is NOVA_LITE_2: use the base"),
        ({**BEDROCK, "model_id": f"{ARN}:foundation-model/us.{MODEL}"}, "model is NOVA_LITE_2: use the base"),
        ({**BEDROCK, "dataset": "uploads/a.jsonl"}, "through bedrock asks the base model only: leave dataset out"),
        ({**BEDROCK, "timeout_hours": 23}, "timeout_hours is 23: use 24 to 168"),
        (
            {**BEDROCK, "overrides": {"max_length": 1}},
            "overrides names 'max_length': through bedrock takes max_new_tok",
        ),
        ({**BEDROCK, "platform": PLATFORM}, "platform is given, but through bedrock has no instances"),
        ({"model_id": MODEL}, "which only through bedrock has: leave it out"),
        ({"through": "batch"}, "through is 'batch': use training_job or bedrock"),
        ({"dataset": "evaluation/a.jsonl"}, "dataset is 'evaluation/a.jsonl': use a key under datasets/ or uploads/"),
        ({"output_buckets": ["s3://a/b"]}, "output_buckets names 's3://a/b': use the name of a bucket"),
        ({"data": {"dedupe": True}}, "data has split, dedupe, limit or no_leak, but every row is answered"),
        ({"overrides": {"top_p": None}}, "top_p is null"),
        (
            {"platform": {"type": "SMTJ", "instance_type": "ml.p5.48xlarge", "instance_count": 1, "mlflow": {}}},
            "its platform has mlflow, which tracks training alone",
        ),
    ],
)
def test_what_cannot_work_is_refused_at_synth(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any], settings: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        synthesize({**entry, "batch_inference": settings})
    [problem] = error.value.problems
    assert problem.startswith("batch_inference: ")
    assert why in problem


def test_it_counts_against_the_ceiling_at_synth(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    ceiling = {"usd": 100_000, "prices": {"ml.p5.48xlarge": 50.0, "ml.p5en.48xlarge": 5000.0}}
    platform = {"type": "SMTJ", "instance_type": "ml.p5en.48xlarge", "instance_count": 1}
    with pytest.raises(ConfigurationError, match=r"batch-inference 1 x ml\.p5en\.48xlarge"):
        synthesize({**entry, "cost_ceiling": ceiling, "batch_inference": {"platform": platform}})

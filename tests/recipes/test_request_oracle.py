"""What we send and what the SageMaker SDK sends for the same recipe and inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from lambda_handlers.catalog import MODELS, Platform, evaluation_task, method
from lambda_handlers.jobs.training_request import training_request
from lambda_handlers.recipes import Recipe, documents, hub, render
from tests.recipes.oracle_support import (
    CHECKPOINT,
    KEY,
    OUTPUT,
    RECIPE_PREFIX,
    ROLE,
    SCORER,
    all_differences,
    channels,
    differences,
    sent,
    written_down,
)

HERE = Path(__file__).resolve()
SHARED = HERE.parents[3] / "shared"  # reference material, where it lies beside the checkout


@dataclass(frozen=True, kw_only=True)
class Case:
    """Say what an oracle was asked for: the recipe, by model and work, and the values given."""

    model: str
    work: str
    instance_type: str = "ml.p5.48xlarge"
    instance_count: int = 1
    data_uri: str | None = None
    validation_uri: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)


MLFLOW = {
    "resource_arn": "arn:aws:sagemaker:us-east-1:111122223333:mlflow-app/app-1",
    "experiment": "support",
    "run": "first",
}
SFT_DATA = "s3://my-data/train.jsonl"
CASES = {
    "sft-v2-lora": Case(
        model="NOVA_LITE_2",
        work="SFT_LORA",
        instance_count=4,
        data_uri=SFT_DATA,
        overrides={"max_steps": 100, "save_steps": 100},
    ),
    "sft-v1-micro": Case(
        model="NOVA_MICRO",
        work="SFT_LORA",
        instance_type="ml.g5.12xlarge",
        data_uri=SFT_DATA,
        validation_uri="s3://my-data/val.jsonl",
    ),
    "rft-smtj": Case(
        model="NOVA_LITE_2",
        work="RFT_LORA",
        instance_count=4,
        data_uri="s3://my-data/rft.jsonl",
        overrides={"max_steps": 5, "save_steps": 5},
    ),
    "eval-mmlu": Case(model="NOVA_LITE_2", work="mmlu", arguments={"model_name_or_path": CHECKPOINT}),
    "eval-byod-lambda": Case(
        model="NOVA_LITE_2", work="gen_qa", data_uri="s3://my-data/gen_qa.jsonl", arguments={"lambda_arn": SCORER}
    ),
    "eval-rft": Case(model="NOVA_LITE_2", work="rft_eval", data_uri="s3://my-data/rft.jsonl"),
}
IN_SNAPSHOT = [name for name in CASES if name != "eval-rft"]


def _oracle(name: str) -> dict[str, Any]:
    return dict(json.loads((HERE.parent / "oracle" / f"{name}.json").read_text(encoding="utf-8")))


def _data_type(work: str) -> str:
    return method(work).data_type if work.isupper() else "S3Prefix"


def _rendered(case: Case, sagemaker: Any, s3: Any) -> tuple[hub.HubRecipe, Recipe]:
    content = hub.fetch(sagemaker, MODELS[case.model])
    work = method(case.work) if case.work.isupper() else evaluation_task(case.work)
    recipe = hub.select(content, work, Platform.SMTJ, case.instance_type)
    return recipe, render(*hub.load_template(s3, recipe), case.arguments, case.overrides)


def _request(name: str, recipe: Mapping[str, Any], mlflow: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the request that reaches SageMaker: the body, as the driver of training jobs sends it."""
    case, theirs = CASES[name], _oracle(name)["request"]
    body = training_request(
        image_uri=theirs["AlgorithmSpecification"]["TrainingImage"],
        role_arn=ROLE,
        instance_type=case.instance_type,
        instance_count=case.instance_count,
        volume_size_gb=30,
        max_runtime_seconds=86400,
        max_pending_seconds=7200,
        output_uri=OUTPUT,
        recipe_prefix_uri=RECIPE_PREFIX,
        recipe_file="recipe.yaml",
        recipe=recipe,
        data_uri=case.data_uri,
        data_type=_data_type(case.work),
        validation_uri=case.validation_uri,
        kms_key_id=KEY,
        mlflow=mlflow,
    )
    return sent(body)


@pytest.mark.parametrize("name", CASES)
def test_requests_differ_only_where_it_is_written_down(name: str) -> None:
    oracle = _oracle(name)
    ours = _request(name, documents.load(oracle["recipe"]))
    assert differences(ours, oracle["request"]) <= written_down()


def test_every_difference_written_down_is_one() -> None:
    oracles = {name: _oracle(name) for name in CASES}
    pairs = [(_request(name, documents.load(oracle["recipe"])), oracle["request"]) for name, oracle in oracles.items()]
    tracked = _request("sft-v2-lora", documents.load(oracles["sft-v2-lora"]["recipe"]), MLFLOW)
    assert all_differences([*pairs, (tracked, oracles["sft-v2-lora"]["request"])]) == written_down()


def test_channels_come_in_the_order_of_the_sdk() -> None:
    for name in CASES:
        oracle = _oracle(name)
        assert channels(_request(name, documents.load(oracle["recipe"]))) == channels(oracle["request"])


@pytest.mark.parametrize("name", IN_SNAPSHOT)
def test_the_recipe_rendered_from_the_hub_is_the_one_the_sdk_uploads(name: str, sagemaker: Any, s3: Any) -> None:
    recipe, rendered = _rendered(CASES[name], sagemaker, s3)
    oracle = _oracle(name)
    assert rendered.yaml_text == oracle["recipe"]
    assert recipe.image_uri == oracle["request"]["AlgorithmSpecification"]["TrainingImage"]
    assert not differences(_request(name, rendered.values), _request(name, documents.load(oracle["recipe"])))


def test_the_request_names_the_recipe_and_the_model() -> None:
    ours = _request("eval-mmlu", documents.load(_oracle("eval-mmlu")["recipe"]))
    assert ours["HyperParameters"] == {
        "model_type": "amazon.nova-2-lite-v1:0:256k",
        "base_model_location": CHECKPOINT,
        "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
    }
    assert ours["InputDataConfig"][-1]["DataSource"]["S3DataSource"]["S3Uri"] == RECIPE_PREFIX


def test_what_is_not_given_is_not_sent() -> None:
    body = training_request(
        image_uri="i",
        role_arn="r",
        instance_type="ml.p5.48xlarge",
        instance_count=4,
        volume_size_gb=30,
        max_runtime_seconds=3600,
        max_pending_seconds=None,
        output_uri="s3://b/o",
        recipe_prefix_uri=RECIPE_PREFIX,
        recipe_file="recipe.yaml",
        recipe={"run": {"model_type": "t", "model_name_or_path": "nova-lite-2/prod"}},
        data_uri=None,
        data_type=None,
    )
    assert body["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert body["OutputDataConfig"] == {"S3OutputPath": "s3://b/o"}
    assert [channel["ChannelName"] for channel in body["InputDataConfig"]] == ["recipe"]


def test_what_the_service_model_does_not_know_is_not_sent() -> None:
    with pytest.raises(ParamValidationError, match="Unknown parameter in input"):
        sent({"Surprise": 1})


@pytest.mark.skipif(not (SHARED / "reference" / "oracle").is_dir(), reason="no reference beside this checkout")
@pytest.mark.parametrize("name", CASES)
def test_the_copies_kept_here_are_the_reference(name: str) -> None:
    path = SHARED / "reference" / "oracle" / f"v2-pytorch-nova-{name}.json"
    reference = json.loads(path.read_text(encoding="utf-8"))
    kept = _oracle(name)
    assert kept["sdk"] == reference["sdk"]
    assert kept["request"] == reference["request"]
    assert kept["recipe"] == reference["uploads"][0]["content"]

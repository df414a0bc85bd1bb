"""What we send and what the SageMaker SDK sends for the same recipe and inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import botocore.session
import pytest
from botocore.validate import validate_parameters

from lambda_handlers.catalog import MODELS, Platform, evaluation_task, method
from lambda_handlers.jobs import training_jobs
from lambda_handlers.jobs.training_request import training_request
from lambda_handlers.recipes import Recipe, documents, hub, render

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
SHARED = HERE.parents[3] / "shared"  # reference material, where it lies beside the checkout
SCORER = "arn:aws:lambda:us-east-1:111122223333:function:scorer"
CHECKPOINT = "s3://customer-escrow-111122223333-smtj-abc123/job/step_4"
KEY = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
RECIPE_PREFIX = "s3://artifacts/runs/run-1/training/recipe/"


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


def _request(name: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that reaches SageMaker: the body, as the driver of training jobs sends it."""
    case, theirs = CASES[name], _oracle(name)["request"]
    body = training_request(
        image_uri=theirs["AlgorithmSpecification"]["TrainingImage"],
        role_arn="arn:aws:iam::111122223333:role/Exec",
        instance_type=case.instance_type,
        instance_count=case.instance_count,
        volume_size_gb=30,
        max_runtime_seconds=86400,
        max_pending_seconds=7200,
        output_uri="s3://my-out/prefix",
        recipe_prefix_uri=RECIPE_PREFIX,
        recipe_file="recipe.yaml",
        recipe=recipe,
        data_uri=case.data_uri,
        data_type=_data_type(case.work),
        validation_uri=case.validation_uri,
        kms_key_id=KEY,
    )
    return _as_created(body)


class _Recorder:
    """Stand in for the SageMaker client and keep the request."""

    request: dict[str, Any]

    def create_training_job(self, **request: Any) -> dict[str, str]:
        self.request = request
        return {"TrainingJobArn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/x"}


def _as_created(body: dict[str, Any]) -> dict[str, Any]:
    recorder = _Recorder()
    with patch.object(training_jobs, "client", return_value=recorder):
        driver = training_jobs.TrainingJobs()
        driver.create("demo-0123456789", body, "digest", {"nova-constructs:run": "run-1"})
    return recorder.request


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its path; channels go by their names, so that order does not matter."""
    if path == "Tags":
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _flat(item, f"{path}[{item['ChannelName']}]")
    else:
        yield path, value


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> set[str]:
    left, right = dict(_flat(ours)), dict(_flat(theirs))
    absent = object()
    return {path for path in left | right if left.get(path, absent) != right.get(path, absent)}


def _written_down() -> set[str]:
    text = (ROOT / "docs" / "oracle-differences.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


@pytest.mark.parametrize("name", CASES)
def test_requests_differ_only_where_it_is_written_down(name: str) -> None:
    oracle = _oracle(name)
    ours = _request(name, documents.load(oracle["recipe"]))
    assert _differences(ours, oracle["request"]) <= _written_down()


def test_every_difference_written_down_is_one() -> None:
    found = set()
    for name in CASES:
        oracle = _oracle(name)
        found |= _differences(_request(name, documents.load(oracle["recipe"])), oracle["request"])
    assert found == _written_down()


def test_channels_come_in_the_order_of_the_sdk() -> None:
    for name in CASES:
        oracle = _oracle(name)
        ours = _request(name, documents.load(oracle["recipe"]))
        names = [channel["ChannelName"] for channel in ours["InputDataConfig"]]
        assert names == [channel["ChannelName"] for channel in oracle["request"]["InputDataConfig"]]


@pytest.mark.parametrize("name", IN_SNAPSHOT)
def test_the_recipe_rendered_from_the_hub_is_the_one_the_sdk_uploads(name: str, sagemaker: Any, s3: Any) -> None:
    recipe, rendered = _rendered(CASES[name], sagemaker, s3)
    oracle = _oracle(name)
    assert rendered.yaml_text == oracle["recipe"]
    assert recipe.image_uri == oracle["request"]["AlgorithmSpecification"]["TrainingImage"]
    assert not _differences(_request(name, rendered.values), _request(name, documents.load(oracle["recipe"])))


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


@pytest.mark.parametrize("name", CASES)
def test_the_service_model_accepts_the_request(name: str) -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model("CreateTrainingJob").input_shape
    validate_parameters(_request(name, documents.load(_oracle(name)["recipe"])), shape)


@pytest.mark.skipif(not (SHARED / "reference" / "oracle").is_dir(), reason="no reference beside this checkout")
@pytest.mark.parametrize("name", CASES)
def test_the_copies_kept_here_are_the_reference(name: str) -> None:
    path = SHARED / "reference" / "oracle" / f"v2-pytorch-nova-{name}.json"
    reference = json.loads(path.read_text(encoding="utf-8"))
    kept = _oracle(name)
    assert kept["sdk"] == reference["sdk"]
    assert kept["request"] == reference["request"]
    assert kept["recipe"] == reference["uploads"][0]["content"]

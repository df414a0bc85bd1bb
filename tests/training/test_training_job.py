"""The training job uses the recipe that was planned, on the data that was prepared."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.training import job
from tests.training.training_support import RUN, MemoryS3

RECIPE = b"run:\n  model_type: amazon.nova-2-lite-v1:0:256k\n  model_name_or_path: nova-lite-2/prod\n"
RECIPE_URI = "s3://artifacts-bucket/runs/run-1/training/recipe/recipe.yaml"
EVENT: dict[str, Any] = {
    "run": RUN,
    "train_uri": "s3://prepared-bucket/runs/run-1/train.jsonl",
    "recipe": {
        "recipe_prefix_uri": "s3://artifacts-bucket/runs/run-1/training/recipe/",
        "recipe_file": "recipe.yaml",
        "image_uri": "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-V2-latest",
        "recipe_sha256": hashlib.sha256(RECIPE).hexdigest(),
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
        "alternatives": [],
    },
    "config": {
        "model": "NOVA_LITE_2",
        "method": "SFT_LORA",
        "deadline_seconds": 90000,
        "training": {
            "platform": "SMTJ",
            "instance_type": "ml.p5.48xlarge",
            "instance_count": 4,
            "max_runtime_seconds": 86400,
            "max_pending_seconds": 7200,
            "volume_size_gb": None,
        },
    },
}


def request(objects: dict[str, bytes], **settings: Any) -> dict[str, Any]:
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "key_arn": "arn:key"}
    config = {**EVENT["config"], "training": {**EVENT["config"]["training"], **settings}}
    [made] = job.requests({**EVENT, "config": config}, s3=MemoryS3(objects), **places)
    return made


def test_the_request_follows_from_the_plan() -> None:
    made = request({RECIPE_URI: RECIPE})
    assert made["ResourceConfig"] == {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4, "VolumeSizeInGB": 30}
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400, "MaxPendingTimeInSeconds": 7200}
    output = {"S3OutputPath": "s3://artifacts-bucket/runs/run-1/jobs", "KmsKeyId": "arn:key"}
    assert made["OutputDataConfig"] == output
    assert made["RoleArn"] == "arn:role"
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in made["InputDataConfig"]}
    assert (channels["train"]["S3Uri"], channels["train"]["S3DataType"]) == (EVENT["train_uri"], "Converse")
    assert channels["recipe"]["S3Uri"] == EVENT["recipe"]["recipe_prefix_uri"]
    assert made["HyperParameters"]["base_model"] == "nova-lite-2/prod"


def channels(**event: Any) -> dict[str, Any]:
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "key_arn": "arn:key"}
    [made] = job.requests({**EVENT, **event}, s3=MemoryS3({RECIPE_URI: RECIPE}), **places)
    return {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in made["InputDataConfig"]}


def test_rows_put_aside_for_validation_have_their_channel() -> None:
    uri = "s3://prepared-bucket/runs/run-1/validation.jsonl"
    made = channels(validation={"uri": uri, "rows": 4})
    assert (made["validation"]["S3Uri"], made["validation"]["S3DataType"]) == (uri, "Converse")
    assert set(made) == {"train", "validation", "recipe"}


def test_without_a_row_for_validation_there_is_no_channel() -> None:
    assert set(channels(validation={"uri": "s3://b/empty.jsonl", "rows": 0})) == {"train", "recipe"}
    assert set(channels()) == {"train", "recipe"}


def test_a_recipe_that_was_changed_since_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match=r"recipe\.yaml was changed after the run was planned"):
        request({RECIPE_URI: RECIPE + b"#"})


def test_a_recipe_that_was_removed_since_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match=r"recipe\.yaml was removed"):
        request({})


def test_each_choice_of_instances_has_a_request_with_its_own_recipe() -> None:
    other, folder = RECIPE + b"  replicas: 8\n", "s3://artifacts-bucket/runs/run-1/training-alternative-2/recipe/"
    planned = EVENT["recipe"]
    alternative = {
        **{name: planned[name] for name in ("recipe_file", "image_uri")},
        "recipe_prefix_uri": folder,
        "recipe_sha256": hashlib.sha256(other).hexdigest(),
        "instance_type": "ml.p5en.48xlarge",
        "instance_count": 8,
    }
    event = {**EVENT, "recipe": {**planned, "alternatives": [alternative]}}
    objects = {RECIPE_URI: RECIPE, f"{folder}recipe.yaml": other}
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "key_arn": "arn:key"}
    first, second = job.requests(event, s3=MemoryS3(objects), **places)
    assert first == request({RECIPE_URI: RECIPE})
    assert second["ResourceConfig"] == {
        "InstanceType": "ml.p5en.48xlarge", "InstanceCount": 8, "VolumeSizeInGB": 30,
    }  # fmt: skip
    recipe = next(each for each in second["InputDataConfig"] if each["ChannelName"] == "recipe")
    assert recipe["DataSource"]["S3DataSource"]["S3Uri"] == folder
    changed = {**objects, f"{folder}recipe.yaml": RECIPE}
    with pytest.raises(RecipeInvalid, match=r"training-alternative-2/recipe/recipe\.yaml was changed"):
        job.requests(event, s3=MemoryS3(changed), **places)


SHA = "1" * 64
KNOWN: dict[str, Any] = {
    **EVENT,
    "train_sha256": SHA,
    "recipe": {
        **EVENT["recipe"],
        "recipe_identity": "i1",
        "functions": {},
        "alternatives": [{"recipe_identity": "i2"}],
    },
}


def test_the_contents_of_each_choice_are_what_its_request_names_by_place_alone() -> None:
    first, second = job.contents(KNOWN)
    assert (first["recipe"], second["recipe"]) == ("i1", "i2")
    assert {**first, "recipe": "i2"} == second
    assert (first["data"], first["method"], first["validation"], first["functions"]) == (SHA, "SFT_LORA", "none", {})
    assert None not in first.values()


@pytest.mark.parametrize(
    ("change", "part", "expected"),
    [
        ({"validation": {"uri": "s3://b/v", "rows": 3, "sha256": "v"}}, "validation", "v"),
        ({"validation": {"uri": "s3://b/v", "rows": 0, "sha256": "v"}}, "validation", "none"),
        ({"checkpoint": {"uri": "s3://c", "platform": "SMTJ"}}, "model", "s3://c"),
        ({"train_sha256": "2"}, "data", "2"),
        ({"recipe": {**KNOWN["recipe"], "functions": {"arn:f": "code"}}}, "functions", {"arn:f": "code"}),
        ({"recipe": {**KNOWN["recipe"], "functions": {"arn:f": None}}}, "functions", None),
        ({"recipe": EVENT["recipe"]}, "functions", None),
    ],
)
def test_contents_tell_what_differs_and_what_is_not_known(change: dict[str, Any], part: str, expected: Any) -> None:
    found = job.contents({**KNOWN, **change})[0]
    assert found[part] == expected
    others = {name: value for name, value in found.items() if name not in (part, "recipe")}
    assert others.items() <= job.contents(KNOWN)[0].items()

"""A further stage trains by the recipe that was planned, from the checkpoint of the stage before it, or not at all."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import yaml

from lambda_handlers.protocol.errors import JobFailed, RecipeInvalid
from lambda_handlers.training import job
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from tests.training.test_training_job import EVENT
from tests.training.training_support import MemoryS3

FOLDER = "s3://artifacts-bucket/runs/run-1/training-rl"
PLANNED, FINISHED = f"{FOLDER}/planned/recipe/recipe.yaml", f"{FOLDER}/recipe/recipe.yaml"
CHECKPOINT = "s3://customer-escrow-123456789012-smtj-abc/job-1/checkpoints/192"


def recipe(path: str = CHECKPOINT_TO_COME) -> bytes:
    also = f"training_config:\n  reference: {{path: {path}, others: [{path}x, {path}]}}\n"
    return f"run:\n  model_type: amazon.nova-2-lite-v1:0:256k\n  model_name_or_path: {path}\n{also}".encode()


def requests(s3: MemoryS3, checkpoint: Any, planned: bytes | None = None, **more: Any) -> list[dict[str, Any]]:
    choice = {
        **EVENT["recipe"],
        "recipe_prefix_uri": f"{FOLDER}/recipe/",
        "planned_recipe_uri": PLANNED,
        "recipe_sha256": hashlib.sha256(planned or recipe()).hexdigest(),
    }
    event = {**EVENT, "stage": "rl", "recipe": {**choice, **more}, "checkpoint": checkpoint}
    return job.requests(event, s3=s3, role_arn="arn:role", artifacts_bucket="artifacts-bucket", key_arn="arn:key")


def test_the_checkpoint_stands_where_it_was_planned_to_in_recipe_and_request() -> None:
    s3 = MemoryS3({PLANNED: recipe()})
    [made] = requests(s3, {"uri": CHECKPOINT, "platform": "SMTJ"})
    assert made["HyperParameters"]["base_model_location"] == CHECKPOINT
    assert "base_model" not in made["HyperParameters"]
    [channel] = [each for each in made["InputDataConfig"] if each["ChannelName"] == "recipe"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == f"{FOLDER}/recipe/"
    written = yaml.safe_load(s3.objects[FINISHED])
    assert written["run"]["model_name_or_path"] == CHECKPOINT
    # Exactly the stand-in is replaced, wherever the recipe has it.
    assert written["training_config"]["reference"] == {
        "path": CHECKPOINT,
        "others": [f"{CHECKPOINT_TO_COME}x", CHECKPOINT],
    }
    assert s3.objects[PLANNED] == recipe()


def test_a_repeated_call_makes_the_same_request_and_the_same_recipe() -> None:
    s3, checkpoint = MemoryS3({PLANNED: recipe()}), {"uri": CHECKPOINT, "platform": "SMTJ"}
    first, text = requests(s3, checkpoint), s3.objects[FINISHED]
    assert (requests(s3, checkpoint), s3.objects[FINISHED]) == (first, text)


def test_every_choice_of_instances_goes_on_from_the_checkpoint() -> None:
    other = "s3://artifacts-bucket/runs/run-1/training-rl-alternative-2"
    s3 = MemoryS3({PLANNED: recipe(), f"{other}/planned/recipe/recipe.yaml": recipe()})
    alternative = {
        **EVENT["recipe"],
        "recipe_prefix_uri": f"{other}/recipe/",
        "planned_recipe_uri": f"{other}/planned/recipe/recipe.yaml",
        "recipe_sha256": hashlib.sha256(recipe()).hexdigest(),
        "instance_count": 8,
    }
    made = requests(s3, {"uri": CHECKPOINT, "platform": "SMTJ"}, alternatives=[alternative])
    assert [each["ResourceConfig"]["InstanceCount"] for each in made] == [4, 8]
    assert {each["HyperParameters"]["base_model_location"] for each in made} == {CHECKPOINT}
    assert s3.objects[f"{other}/recipe/recipe.yaml"] == s3.objects[FINISHED]


@pytest.mark.parametrize(
    "checkpoint",
    [None, {}, {"uri": None}, {"uri": ""}, {"uri": "nova-lite-2/prod"}, {"uri": "s3://bucket"}, CHECKPOINT],
)
def test_without_a_checkpoint_there_is_no_request_and_no_recipe(checkpoint: Any) -> None:
    s3 = MemoryS3({PLANNED: recipe()})
    with pytest.raises(
        JobFailed, match="training-rl goes on from the checkpoint of the stage before it, and that left"
    ):
        requests(s3, checkpoint)
    assert FINISHED not in s3.objects


def test_a_recipe_that_has_no_place_for_the_checkpoint_is_refused() -> None:
    planned = recipe("nova-lite-2/prod")
    with pytest.raises(RecipeInvalid, match="training-rl has 'nova-lite-2/prod' as model_name_or_path"):
        requests(MemoryS3({PLANNED: planned}), {"uri": CHECKPOINT}, planned)


def test_a_planned_recipe_that_was_changed_since_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match=r"planned/recipe/recipe\.yaml was changed after the run was planned"):
        requests(MemoryS3({PLANNED: recipe() + b"#"}), {"uri": CHECKPOINT}, recipe())

"""What a platform asks for beyond the SDK's request reaches CreateTrainingJob, and nothing where nothing is asked."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, patch

import botocore.session
import pytest
from botocore.validate import validate_parameters

from lambda_handlers.jobs import training_jobs
from lambda_handlers.jobs.training_request import training_request
from tests.training.test_training_job import RECIPE, RECIPE_URI
from tests.training.test_training_job import request as training_job

KEY = "arn:aws:kms:us-east-1:111122223333:key/volumes"
SETTINGS: dict[str, Any] = {
    "vpc": {"subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]},
    "volume_key_arn": KEY,
    "encrypt_traffic": True,
    "environment": {"NCCL_DEBUG": "INFO"},
    "tags": {"team": "support"},
    "keep_alive_seconds": 1800,
    "tensorboard": True,
}
ARN = "arn:aws:sagemaker:us-east-1:111122223333:mlflow-app/app-ABC123"


PLAIN = {"run": {"model_type": "t", "model_name_or_path": "nova-lite-2/prod"}}


def request(
    options: dict[str, Any], mlflow: dict[str, str] | None = None, recipe: dict[str, Any] = PLAIN
) -> dict[str, Any]:
    return training_request(
        image_uri="i",
        role_arn="arn:aws:iam::111122223333:role/Exec",
        instance_type="ml.p3.16xlarge",
        instance_count=2,
        volume_size_gb=30,
        max_runtime_seconds=3600,
        max_pending_seconds=None,
        output_uri="s3://b/o",
        recipe_prefix_uri="s3://b/r/",
        recipe_file="recipe.yaml",
        recipe=recipe,
        data_uri=None,
        data_type=None,
        options=options,
        mlflow=mlflow,
    )


def test_each_option_is_the_member_that_the_service_documents() -> None:
    made, plain = request(SETTINGS), request({})
    assert made["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert made["ResourceConfig"] == {
        **plain["ResourceConfig"],
        "VolumeKmsKeyId": KEY,
        "KeepAlivePeriodInSeconds": 1800,
    }
    assert made["EnableInterContainerTrafficEncryption"] is True
    assert made["Environment"] == {"NCCL_DEBUG": "INFO"}
    assert made["Tags"] == [{"Key": "team", "Value": "support"}]
    assert made["TensorBoardOutputConfig"] == {"LocalPath": "/opt/ml/output/tensorboard", "S3OutputPath": "s3://b/o"}
    added = {
        "VpcConfig", "EnableInterContainerTrafficEncryption", "Environment", "Tags", "TensorBoardOutputConfig"
    }  # fmt: skip
    assert set(made) - set(plain) == added
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob")
    validate_parameters({**made, "TrainingJobName": "n"}, shape.input_shape)


@pytest.mark.parametrize("option", SETTINGS)
def test_what_is_not_asked_for_is_not_sent(option: str) -> None:
    without = {name: value for name, value in SETTINGS.items() if name != option}
    text = str(request(without))
    marks = {
        "vpc": "VpcConfig",
        "volume_key_arn": "VolumeKmsKeyId",
        "encrypt_traffic": "EnableInterContainerTrafficEncryption",
        "environment": "Environment",
        "tags": "Tags",
        "keep_alive_seconds": "KeepAlivePeriodInSeconds",
        "tensorboard": "TensorBoardOutputConfig",
    }
    assert marks[option] not in text
    assert all(mark in text for name, mark in marks.items() if name != option)


@pytest.mark.parametrize("processor", [None, "none", []])
def test_a_section_that_an_own_recipe_leaves_empty_names_no_function(processor: Any) -> None:
    assert "eval_lambda_arn" not in request({}, recipe={**PLAIN, "processor": processor})["HyperParameters"]


def test_a_job_is_told_where_to_track_only_by_sagemaker() -> None:
    made = request({}, {"resource_arn": ARN, "experiment": "support", "run": "run-1"})
    assert made.pop("MlflowConfig") == {
        "MlflowResourceArn": ARN,
        "MlflowExperimentName": "support",
        "MlflowRunName": "run-1",
    }
    assert made == request({}) == request({}, {"uri": "https://mlflow.example.com", "experiment": "e", "run": "r"})


def test_tags_of_the_user_stand_beside_ours() -> None:
    client = Mock(**{"create_training_job.return_value": {"TrainingJobArn": "arn"}})
    with patch.object(training_jobs, "client", return_value=client):
        training_jobs.TrainingJobs().create("demo-1", request(SETTINGS), "digest", {"nova-constructs:run": "run-1"})
    sent = client.create_training_job.call_args.kwargs
    assert sent["Tags"] == [{"Key": "team", "Value": "support"}, {"Key": "nova-constructs:run", "Value": "run-1"}]


def test_the_training_stage_passes_the_options_of_its_platform() -> None:
    made = training_job({RECIPE_URI: RECIPE}, vpc=SETTINGS["vpc"])
    assert made["VpcConfig"]["SecurityGroupIds"] == ["sg-1"]

"""Permissions that a call needs beside its own: passed roles, tags, keys; and keys of conditions."""

from __future__ import annotations

from typing import Any

import pytest

from nova_constructs.emulator.iam.actions import Encryption, needs
from nova_constructs.emulator.iam.errors import EvaluationError
from tests.emulator.iam_support import KEY_ARN, ROLE_ARN, FixedFacts, api_call, pairs

HERE = "us-east-1:123456789012"
DEPLOYMENT = f"arn:aws:bedrock:{HERE}:custom-model-deployment/abcdefghijkl"
MODEL = f"arn:aws:bedrock:{HERE}:custom-model/imported/abcdefghijkl"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:nova"
TABLE = f"arn:aws:dynamodb:{HERE}:table/jobs"
PLAIN = Encryption(key_arn=KEY_ARN)


def test_a_training_job_with_tags_needs_add_tags_and_pass_role() -> None:
    job = f"arn:aws:sagemaker:{HERE}:training-job/demo"
    found = needs(
        api_call(
            "sagemaker",
            "CreateTrainingJob",
            TrainingJobName="demo",
            RoleArn=ROLE_ARN,
            Tags=[{"Key": "nova-constructs:run", "Value": "r1"}],
            ResourceConfig={"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
    )

    assert pairs(found) == [
        ("sagemaker:CreateTrainingJob", job),
        ("sagemaker:AddTags", job),
        ("iam:PassRole", ROLE_ARN),
    ]
    create, tag, role = found
    assert create.context["aws:RequestTag/nova-constructs:run"] == "r1"
    assert create.context["aws:TagKeys"] == ("nova-constructs:run",)
    assert create.context["sagemaker:InstanceTypes"] == ("ml.p5.48xlarge",)
    assert create.context["sagemaker:MaxRuntimeInSeconds"] == "3600"
    assert tag.context["sagemaker:TaggingAction"] == "CreateTrainingJob"
    assert role.context["iam:PassedToService"] == "sagemaker.amazonaws.com"
    assert role.context["iam:AssociatedResourceArn"] == job


def test_a_training_job_without_tags_needs_no_add_tags() -> None:
    found = needs(api_call("sagemaker", "CreateTrainingJob", TrainingJobName="demo", RoleArn=ROLE_ARN))

    assert [need.action for need in found] == ["sagemaker:CreateTrainingJob", "iam:PassRole"]


def test_a_model_of_a_package_needs_the_package_and_no_role() -> None:
    package = f"arn:aws:sagemaker:{HERE}:model-package/models/1"
    source = {"modelPackageArnDataSource": {"modelPackageArn": package}}
    found = needs(api_call("bedrock", "CreateCustomModel", modelName="demo", customModelDataSource=source))

    assert pairs(found)[1:] == [
        ("sagemaker:DescribeModelPackage", package),
        ("sagemaker:AccessModelPackageData", package),
    ]
    for name in (package, "models/1"):
        described = needs(api_call("sagemaker", "DescribeModelPackage", ModelPackageName=name))
        assert pairs(described) == [("sagemaker:DescribeModelPackage", package)]


def test_asking_a_model_with_a_key_of_its_own_needs_the_key_through_bedrock() -> None:
    asked = api_call("bedrock", "Converse", FixedFacts(model_keys={DEPLOYMENT: KEY_ARN}), modelId=DEPLOYMENT)
    found = needs(asked)

    assert pairs(found) == [
        ("bedrock:InvokeModel", DEPLOYMENT),
        ("kms:Decrypt", KEY_ARN),
        ("kms:GenerateDataKey", KEY_ARN),
    ]
    assert {need.context.get("kms:ViaService") for need in found[1:]} == {"bedrock.us-east-1.amazonaws.com"}


def test_a_volume_key_needs_a_grant() -> None:
    found = needs(
        api_call("sagemaker", "CreateTrainingJob", TrainingJobName="demo", ResourceConfig={"VolumeKmsKeyId": KEY_ARN})
    )

    assert [need.action for need in found] == ["sagemaker:CreateTrainingJob", "kms:CreateGrant", "kms:DescribeKey"]
    assert found[1].context["kms:GrantIsForAWSResource"] == "true"


def test_importing_a_model_is_checked_on_the_new_one() -> None:
    found = needs(
        api_call(
            "bedrock",
            "CreateCustomModel",
            modelName="m",
            roleArn=ROLE_ARN,
            modelTags=[{"key": "stage", "value": "import"}],
        )
    )

    assert pairs(found) == [
        ("bedrock:CreateCustomModel", f"arn:aws:bedrock:{HERE}:custom-model/imported/000000000000"),
        ("bedrock:TagResource", f"arn:aws:bedrock:{HERE}:custom-model/imported/000000000000"),
        ("iam:PassRole", ROLE_ARN),
    ]
    assert found[0].context["aws:RequestTag/stage"] == "import"
    assert found[2].context["iam:PassedToService"] == "bedrock.amazonaws.com"


def test_models_and_deployments_are_found_by_name_and_absent_ones_left_to_the_service() -> None:
    facts = FixedFacts(models={"m": MODEL, MODEL: MODEL, "d": DEPLOYMENT})
    update = api_call(
        "bedrock", "UpdateCustomModelDeployment", facts, modelArn=MODEL, customModelDeploymentIdentifier="d"
    )

    for identifier in ("m", MODEL):
        found = needs(api_call("bedrock", "GetCustomModel", facts, modelIdentifier=identifier))
        assert pairs(found) == [("bedrock:GetCustomModel", MODEL)]
    assert pairs(needs(update)) == [
        ("bedrock:UpdateCustomModelDeployment", MODEL),
        ("bedrock:UpdateCustomModelDeployment", DEPLOYMENT),
    ]
    assert needs(api_call("bedrock", "GetCustomModel", facts, modelIdentifier="none")) == []


@pytest.mark.parametrize(
    ("service", "operation", "params", "passed_to"),
    [
        ("states", "CreateStateMachine", {"name": "nova", "roleArn": ROLE_ARN}, "states.amazonaws.com"),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE_ARN}, "lambda.amazonaws.com"),
        ("scheduler", "CreateSchedule", {"Name": "s", "Target": {"RoleArn": ROLE_ARN}}, "scheduler.amazonaws.com"),
        ("events", "PutTargets", {"Rule": "r", "Targets": [{"RoleArn": ROLE_ARN}]}, "events.amazonaws.com"),
    ],
)
def test_roles_are_passed(service: str, operation: str, params: dict[str, Any], passed_to: str) -> None:
    passed = needs(api_call(service, operation, **params))[-1]

    assert (passed.action, passed.resource) == ("iam:PassRole", ROLE_ARN)
    assert passed.context["iam:PassedToService"] == passed_to


def test_a_task_token_is_checked_on_its_state_machine() -> None:
    facts = FixedFacts(tokens={"token": MACHINE})

    assert pairs(needs(api_call("states", "SendTaskSuccess", facts, taskToken="token"))) == [
        ("states:SendTaskSuccess", MACHINE)
    ]
    assert needs(api_call("states", "SendTaskSuccess", facts, taskToken="unknown")) == []


def test_an_encrypted_table_needs_its_key() -> None:
    facts = FixedFacts(tables={"jobs": PLAIN})
    found = needs(api_call("dynamodb", "PutItem", facts, TableName="jobs", Item={}))

    assert pairs(found) == [("dynamodb:PutItem", TABLE), ("kms:Decrypt", KEY_ARN)]
    assert found[1].context["kms:ViaService"] == "dynamodb.us-east-1.amazonaws.com"
    assert found[1].context["kms:EncryptionContext:aws:dynamodb:tableName"] == "jobs"
    assert found[1].context["kms:EncryptionContext:aws:dynamodb:subscriberId"] == "123456789012"


@pytest.mark.parametrize(
    ("operation", "params", "leading"),
    [
        ("PutItem", {"TableName": "jobs", "Item": {"run_id": {"S": "r1"}, "x": {"S": "y"}}}, ("r1",)),
        ("GetItem", {"TableName": "jobs", "Key": {"run_id": {"S": "r1"}}}, ("r1",)),
        (
            "BatchGetItem",
            {"RequestItems": {"jobs": {"Keys": [{"run_id": {"S": "b"}}, {"run_id": {"S": "a"}}]}}},
            ("a", "b"),
        ),
        (
            "Query",
            {
                "TableName": "jobs",
                "KeyConditionExpression": "#k = :v AND stage = :s",
                "ExpressionAttributeNames": {"#k": "run_id"},
                "ExpressionAttributeValues": {":v": {"S": "r1"}, ":s": {"S": "t"}},
            },
            ("r1",),
        ),
    ],
)
def test_leading_keys(operation: str, params: dict[str, Any], leading: tuple[str, ...]) -> None:
    facts = FixedFacts(partition_keys={("jobs", None): "run_id"})
    keys = needs(api_call("dynamodb", operation, facts, **params))[0].context["dynamodb:LeadingKeys"]

    assert callable(keys)
    assert keys() == leading


def test_leading_keys_that_cannot_be_read_are_an_error() -> None:
    facts = FixedFacts(partition_keys={("jobs", None): "run_id"})
    keys = needs(api_call("dynamodb", "Query", facts, TableName="jobs"))[0].context["dynamodb:LeadingKeys"]

    assert callable(keys)
    with pytest.raises(EvaluationError, match="partition key"):
        keys()


def test_an_encrypted_queue_and_topic_need_their_keys() -> None:
    queue, topic = f"arn:aws:sqs:{HERE}:q", f"arn:aws:sns:{HERE}:t"
    facts = FixedFacts(queues={queue: PLAIN}, topics={topic: PLAIN})
    sent = needs(api_call("sqs", "SendMessage", facts, QueueUrl="http://x/123456789012/q"))
    published = needs(api_call("sns", "Publish", facts, TopicArn=topic))

    assert [need.action for need in sent] == ["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"]
    assert [need.action for need in published] == ["sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"]


def test_a_secure_string_is_refused() -> None:
    with pytest.raises(EvaluationError, match="SecureString"):
        needs(api_call("ssm", "PutParameter", Name="p", Type="SecureString"))

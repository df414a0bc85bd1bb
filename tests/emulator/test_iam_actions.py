"""Which permissions a call needs, as AWS's Service Authorization Reference says."""

from __future__ import annotations

from typing import Any

import pytest

from nova_constructs.emulator.iam.actions import needs
from nova_constructs.emulator.iam.errors import EvaluationError, UnknownOperationError
from tests.emulator.iam_support import KEY_ARN, ROLE_ARN, api_call, pairs

HERE = "us-east-1:123456789012"
DEPLOYMENT = f"arn:aws:bedrock:{HERE}:custom-model-deployment/abcdefghijkl"
MODEL = f"arn:aws:bedrock:{HERE}:custom-model/imported/abcdefghijkl"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:nova"
EXECUTION = f"arn:aws:states:{HERE}:execution:nova:run-1"
TABLE = f"arn:aws:dynamodb:{HERE}:table/jobs"


CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("lambda", "Invoke", {"FunctionName": "plan"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:plan")]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "plan", "Qualifier": "3"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:plan:3")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": f"arn:aws:lambda:{HERE}:function:plan:7"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:plan:7")],
    ),
    ("states", "StartExecution", {"stateMachineArn": MACHINE}, [("states:StartExecution", MACHINE)]),
    ("states", "DescribeExecution", {"executionArn": EXECUTION}, [("states:DescribeExecution", EXECUTION)]),
    ("states", "StopExecution", {"executionArn": EXECUTION}, [("states:StopExecution", EXECUTION)]),
    (
        "sagemaker",
        "DescribeTrainingJob",
        {"TrainingJobName": "Demo-1"},
        [("sagemaker:DescribeTrainingJob", f"arn:aws:sagemaker:{HERE}:training-job/demo-1")],
    ),
    (
        "sagemaker",
        "ListTags",
        {"ResourceArn": f"arn:aws:sagemaker:{HERE}:training-job/demo-1"},
        [("sagemaker:ListTags", f"arn:aws:sagemaker:{HERE}:training-job/demo-1")],
    ),
    (
        "sagemaker",
        "DescribeHubContent",
        {"HubName": "SageMakerPublicHub", "HubContentType": "Model", "HubContentName": "nova-textgeneration-lite-v2"},
        [
            ("sagemaker:DescribeHubContent", "arn:aws:sagemaker:us-east-1:aws:hub/SageMakerPublicHub"),
            (
                "sagemaker:DescribeHubContent",
                "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/nova-textgeneration-lite-v2",
            ),
        ],
    ),
    ("bedrock", "Converse", {"modelId": DEPLOYMENT}, [("bedrock:InvokeModel", DEPLOYMENT)]),
    (
        "bedrock",
        "InvokeModel",
        {"modelId": "amazon.nova-lite-v1:0"},
        [("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0")],
    ),
    (
        "bedrock",
        "CreateCustomModelDeployment",
        {"modelArn": MODEL, "modelDeploymentName": "d"},
        [("bedrock:CreateCustomModelDeployment", MODEL)],
    ),
    (
        "ssm",
        "GetParameter",
        {"Name": "/nova/pointer"},
        [("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/nova/pointer")],
    ),
    (
        "ssm",
        "PutParameter",
        {"Name": "pointer", "Value": "x"},
        [("ssm:PutParameter", f"arn:aws:ssm:{HERE}:parameter/pointer")],
    ),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "j/algo-1"},
        [("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/sagemaker/TrainingJobs:log-stream:j/algo-1")],
    ),
    (
        "logs",
        "DescribeLogStreams",
        {"logGroupName": "g"},
        [("logs:DescribeLogStreams", f"arn:aws:logs:{HERE}:log-group:g:log-stream:")],
    ),
    (
        "events",
        "PutEvents",
        {"Entries": [{"Source": "x"}]},
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default")],
    ),
    (
        "scheduler",
        "GetSchedule",
        {"Name": "s"},
        [("scheduler:GetSchedule", f"arn:aws:scheduler:{HERE}:schedule/default/s")],
    ),
    (
        "sqs",
        "DeleteMessage",
        {"QueueUrl": "http://localhost:1/123456789012/q"},
        [("sqs:DeleteMessage", f"arn:aws:sqs:{HERE}:q")],
    ),
    (
        "ecr",
        "BatchGetImage",
        {"registryId": "708977205387", "repositoryName": "nova"},
        [("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:708977205387:repository/nova")],
    ),
    ("ecr", "GetAuthorizationToken", {}, [("ecr:GetAuthorizationToken", "*")]),
    ("cloudwatch", "PutMetricData", {"Namespace": "Nova"}, [("cloudwatch:PutMetricData", "*")]),
    ("kms", "Sign", {"KeyId": "alias/nova"}, [("kms:Sign", KEY_ARN)]),
    ("sts", "GetCallerIdentity", {}, []),
    ("sts", "AssumeRole", {"RoleArn": ROLE_ARN, "RoleSessionName": "x"}, [("sts:AssumeRole", ROLE_ARN)]),
    ("dynamodb", "GetItem", {"TableName": "jobs", "Key": {}}, [("dynamodb:GetItem", TABLE)]),
    ("dynamodb", "Query", {"TableName": "jobs", "IndexName": "open"}, [("dynamodb:Query", f"{TABLE}/index/open")]),
    ("dynamodb", "Scan", {"TableName": TABLE}, [("dynamodb:Scan", TABLE)]),
    (
        "dynamodb",
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {"TableName": "jobs", "Item": {}}},
                {"Update": {"TableName": "jobs", "Key": {}}},
                {"Delete": {"TableName": "runs", "Key": {}}},
                {"ConditionCheck": {"TableName": "jobs", "Key": {}}},
            ]
        },
        [
            ("dynamodb:PutItem", TABLE),
            ("dynamodb:UpdateItem", TABLE),
            ("dynamodb:DeleteItem", f"arn:aws:dynamodb:{HERE}:table/runs"),
            ("dynamodb:ConditionCheckItem", TABLE),
        ],
    ),
    ("dynamodb", "BatchGetItem", {"RequestItems": {"jobs": {"Keys": []}}}, [("dynamodb:BatchGetItem", TABLE)]),
    (
        "dynamodb",
        "ExecuteStatement",
        {"Statement": 'SELECT * FROM "jobs"."open" WHERE a = 1'},
        [("dynamodb:PartiQLSelect", f"{TABLE}/index/open")],
    ),
    (
        "dynamodb",
        "ExecuteStatement",
        {"Statement": "INSERT INTO jobs VALUE {'a': 1}"},
        [("dynamodb:PartiQLInsert", TABLE)],
    ),
    (
        "dynamodb",
        "ExecuteStatement",
        {"Statement": "update jobs set a=1 where b=2"},
        [("dynamodb:PartiQLUpdate", TABLE)],
    ),
    ("dynamodb", "ExecuteStatement", {"Statement": "DELETE FROM jobs WHERE a=1"}, [("dynamodb:PartiQLDelete", TABLE)]),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), CASES)
def test_needs(service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert pairs(needs(api_call(service, operation, **params))) == expected


@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "CreateGlobalTable"), ("sagemaker", "CreateCluster"), ("ec2", "RunInstances")],
)
def test_an_operation_without_a_row_is_an_error(service: str, operation: str) -> None:
    with pytest.raises(UnknownOperationError, match=f"does not know {service}:{operation}"):
        needs(api_call(service, operation))


def test_a_call_without_its_resource_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="without TableName"):
        needs(api_call("dynamodb", "GetItem"))

"""Which permissions a call needs, as AWS's Service Authorization Reference says."""

from __future__ import annotations

from typing import Any

import pytest

from nova_constructs.emulator.iam.actions import ApiCall, Encryption, Need, S3Request, needs, s3_needs
from nova_constructs.emulator.iam.errors import EvaluationError, UnknownOperationError
from tests.emulator.iam_support import KEY_ARN, ROLE_ARN, FixedFacts, api_call

HERE = "us-east-1:123456789012"
DEPLOYMENT = f"arn:aws:bedrock:{HERE}:custom-model-deployment/abcdefghijkl"
MODEL = f"arn:aws:bedrock:{HERE}:custom-model/imported/abcdefghijkl"
MACHINE = f"arn:aws:states:{HERE}:stateMachine:nova"
EXECUTION = f"arn:aws:states:{HERE}:execution:nova:run-1"
TABLE = f"arn:aws:dynamodb:{HERE}:table/jobs"
BUCKET = Encryption(key_arn=KEY_ARN, bucket_key=True)
PLAIN = Encryption(key_arn=KEY_ARN)


def pairs(found: list[Need]) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in found]


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


OBJECT = "arn:aws:s3:::data/in/train.jsonl"


def s3(
    method: str, *, key: str = "in/train.jsonl", facts: FixedFacts | None = None, body: bytes = b"", **query: str
) -> list[Need]:
    headers = {name[2:].replace("_", "-"): query.pop(name) for name in list(query) if name.startswith("h_")}
    call: ApiCall = api_call("s3", method, facts)
    return s3_needs(
        S3Request(call=call, method=method, bucket="data", key=key, query=query, headers=headers, body=body)
    )


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", {}, ["s3:GetObject"]),
        ("GET", {"versionId": "v"}, ["s3:GetObjectVersion"]),
        ("HEAD", {}, ["s3:GetObject"]),
        ("HEAD", {"versionId": "v"}, ["s3:GetObjectVersion"]),
        ("GET", {"tagging": ""}, ["s3:GetObjectTagging"]),
        ("GET", {"tagging": "", "versionId": "v"}, ["s3:GetObjectVersionTagging"]),
        ("GET", {"attributes": ""}, ["s3:GetObject", "s3:GetObjectAttributes"]),
        ("GET", {"uploadId": "u"}, ["s3:ListMultipartUploadParts"]),
        ("PUT", {}, ["s3:PutObject"]),
        ("PUT", {"h_x_amz_tagging": "a=b"}, ["s3:PutObject", "s3:PutObjectTagging"]),
        ("PUT", {"partNumber": "1", "uploadId": "u"}, ["s3:PutObject"]),
        ("PUT", {"tagging": ""}, ["s3:PutObjectTagging"]),
        ("POST", {"uploads": ""}, ["s3:PutObject"]),
        ("POST", {"uploadId": "u"}, ["s3:PutObject"]),
        ("DELETE", {"uploadId": "u"}, ["s3:AbortMultipartUpload"]),
        ("DELETE", {}, ["s3:DeleteObject"]),
        ("DELETE", {"versionId": "v"}, ["s3:DeleteObjectVersion"]),
    ],
)
def test_s3_object_requests(method: str, query: dict[str, str], expected: list[str]) -> None:
    found = s3(method, **query)

    assert [need.action for need in found] == expected
    assert {need.resource for need in found} == {OBJECT}


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", {"list-type": "2", "prefix": "in/"}, "s3:ListBucket"),
        ("HEAD", {}, "s3:ListBucket"),
        ("GET", {"versions": ""}, "s3:ListBucketVersions"),
        ("GET", {"uploads": ""}, "s3:ListBucketMultipartUploads"),
        ("GET", {"location": ""}, "s3:GetBucketLocation"),
    ],
)
def test_s3_bucket_requests(method: str, query: dict[str, str], expected: str) -> None:
    found = s3(method, key="", **query)

    assert pairs(found) == [(expected, "arn:aws:s3:::data")]
    assert found[0].context["s3:prefix"] == query.get("prefix")


@pytest.mark.parametrize(
    ("method", "query"),
    [("PUT", {"renameObject": ""}), ("POST", {"restore": ""}), ("PATCH", {}), ("GET", {"torrent": ""})],
)
def test_an_s3_request_without_a_row_is_an_error(method: str, query: dict[str, str]) -> None:
    with pytest.raises(UnknownOperationError):
        s3(method, **query)


def test_reading_an_absent_object_needs_list_bucket() -> None:
    facts = FixedFacts(missing={"data/in/train.jsonl"})

    assert pairs(s3("HEAD", facts=facts)) == [("s3:GetObject", OBJECT), ("s3:ListBucket", "arn:aws:s3:::data")]


def test_encrypted_objects_need_the_key() -> None:
    facts = FixedFacts(buckets={"data": BUCKET}, objects={"data/in/train.jsonl": PLAIN})
    write, read = s3("PUT", facts=facts), s3("GET", facts=facts)

    assert pairs(write) == [("s3:PutObject", OBJECT), ("kms:GenerateDataKey", KEY_ARN)]
    assert write[1].context["kms:EncryptionContext:aws:s3:arn"] == "arn:aws:s3:::data"
    assert write[1].context["kms:ViaService"] == "s3.us-east-1.amazonaws.com"
    assert pairs(read) == [("s3:GetObject", OBJECT), ("kms:Decrypt", KEY_ARN)]
    assert read[1].context["kms:EncryptionContext:aws:s3:arn"] == OBJECT
    assert [need.action for need in s3("HEAD", facts=facts)] == ["s3:GetObject"]


@pytest.mark.parametrize(
    ("method", "query"),
    [("POST", {"uploads": ""}), ("PUT", {"uploadId": "u", "partNumber": "1"}), ("POST", {"uploadId": "u"})],
)
def test_multipart_uploads_need_to_write_and_read_with_the_key(method: str, query: dict[str, str]) -> None:
    found = s3(method, facts=FixedFacts(buckets={"data": BUCKET}), **query)

    assert [need.action for need in found] == ["s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"]


def test_the_encryption_that_a_request_asks_for_counts() -> None:
    facts = FixedFacts(buckets={"data": BUCKET})

    assert [need.action for need in s3("PUT", facts=facts, h_x_amz_server_side_encryption="AES256")] == ["s3:PutObject"]
    asked = {"h_x_amz_server_side_encryption": "aws:kms", "h_x_amz_server_side_encryption_aws_kms_key_id": KEY_ARN}
    assert [need.action for need in s3("PUT", **asked)] == ["s3:PutObject", "kms:GenerateDataKey"]


def test_a_copy_reads_its_source() -> None:
    facts = FixedFacts(buckets={"data": BUCKET}, objects={"source/a b": PLAIN})
    found = s3("PUT", facts=facts, h_x_amz_copy_source="/source/a%20b?versionId=v1")

    assert pairs(found) == [
        ("s3:GetObjectVersion", "arn:aws:s3:::source/a b"),
        ("kms:Decrypt", KEY_ARN),
        ("s3:PutObject", OBJECT),
        ("kms:GenerateDataKey", KEY_ARN),
    ]


def test_deleting_many_checks_each_key() -> None:
    body = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>'
        b"<Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>"
    )

    assert pairs(s3("POST", key="", body=body, delete="")) == [
        ("s3:DeleteObject", "arn:aws:s3:::data/a"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::data/b"),
    ]

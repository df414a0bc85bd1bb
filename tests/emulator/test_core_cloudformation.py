"""Stacks are made, changed and deleted as CloudFormation does it, or refused."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import DeploymentError, Emulator, UnsupportedTemplate
from tests.emulator.core_support import Assembly, allow, arn_of, invoke, ref, role


@pytest.fixture(scope="module")
def running():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    yield running
    running.reset()


@pytest.fixture
def assembly(tmp_path):
    return Assembly(tmp_path)


KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}


def _bucket(**properties):
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def test_a_bucket_has_every_setting_of_the_template(emulator, assembly):
    assembly.add(
        Key={"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": KEY_POLICY, "EnableKeyRotation": True}},
        Data=_bucket(
            VersioningConfiguration={"Status": "Enabled"},
            BucketEncryption={
                "ServerSideEncryptionConfiguration": [
                    {
                        "BucketKeyEnabled": True,
                        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn_of("Key")},
                    }
                ]
            },
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            NotificationConfiguration={"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            LifecycleConfiguration={
                "Rules": [{"Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}]
            },
            Tags=[{"Key": "team", "Value": "nova"}],
        ),
        DataPolicy={
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": ref("Data"),
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": arn_of("Data"),
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
    )
    name = emulator.deploy(assembly.output(Data=ref("Data"), Key=arn_of("Key")).write()).outputs["Data"]
    s3 = emulator.client("s3")
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].startswith("arn:aws:kms:")
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["ID"] == "old"
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "nova"}]
    assert json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]["Effect"] == "Deny"
    key = rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert emulator.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"x"


def test_a_table_has_every_setting_of_the_template(emulator, assembly):
    assembly.add(
        Table={
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("a", "b")],
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "by-b",
                        "KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "DeletionProtectionEnabled": True,
            },
        }
    )
    name = emulator.deploy(assembly.output(Table=ref("Table")).write()).outputs["Table"]
    client = emulator.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"] is True
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by-b"]
    assert table["SSEDescription"]["Status"] == "ENABLED"
    assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "expires_at"
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def _versioned(assembly: Assembly, answer: int, version: str) -> Assembly:
    assembly.resources = {name: item for name, item in assembly.resources.items() if not name.startswith("V")}
    assembly.function("Fn", f"def handler(event, context): return {answer}", FunctionName="fn")
    assembly.add(
        **{
            version: {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": ref("Fn")},
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
            }
        }
    )
    return assembly.output(Version=ref(version))


def test_new_code_makes_a_new_version_and_the_old_one_keeps_its_code(emulator, assembly):
    first = emulator.deploy(_versioned(assembly, 1, "Vone").write()).outputs["Version"]
    second = emulator.deploy(_versioned(assembly, 2, "Vtwo").write()).outputs["Version"]
    assert (first[-2:], second[-2:]) == (":1", ":2")
    assert invoke(emulator, first)[1] == 1
    assert invoke(emulator, second)[1] == 2
    assert invoke(emulator, "fn")[1] == 2


def test_a_version_that_is_deleted_never_gives_its_number_away(emulator, assembly):
    client = emulator.client("lambda")
    emulator.deploy(_versioned(assembly, 1, "Vone").write())
    emulator.deploy(_versioned(assembly, 2, "Vtwo").write())
    client.delete_function(FunctionName="fn", Qualifier="1")
    third = emulator.deploy(_versioned(assembly, 3, "Vthree").write()).outputs["Version"]
    assert third.endswith(":3")


def test_an_update_changes_adds_replaces_and_deletes(emulator, assembly):
    assembly.add(
        Keep=_bucket(),
        Gone={**_bucket(BucketName="gone-bucket")},
        Kept={**_bucket(BucketName="kept-bucket"), "DeletionPolicy": "Retain"},
        Named={"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/one", "Type": "String", "Value": "1"}},
        Role=role("lambda.amazonaws.com", allow("s3:GetObject", "*", "Read")),
    )
    before = emulator.deploy(assembly.write())
    del assembly.resources["Gone"], assembly.resources["Kept"]
    assembly.add(
        Named={"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/two", "Type": "String", "Value": "2"}},
        Role=role("lambda.amazonaws.com", allow("s3:PutObject", "*", "Write")),
        New={"Type": "AWS::SQS::Queue"},
    )
    after = emulator.deploy(assembly.output(Value={"Fn::GetAtt": ["Named", "Value"]}).write())
    assert after.resources["Keep"] == before.resources["Keep"]
    assert set(after.resources) == {"Keep", "Named", "Role", "New"}
    assert after.outputs["Value"] == "2"
    names = {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}
    assert "kept-bucket" in names
    assert "gone-bucket" not in names
    parameters = emulator.client("ssm").describe_parameters()["Parameters"]
    assert {item["Name"] for item in parameters} & {"/one", "/two"} == {"/two"}
    policy = emulator.client("iam").get_role_policy(RoleName=after.resources["Role"], PolicyName="Inline")
    assert policy["PolicyDocument"]["Statement"][0]["Action"] == ["s3:PutObject"]


def test_destroying_a_stack_leaves_what_is_retained(emulator, assembly):
    assembly.add(Gone=_bucket(BucketName="gone-bucket"), Kept={**_bucket(BucketName="kept-bucket")})
    assembly.resources["Kept"]["DeletionPolicy"] = "Retain"
    assembly.function("Fn", "def handler(event, context): return 1", FunctionName="fn")
    emulator.deploy(assembly.write())
    emulator.destroy("Stack")
    names = {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}
    assert "kept-bucket" in names
    assert "gone-bucket" not in names
    with pytest.raises(emulator.client("lambda").exceptions.ResourceNotFoundException):
        invoke(emulator, "fn")


def test_whatever_would_not_be_honoured_is_refused_at_once(emulator, assembly):
    assembly.add(
        Bucket=_bucket(ReplicationConfiguration={}, NotificationConfiguration={"TopicConfigurations": []}),
        Custom={"Type": "Custom::Thing", "Properties": {}},
        Machine={
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"StateMachineType": "EXPRESS", "RoleArn": "arn", "DefinitionString": "{}"},
        },
        Function={"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x", "Code": {"ImageUri": "x"}}},
    )
    with pytest.raises(UnsupportedTemplate) as caught:
        emulator.deploy(assembly.write())
    assert caught.value.problems == [
        "Bucket (AWS::S3::Bucket): property ReplicationConfiguration is not emulated",
        "Bucket (AWS::S3::Bucket): NotificationConfiguration.TopicConfigurations is not emulated",
        "Custom (Custom::Thing): type is not emulated",
        "Machine (AWS::StepFunctions::StateMachine): StateMachineType EXPRESS is not emulated",
        "Function (AWS::Lambda::Function): Runtime nodejs22.x is not emulated",
        "Function (AWS::Lambda::Function): Code.ImageUri is not emulated",
    ]
    client = emulator.client("cloudformation")
    with pytest.raises(ClientError, match="type is not emulated"):
        client.create_stack(StackName="Api", TemplateBody=json.dumps({"Resources": assembly.resources}))


def test_a_stack_that_fails_is_rolled_back_and_says_which_resource(emulator, assembly):
    assembly.add(
        First=_bucket(BucketName="first-bucket"),
        Second={
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": "missing"},
            "DependsOn": "First",
        },
    )
    with pytest.raises(ClientError, match=r"Second \(AWS::Lambda::Version\)"):
        emulator.deploy(assembly.write())
    names = {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}
    assert "first-bucket" not in names


def test_functions_of_the_template_language(emulator, assembly):
    value = {
        "Fn::Join": [
            "|",
            [
                {"Ref": "AWS::Region"},
                {"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]},
                {"Fn::Sub": "${AWS::AccountId}:${Bucket}:${Bucket.Arn}"},
                {"Fn::ToJsonString": {"name": ref("Bucket")}},
            ],
        ]
    }
    assembly.add(
        Bucket=_bucket(BucketName="data-bucket", Tags=[ref("AWS::NoValue"), {"Key": "a", "Value": "b"}]),
        Text={"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}},
    )
    deployed = emulator.deploy(assembly.output(Text={"Fn::GetAtt": ["Text", "Value"]}).write())
    assert deployed.outputs["Text"] == (
        'us-east-1|b|123456789012:data-bucket:arn:aws:s3:::data-bucket|{"name": "data-bucket"}'
    )


def test_a_change_set_makes_a_stack_with_outputs(emulator):
    client = emulator.client("cloudformation")
    template = {
        "Resources": {"Data": _bucket()},
        "Outputs": {"Name": {"Value": ref("Data")}},
    }
    client.create_change_set(
        StackName="Cli", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(template)
    )
    client.execute_change_set(StackName="Cli", ChangeSetName="first")
    (stack,) = client.describe_stacks(StackName="Cli")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"][0]["OutputKey"] == "Name"
    assert stack["Outputs"][0]["OutputValue"].startswith("cli-data-")


def test_long_names_keep_the_limits_of_their_service(emulator, assembly):
    name = "A" * 70
    assembly.add(**{name: role("lambda.amazonaws.com")})
    made = emulator.deploy(assembly.write()).resources[name]
    assert len(made) <= 64


def test_a_folder_that_is_no_assembly_is_refused(emulator, tmp_path):
    with pytest.raises(DeploymentError, match=r"no manifest\.json"):
        emulator.deploy(tmp_path)


def test_an_unknown_stack_name_lists_the_known_ones(emulator, assembly):
    assembly.add(Data=_bucket())
    with pytest.raises(DeploymentError, match="choose one of the stacks Stack; got Other"):
        emulator.deploy(assembly.write(), "Other")


def test_a_function_in_a_vpc_is_made_and_runs_here(emulator, assembly):
    vpc = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assembly.function("Fn", "def handler(event, context): return 7", FunctionName="fn", VpcConfig=vpc)
    emulator.deploy(assembly.write())
    assert invoke(emulator, "fn")[1] == 7

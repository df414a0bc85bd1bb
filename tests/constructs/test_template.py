"""The template as an auditor reads it: identities, permissions, encryption."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lambda_handlers
from lambda_handlers.catalog import images

LISTING = {"bedrock:ListCustomModels", "bedrock:ListCustomModelDeployments"}
Template = dict[str, Any]

STATEFUL = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"}
NO_RESOURCE_FORM = {
    "ecr:GetAuthorizationToken",
    "dynamodb:ListStreams",
    "cloudwatch:PutMetricData",
    "bedrock:CreateCustomModel",
    "bedrock:ListCustomModels",
    "bedrock:ListCustomModelDeployments",
    "servicequotas:ListServiceQuotas",
}


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy":
            for found in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield name, found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_logical_ids_of_stateful_resources_never_change(template: Template) -> None:
    found = {name for name, resource in template["Resources"].items() if resource["Type"] in STATEFUL}
    assert found == {
        "SupportControlTable012E54F5",
        "SupportLedgerTable4F698F82",
        "SupportStoreArtifacts6382D671",
        "SupportStoreAudit4FECF688",
        "SupportStoreIncoming2AEDBD19",
        "SupportStoreKeyEF73341A",
        "SupportStorePreparedF0B00ED7",
        "SupportStoreQuarantine294433A1",
        "SupportTriggersArrivalsE7B153E0",
        "SupportWaitingRegistry5A654889",
    }


def test_stateful_resources_are_kept_by_default(template: Template) -> None:
    kept = {r["DeletionPolicy"] for r in template["Resources"].values() if r["Type"] in STATEFUL}
    assert kept == {"Retain"}


def test_every_statement_says_what_it_is_for(template: Template) -> None:
    assert [name for name, found in statements(template) if not found.get("Sid")] == []


def test_sids_are_unique_within_a_role(template: Template) -> None:
    seen = [(name, found["Sid"]) for name, found in statements(template)]
    assert len(seen) == len(set(seen))


def test_no_statement_names_every_resource_where_an_arn_can_be_named(template: Template) -> None:
    stars = {
        action
        for _, found in statements(template)
        if "*" in as_list(found["Resource"])
        for action in as_list(found["Action"])
    }
    assert stars == NO_RESOURCE_FORM


def test_no_action_is_a_wildcard(template: Template) -> None:
    assert not [a for _, found in statements(template) for a in as_list(found["Action"]) if "*" in a]


def test_there_are_no_managed_policies_and_no_custom_resources(template: Template) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert not {name for name in types if name.startswith("Custom::") or "CustomResource" in name}
    roles = [r for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    assert not [role for role in roles if role["Properties"].get("ManagedPolicyArns")]


def test_roles_of_services_can_only_be_assumed_for_this_account(template: Template) -> None:
    confused = []
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for found in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            service = found["Principal"]["Service"]
            if service in {"lambda.amazonaws.com", "events.amazonaws.com"}:
                continue  # neither service documents aws:SourceAccount for the roles it assumes
            if "aws:SourceAccount" not in json.dumps(found.get("Condition", {})):
                confused.append((name, service))
    assert confused == []


def test_passing_a_role_names_the_role_and_the_service(template: Template) -> None:
    passing = [found for _, found in statements(template) if "iam:PassRole" in as_list(found["Action"])]
    assert {found["Condition"]["StringEquals"]["iam:PassedToService"] for found in passing} == {
        "sagemaker.amazonaws.com",
        "bedrock.amazonaws.com",
    }
    assert all("Fn::GetAtt" in found["Resource"] for found in passing)


def test_creating_and_using_bedrock_resources_is_bound_to_the_tag(template: Template) -> None:
    tag = "nova-constructs:customization"
    for _, found in statements(template):
        actions = as_list(found["Action"])
        if not any(action.startswith("bedrock:") for action in actions) or actions[0] in LISTING:
            continue
        creating = any(action.split(":")[1].startswith(("Create", "Tag")) for action in actions)
        word = "Request" if creating else "Resource"
        assert found["Condition"]["StringEquals"] == {f"aws:{word}Tag/{tag}": "Nova-Support/Support"}


def test_buckets_are_versioned_encrypted_private_and_tls_only(template: Template) -> None:
    buckets = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::S3::Bucket"]
    assert len(buckets) == 5
    for bucket in buckets:
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        rule = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert rule["BucketKeyEnabled"] is True
    policies = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::S3::BucketPolicy"]
    assert all('"aws:SecureTransport": "false"' in json.dumps(policy) for policy in policies)
    assert len(policies) == 5


def test_only_the_incoming_bucket_sends_events(template: Template) -> None:
    sending = [
        name
        for name, r in template["Resources"].items()
        if r["Type"] == "AWS::S3::Bucket" and "NotificationConfiguration" in r["Properties"]
    ]
    assert len(sending) == 1
    assert sending[0].startswith("SupportStoreIncoming")


def test_the_execution_role_pulls_from_the_nova_registries_only(template: Template) -> None:
    pull = next(found for _, found in statements(template) if found.get("Sid") == "PullImages")
    text = json.dumps(pull["Resource"])
    assert f":repository/{images.FINE_TUNE_REPOSITORY}" in text
    assert "708977205387" in text


def test_functions_share_one_code_asset_and_run_on_arm(template: Template) -> None:
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    assert len({f["Code"]["S3Key"] for f in functions}) == 1
    assert {tuple(f["Architectures"]) for f in functions} == {("arm64",)}
    assert {f["Runtime"] for f in functions} == {"python3.13"}
    assert len({f["Handler"] for f in functions}) == len(functions) == 23


def test_the_functions_are_given_the_variables_that_the_handlers_read(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    every = {
        **entry,
        "approval": {},
        "batch_inference": {"through": "bedrock", "model_id": "amazon.nova-2-lite-v1:0"},
        "deployment": {"target": "BEDROCK_OD", "bake": {"minutes": 30}},
    }
    template = synthesize(every)["Nova-Support"]
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    given = {name for function in functions for name in function["Environment"]["Variables"]}
    handlers = Path(lambda_handlers.__file__).parent
    texts = [path.read_text() for path in handlers.rglob("*.py")]
    needed = {name for text in texts for name in re.findall(r'environ\["([A-Z_]+)"\]', text)} - {
        "AWS_REGION"
    }  # Lambda's
    if_given = {name for text in texts for name in re.findall(r'environ\.get\("([A-Z_]+)"', text)}
    assert needed <= given <= needed | if_given


def test_each_function_has_a_role_of_its_own(template: Template) -> None:
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    assert len({f["Role"]["Fn::GetAtt"][0] for f in functions}) == len(functions)


def test_synthesis_is_repeatable(
    synthesize: Callable[..., dict[str, Template]], template: Template, entry: dict[str, Any]
) -> None:
    assert synthesize(entry)["Nova-Support"] == template


def test_two_customizations_fit_in_one_stack(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    other = {**entry, "name": "Sales", "model": "NOVA_MICRO"}
    both = synthesize({**entry, "stack": "Both"}, {**other, "stack": "Both"})["Both"]
    machines = [n for n, r in both["Resources"].items() if r["Type"] == "AWS::StepFunctions::StateMachine"]
    assert len(machines) == 2
    slugs = {
        r["Properties"]["Environment"]["Variables"]["SLUG"]
        for r in both["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function" and "SLUG" in r["Properties"]["Environment"]["Variables"]
    }
    assert len(slugs) == 2
    assert {"SupportStateMachineArn", "SalesStateMachineArn"} <= set(both["Outputs"])


def test_one_customization_in_two_stacks_has_two_identities(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    made = synthesize({**entry, "stack": "Dev"}, {**entry, "stack": "Prod"})
    assert set(made) == {"Dev", "Prod"}
    parameters = {name: made[name]["Outputs"]["SupportPointerParameterName"]["Value"] for name in made}
    assert parameters == {
        "Dev": "/nova-constructs/Dev/Support/production",
        "Prod": "/nova-constructs/Prod/Support/production",
    }

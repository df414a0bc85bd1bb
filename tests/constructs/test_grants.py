"""What a caller of the production model is granted, decided by the emulator's own evaluator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from nova_constructs.app import FEATURE_FLAGS, props
from nova_constructs.customization import NovaCustomization
from tests.constructs.conftest import ENTRY
from tests.emulator.iam_support import decide, policy

BEDROCK = "arn:aws:bedrock:us-east-1:123456789012"
DEPLOYMENT = f"{BEDROCK}:custom-model-deployment/abcdefghijkl"
PROVISIONED = f"{BEDROCK}:provisioned-model/abcdefghijkl"
POINTER = "arn:aws:ssm:us-east-1:123456789012:parameter/nova-constructs/Nova/Support/production"
TAG = "aws:ResourceTag/nova-constructs:customization"


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the statements that a role is granted."""
    folder: Path = tmp_path_factory.mktemp("granted")
    app = App(context=FEATURE_FLAGS, outdir=str(folder))
    stack = Stack(app, "Nova", env=Environment(account="123456789012", region="us-east-1"))
    settings = {name: value for name, value in ENTRY.items() if name != "name"}
    customization = NovaCustomization(stack, "Support", **props(settings))
    caller = iam.Role(stack, "Caller", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    customization.grant_invoke(caller).assert_success()
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    found = [made for name, made in policies.items() if re.match("Caller", name)]
    text = json.dumps([each for made in found for each in made["Properties"]["PolicyDocument"]["Statement"]])
    statements: list[dict[str, Any]] = json.loads(text.replace('{"Ref": "AWS::Partition"}', '"aws"'))
    return statements


def test_it_is_exactly_invoking_and_reading_the_pointer(granted: list[dict[str, Any]]) -> None:
    assert granted == [
        {
            "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
            "Condition": {"StringEquals": {TAG: "Nova/Support"}},
            "Effect": "Allow",
            "Resource": [f"{BEDROCK}:custom-model-deployment/*", f"{BEDROCK}:provisioned-model/*"],
        },
        {"Action": "ssm:GetParameter", "Effect": "Allow", "Resource": POINTER},
    ]


@pytest.mark.parametrize("action", ["InvokeModel", "InvokeModelWithResponseStream"])
@pytest.mark.parametrize("resource", [DEPLOYMENT, PROVISIONED])
def test_what_carries_the_tag_may_be_invoked_and_nothing_else(
    granted: list[dict[str, Any]], action: str, resource: str
) -> None:
    rules = policy(*granted)
    for tags, allowed in [({TAG: "Nova/Support"}, True), ({TAG: "Nova/Other"}, False), ({}, False)]:
        decision = decide(rules, action=f"bedrock:{action}", resource=resource, context=tags)
        assert decision.allowed is allowed


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("bedrock:DeleteCustomModelDeployment", DEPLOYMENT),
        ("bedrock:InvokeModel", f"{BEDROCK}:custom-model/imported/abcdefghijkl"),
        ("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"),
        ("ssm:PutParameter", POINTER),
        ("ssm:GetParameter", POINTER.replace("Support", "Other")),
    ],
)
def test_other_calls_and_other_things_are_refused(granted: list[dict[str, Any]], action: str, resource: str) -> None:
    decision = decide(policy(*granted), action=action, resource=resource, context={TAG: "Nova/Support"})
    assert not decision.allowed


def test_the_pointer_may_be_read(granted: list[dict[str, Any]]) -> None:
    assert decide(policy(*granted), action="ssm:GetParameter", resource=POINTER).allowed

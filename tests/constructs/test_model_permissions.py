"""What a key of the models' own and model packages add to the template: nothing unless they are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from nova_constructs.app import FEATURE_FLAGS, props
from nova_constructs.checks import ConfigurationError
from nova_constructs.customization import NovaCustomization
from tests.constructs.conftest import ENTRY

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
THROUGH_BEDROCK = {"StringEquals": {"kms:ViaService": "bedrock.us-east-1.amazonaws.com"}}
ASK = {"kms:Decrypt", "kms:GenerateDataKey"}
SIDS = ("UseModelKey", "GrantModelKey", "SeeModelKey", "ImportPackages", "SeePackages")


def policies(folder: Path, **deployment: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return every statement of a customization in a stack of its own, and of a caller, with the role it is for."""
    app = App(context=FEATURE_FLAGS, outdir=str(folder))
    stack = Stack(app, "Nova", env=Environment(account="123456789012", region="us-east-1"))
    settings = {name: value for name, value in ENTRY.items() if name != "name"}
    given = {**settings, "deployment": {"target": "BEDROCK_OD", **deployment}}
    customization = NovaCustomization(stack, "Support", **props(given))
    caller = iam.Role(stack, "Caller", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    customization.grant_invoke(caller).assert_success()
    text = json.dumps(Template.from_stack(stack).find_resources("AWS::IAM::Policy"))
    return [
        (policy["Properties"]["Roles"][0]["Ref"].removeprefix("Support"), each)
        for policy in json.loads(text.replace('{"Ref": "AWS::Partition"}', '"aws"')).values()
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def test_the_key_is_for_whoever_makes_or_asks_models_and_through_bedrock_alone(tmp_path: Path) -> None:
    deployment = {"mode": "UPDATE_IF_EXISTS", "model_key_arn": KEY, "bake": {"minutes": 60}}
    made = policies(tmp_path, **deployment)
    using = [(role, each) for role, each in made if "kms:Decrypt" in each["Action"] and each["Resource"] == KEY]
    places = ("Caller", "DeploymentAskCandidate", "DeploymentImportRole", "DeploymentPromote", "RollbackCanary")
    assert sorted(next(p for p in (*places, "Rollback") if role.startswith(p)) for role, _ in using) == [
        *places[:4], "Rollback", "RollbackCanary"
    ]  # fmt: skip
    assert [each["Condition"] for _, each in using] == [THROUGH_BEDROCK] * 6
    assert all(set(each["Action"]) >= ASK for _, each in using)
    assert [role for role, each in using if set(each["Action"]) != ASK] == [
        role for role, _ in using if "Import" in role
    ]
    [(role, grant)] = [(role, each) for role, each in made if each.get("Sid") == "GrantModelKey"]
    assert role.startswith("DeploymentImport")
    assert (grant["Action"], grant["Resource"]) == ("kms:CreateGrant", KEY)
    assert grant["Condition"] == {**THROUGH_BEDROCK, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    [seen] = [each for _, each in made if each.get("Sid") == "SeeKeys"]
    assert KEY in seen["Resource"]


def test_packages_are_those_of_the_groups_in_the_case_of_their_arns(tmp_path: Path) -> None:
    made = policies(tmp_path, model_package_groups=["Support-Models"])
    [(importer, imported)] = [(role, each) for role, each in made if each.get("Sid") == "ImportPackages"]
    [(planner, seen)] = [(role, each) for role, each in made if each.get("Sid") == "SeePackages"]
    assert (importer.startswith("DeploymentImport"), planner.startswith("Plan")) == (True, True)
    assert set(imported["Action"]) == {"sagemaker:DescribeModelPackage", "sagemaker:AccessModelPackageData"}
    packages = "arn:aws:sagemaker:us-east-1:123456789012:model-package/support-models/*"
    assert (imported["Resource"], seen["Resource"], seen["Action"]) == (
        packages, packages, "sagemaker:DescribeModelPackage"
    )  # fmt: skip


def test_nobody_may_touch_a_key_or_package_that_is_not_given(tmp_path: Path) -> None:
    made = policies(tmp_path)
    assert [each for _, each in made if each.get("Sid") in SIDS] == []
    assert [role for role, each in made if role.startswith("Caller") and "kms" in json.dumps(each)] == []


def test_a_key_of_another_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="model_key_arn is a key of us-west-2, the stack of us-east-1"):
        policies(tmp_path, model_key_arn=KEY.replace("us-east-1", "us-west-2"))

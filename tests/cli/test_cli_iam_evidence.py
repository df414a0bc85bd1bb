from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.iam_evidence import Evidence, account, construct_path, construct_paths, granted, granted_in

STATEMENTS = [
    {"Sid": "ReadDataset", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "x"},
    {"Sid": "UseKey", "Effect": "Allow", "Action": "kms:GenerateDataKey*", "Resource": "x"},
    {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "x"},
]


def role(path: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": properties, "Metadata": {"aws:cdk:path": path}}


def policy(*role_ids: str) -> dict[str, Any]:
    roles = [{"Ref": role_id} for role_id in role_ids]
    return {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": {"Statement": STATEMENTS}, "Roles": roles}}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


PLAN = template(PlanRole=role("Nova-demo/demo/Plan/Role/Resource"), PlanPolicy=policy("PlanRole"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Nova-demo/demo/Plan/Role/Resource", "Plan"),
        ("Nova-demo/demo/Plan/Role/DefaultPolicy/Resource", "Plan"),
        ("Nova-demo/demo/Plan/RoleForLogs/Resource", "Plan"),
        ("Nova-demo/demo/Deployment/ImportRole/Resource", "Deployment/ImportRole"),
        ("Nova-demo/demo/StateMachineRole/Resource", "StateMachineRole"),
    ],
)
def test_a_role_goes_by_the_path_of_its_construct_below_its_customization(path: str, expected: str) -> None:
    assert construct_path(path) == expected


def test_each_allowed_action_of_each_statement_is_one_permission_and_denials_are_none() -> None:
    assert [str(permission) for permission in granted(PLAN)] == [
        "Plan#ReadDataset:s3:GetObject",
        "Plan#ReadDataset:s3:GetObjectVersion",
        "Plan#UseKey:kms:GenerateDataKey*",
    ]


def test_a_policy_of_two_roles_grants_to_both_and_inline_policies_count() -> None:
    inline = [{"PolicyName": "p", "PolicyDocument": {"Statement": STATEMENTS[1]}}]
    found = granted(
        template(
            A=role("S/demo/A/Role/Resource", Policies=inline), B=role("S/demo/B/Role/Resource"), P=policy("A", "B")
        )
    )

    assert {(permission.role, permission.sid) for permission in found} == {
        ("A", "UseKey"),
        ("A", "ReadDataset"),
        ("B", "UseKey"),
        ("B", "ReadDataset"),
    }


def test_a_role_that_is_only_named_goes_by_its_policy_and_is_used_by_its_name() -> None:
    named = policy()
    named["Properties"]["Roles"] = ["cluster-execution"]
    named["Metadata"] = {"aws:cdk:path": "Nova-demo/demo/InstanceRolePolicy1/Resource"}
    found = granted(template(P=named))
    assert str(found[0]) == "InstanceRolePolicy1#ReadDataset:s3:GetObject"
    used = {("cluster-execution", "ReadDataset", "s3:GetObject")}
    split = account(found, used=used, physical_ids={"P": "other"}, evidence=Evidence())
    assert [permission.action for permission in split.used] == ["s3:GetObject"]


def test_paths_come_from_the_cloud_assembly_where_the_template_has_none(tmp_path: Path) -> None:
    bare = template(PlanRole={"Type": "AWS::IAM::Role", "Properties": {}}, PlanPolicy=policy("PlanRole"))
    (tmp_path / "Nova-demo.template.json").write_text(json.dumps(bare))
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"Nova-demo": {}}}))
    metadata = {"/Nova-demo/demo/Plan/Role/Resource": [{"type": "aws:cdk:logicalId", "data": "PlanRole"}]}
    (tmp_path / "Nova-demo.metadata.json").write_text(json.dumps(metadata))

    assert construct_paths(tmp_path, "Nova-demo") == {"PlanRole": "Nova-demo/demo/Plan/Role/Resource"}
    assert {permission.role for permission in granted_in(tmp_path, "Nova-demo")} == {"Plan"}


def test_permissions_are_split_by_who_accounts_for_them() -> None:
    evidence = Evidence(proven={"Plan#ReadDataset:s3:GetObjectVersion": "a pinned version"})

    use = account(
        granted(PLAN),
        used={("plan-role-1", "ReadDataset", "s3:GetObject"), ("other", "UseKey", "kms:GenerateDataKey")},
        physical_ids={"PlanRole": "plan-role-1"},
        evidence=evidence,
    )

    assert [str(permission) for permission in use.used] == ["Plan#ReadDataset:s3:GetObject"]
    assert [str(permission) for permission in use.proven] == ["Plan#ReadDataset:s3:GetObjectVersion"]
    assert [str(permission) for permission in use.unused] == ["Plan#UseKey:kms:GenerateDataKey*"]


def test_a_granted_wildcard_is_used_by_an_action_that_it_covers_in_any_case() -> None:
    use = account(
        granted(PLAN),
        used={("r", "UseKey", "KMS:GenerateDataKeyWithoutPlaintext")},
        physical_ids={"PlanRole": "r"},
        evidence=Evidence(),
    )

    assert [permission.sid for permission in use.used] == ["UseKey"]


def test_evidence_needs_a_reason_and_a_source_for_what_aws_requires(tmp_path: Path) -> None:
    file = tmp_path / "iam_evidence.json"
    file.write_text('{"required_by_aws": {"Plan#UseKey:kms:Decrypt": {"reason": "documented"}}}')

    with pytest.raises(ValueError, match="Plan#UseKey:kms:Decrypt needs a reason and a source"):
        Evidence.load(file)


def test_a_table_that_does_not_exist_yet_accounts_for_nothing(tmp_path: Path) -> None:
    evidence = Evidence.load(tmp_path / "none.json")

    assert not any(evidence.requires(str(permission)) for permission in granted(PLAN))
    assert not evidence.proven


def test_a_requirement_of_aws_may_hold_for_every_role() -> None:
    entry = {"reason": "documented", "source": "a guide"}
    evidence = Evidence(required_by_aws={"*#UseKey:kms:Encrypt": entry})
    assert evidence.requires("Plan/Plan#UseKey:kms:Encrypt")
    assert not evidence.requires("Plan/Plan#UseKey:kms:Decrypt")

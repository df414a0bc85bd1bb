"""Roles and policies."""

from __future__ import annotations

import json
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, only, words


class Role(Kind):
    type = "AWS::IAM::Role"
    applied = words(
        "RoleName AssumeRolePolicyDocument Policies ManagedPolicyArns Description MaxSessionDuration Path Tags"
    )
    recorded = words("")
    replaced_by = words("RoleName Path")
    name_property = "RoleName"

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, "Description MaxSessionDuration Path Tags")
        role = aws.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]), **request
        )["Role"]
        self._put_policies(aws, name, properties, {})
        return Made(physical_id=name, attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.iam.update_assume_role_policy(
            RoleName=made.physical_id, PolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"])
        )
        self._put_policies(aws, made.physical_id, properties, before)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        self._put_policies(aws, made.physical_id, {}, properties)
        aws.iam.delete_role(RoleName=made.physical_id)

    def _put_policies(self, aws: Aws, role: str, properties: Properties, before: Properties) -> None:
        wanted = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}
        for policy in before.get("Policies", []):
            if policy["PolicyName"] not in wanted:
                aws.iam.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
        for name, document in wanted.items():
            aws.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
        had, has = set(before.get("ManagedPolicyArns", [])), set(properties.get("ManagedPolicyArns", []))
        for arn in had - has:
            aws.iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for arn in has - had:
            aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)


class InlinePolicy(Kind):
    type = "AWS::IAM::Policy"
    applied = words("PolicyName PolicyDocument Roles")
    replaced_by = words("PolicyName")
    name_property = "PolicyName"
    name_limit = 128

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        self._put(aws, name, properties, {})
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        self._put(aws, made.physical_id, properties, before)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        self._put(aws, made.physical_id, {}, properties)

    def _put(self, aws: Aws, name: str, properties: Properties, before: Properties) -> None:
        roles = set(properties.get("Roles", []))
        for role in set(before.get("Roles", [])) - roles:
            aws.iam.delete_role_policy(RoleName=role, PolicyName=name)
        for role in roles:
            aws.iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(properties["PolicyDocument"])
            )


class ManagedPolicy(Kind):
    type = "AWS::IAM::ManagedPolicy"
    applied = words("ManagedPolicyName PolicyDocument Roles Path Description")
    replaced_by = words("ManagedPolicyName Path Description")
    name_property = "ManagedPolicyName"
    name_limit = 128

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request: dict[str, Any] = only(properties, "Path Description")
        arn = aws.iam.create_policy(
            PolicyName=name, PolicyDocument=json.dumps(properties["PolicyDocument"]), **request
        )["Policy"]["Arn"]
        for role in properties.get("Roles", []):
            aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return Made(physical_id=arn, attributes={"PolicyArn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        arn = made.physical_id
        versions = aws.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        aws.iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=json.dumps(properties["PolicyDocument"]), SetAsDefault=True
        )
        for version in versions:
            aws.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        roles, had = set(properties.get("Roles", [])), set(before.get("Roles", []))
        for role in had - roles:
            aws.iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for role in roles - had:
            aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        for role in properties.get("Roles", []):
            aws.iam.detach_role_policy(RoleName=role, PolicyArn=made.physical_id)
        aws.iam.delete_policy(PolicyArn=made.physical_id)


KINDS: tuple[Kind, ...] = (Role(), InlinePolicy(), ManagedPolicy())

"""What callers of a customization's production model are allowed."""

from __future__ import annotations

from aws_cdk import aws_iam as iam

from nova_constructs.identity import TAG
from nova_constructs.job_permissions import JobPermissions
from nova_constructs.run_control import RunControl

INVOKE_ACTIONS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]


def grant_invoke(grantee: iam.IGrantable, control: RunControl, permissions: JobPermissions) -> iam.Grant:
    """Let somebody invoke what carries the customization's tag, and read the pointer that names it.

    By the tag and not by ARN: the id of what serves changes with each swap, a grant does not. Where the models have a
    KMS key of their own, its use through Bedrock too.
    """
    provisioned = permissions.stack.format_arn(service="bedrock", resource="provisioned-model", resource_name="*")
    invoke = iam.Grant.add_to_principal(
        grantee=grantee,
        actions=INVOKE_ACTIONS,
        resource_arns=[permissions.deployments, provisioned],
        conditions={"StringEquals": {f"aws:ResourceTag/{TAG}": permissions.identity.customization}},
    )
    read = iam.Grant.add_to_principal(
        grantee=grantee, actions=["ssm:GetParameter"], resource_arns=[control.pointer_parameter_arn]
    )
    decrypt = permissions.model_key.grant_asking(grantee)
    return invoke.combine(read).combine(decrypt) if decrypt else invoke.combine(read)

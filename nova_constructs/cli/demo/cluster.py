"""The HyperPod cluster of `nova demo --platform SMHP`: what its admin has made before the stack is deployed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lambda_handlers.catalog import Platform
from nova_constructs.cli.demo.checks import CLUSTER_NAME, EVALUATION_TASKS, INSTANCE_ROLE_ARN, NAMESPACE, DemoRequest

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator

_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def prepare(emulator: Emulator, request: DemoRequest) -> None:
    """Make the cluster with room for training, or for all evaluations at once, and what its admin grants the stack."""
    if request.platform != Platform.SMHP:
        return
    name = INSTANCE_ROLE_ARN.rpartition("/")[2]
    emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    cluster = emulator.hyperpod.create_cluster(
        name=CLUSTER_NAME,
        instance_type=request.instance_type,
        count=max(request.instance_count, len(EVALUATION_TASKS)),
        namespaces=(NAMESPACE,),
        execution_role=INSTANCE_ROLE_ARN,
    )
    cluster.grant(namespace=NAMESPACE)

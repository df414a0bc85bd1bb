"""The HyperPod cluster of `nova demo --platform SMHP`: what its admin has made before the stack is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_handlers.catalog import Platform
from lambda_handlers.catalog.clusters import ACCESS_GROUP
from lambda_handlers.hyperpod import rbac
from nova_constructs.cli.demo.checks import CLUSTER_NAME, EVALUATION_TASKS, NAMESPACE, DemoRequest

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator


def prepare(emulator: Emulator, request: DemoRequest) -> None:
    """Make the cluster with room for training, or for all evaluations at once, and what its admin grants the stack."""
    if request.platform != Platform.SMHP:
        return
    room = max(request.instance_count, len(EVALUATION_TASKS))
    cluster = emulator.hyperpod.create_cluster(
        name=CLUSTER_NAME, instance_type=request.instance_type, count=room, namespaces=(NAMESPACE,)
    )
    for document in rbac.documents(NAMESPACE, ACCESS_GROUP):
        cluster.apply(document)

"""The paths that prove the permissions of a customization on a HyperPod cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nova_constructs.emulator import Emulator
from tests.workflow import paths
from tests.workflow.harness import Workflow, until
from tests.workflow.hyperpod_support import (
    PLATFORM,
    SCORE,
    make_cluster,
    make_reward_function,
    nothing_left,
    own_objects,
    rewarded,
)

ON_CLUSTER: dict[str, Any] = {
    "method": "RFT_LORA",
    "reward_function": f"arn:aws:lambda:us-east-1:123456789012:function:{SCORE}",
    "data": {},
    "platform": {**PLATFORM, "instance_count": 2},
    "batch_inference": {"dataset": paths.ANSWERED, "data": {"columns": {"query": "question", "response": "answer"}}},
    "deployment": {"target": "NONE"},
}


def furnish_cluster(emulator: Emulator) -> None:
    """Make the cluster, with what its admin applied, and the reward function."""
    make_cluster(emulator)
    make_reward_function(emulator)


def success(workflow: Workflow) -> None:
    ended = workflow.run(rewarded(salt="success"))
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    nothing_left(workflow, cluster_of(workflow))


def aborted(workflow: Workflow) -> None:
    """A run is stopped while its job is on the cluster: closing it removes the job."""
    workflow.emulator.faults.never_finish("training")
    arn = workflow.upload(rewarded(salt="aborted"))
    until(lambda: any(kind == "PyTorchJob" for kind, _ in own_objects(cluster_of(workflow))) or None, "a job")
    workflow.states.stop_execution(executionArn=arn)
    paths.closed(workflow, arn)
    nothing_left(workflow, cluster_of(workflow))


def answers(workflow: Workflow) -> None:
    """A run has the base model answer rows, on the cluster."""
    place = f"s3://{workflow['IncomingBucketName']}/uploads/answers.jsonl"
    workflow.put("IncomingBucketName", "uploads/answers.jsonl", paths.dataset_of("answers"))
    ended = workflow.finish(workflow.start(dataset=place, mode="batch_inference", model="base"))
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))


def cluster_of(workflow: Workflow) -> Any:
    return workflow.emulator.hyperpod[PLATFORM["cluster_name"]]


HYPERPOD_PATHS: dict[str, Callable[[Workflow], None]] = {
    "on a cluster": success,
    "on a cluster, aborted": aborted,
    "on a cluster, batch inference": answers,
}

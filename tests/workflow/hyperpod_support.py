"""A HyperPod cluster as its admin has made it, and customizations whose jobs run there."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import yaml

from lambda_handlers.catalog.clusters import ACCESS_GROUP
from lambda_handlers.hyperpod import rbac
from nova_constructs.app import build
from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, Workflow, dataset, jsonl, until

CLUSTER, NAMESPACE = "hp", "kubeflow"
PLATFORM: dict[str, Any] = {
    "type": "SMHP",
    "cluster_name": CLUSTER,
    "namespace": NAMESPACE,
    "instance_type": "ml.p5.48xlarge",
    "instance_count": 4,
    "max_runtime_hours": 6,
    # The least that there is: a job that is never scheduled costs a test seconds.
    "max_pending_hours": 0.5,
    # The role that the emulator makes with a cluster.
    "instance_role_arn": f"arn:aws:iam::123456789012:role/{CLUSTER}-execution",
}
SCORE = "nova-SageMaker-score"
"""The reward function; the documentation asks for SageMaker in its name."""
_SCORING = """
def handler(samples, context):
    return [{"id": sample["id"], "aggregate_reward_score": 0.5} for sample in samples]
"""
OURS = ("ConfigMap", "Secret", "Service", "PyTorchJob", "StatefulSet", "Deployment", "Job")
"""The kinds of objects that a job consists of; what controllers make of them is theirs."""


def entry(stack: str, **changes: Any) -> dict[str, Any]:
    """Return a customization on the cluster, in a stack of its own."""
    return {**ENTRY, "stack": stack, "platform": PLATFORM, **changes}


def synthesize_all(folder: Path, *entries: dict[str, Any]) -> Path:
    """Synthesize customizations, each with its stack, into one cloud assembly."""
    settings = folder / "customizations.yaml"
    settings.write_text(yaml.safe_dump({"customizations": list(entries)}))
    build(settings, str(folder / "out")).synth()
    return folder / "out"


def make_cluster(emulator: Emulator, count: int = 16) -> Any:
    """Make the cluster, with what its admin applied for the functions."""
    cluster = emulator.hyperpod.create_cluster(name=CLUSTER, count=count, namespaces=(NAMESPACE,))
    for document in rbac.documents(NAMESPACE, ACCESS_GROUP):
        cluster.apply(document)
    return cluster


def make_reward_function(emulator: Emulator) -> None:
    """Make a function that scores every sample alike."""
    iam = emulator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="score", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    logging = {"Effect": "Allow", "Action": ["logs:CreateLog*", "logs:PutLogEvents"], "Resource": "*"}
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [logging]})
    iam.put_role_policy(RoleName="score", PolicyName="log", PolicyDocument=allowed)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", _SCORING)
    emulator.client("lambda").create_function(
        FunctionName=SCORE,
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )


def rewarded(count: int = 120, salt: str = "") -> bytes:
    """Return rows of reinforcement."""
    asked = [f"{salt}: {number} + 1?" for number in range(count)]
    return jsonl(
        [
            {"messages": [{"role": "user", "content": text}], "reference_answer": str(number + 1)}
            for number, text in enumerate(asked)
        ]
    )


def own_objects(cluster: Any) -> list[tuple[str, str]]:
    """Return what is on the cluster of ours, by kind and name."""
    return [(kind, name) for kind, name in cluster.objects(NAMESPACE) if kind in OURS]


def nothing_left(workflow: Workflow, cluster: Any) -> None:
    """Assert, within a reconciler round, that no object is on the cluster, no row is open and nobody holds the lock."""
    until(lambda: not own_objects(cluster) or None, lambda: f"the removal of {own_objects(cluster)}")
    workflow.nothing_left_running()


def job_facts(workflow: Workflow, run_id: str) -> list[dict[str, Any]]:
    """Return the jobs on the cluster of a closed run, as its record keeps them."""
    return [job for job in workflow.record(run_id)["jobs"] if job["kind"] == "PyTorchJob"]


def started(workflow: Workflow, salt: str, **request: Any) -> str:
    """Start a run in mode train, by hand, on data that no run has seen; return its execution."""
    key = f"uploads/{salt.replace(' ', '-')}-{time.monotonic_ns()}.jsonl"
    workflow.put("IncomingBucketName", key, dataset(salt=key))
    uri = f"s3://{workflow['IncomingBucketName']}/{key}"
    return workflow.start(**{"dataset": uri, "mode": "train", **request})


def trained(workflow: Workflow, cluster: Any, arn: str) -> dict[str, Any]:
    """Assert that a run in mode train succeeded with one job on the cluster, and left nothing there."""
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    told = dict(json.loads(ended["output"]))
    assert told["status"] == "SUCCEEDED"
    assert "-hp-" in told["checkpoint_uri"]
    [job] = job_facts(workflow, ended["name"])
    assert (job["stage"], job["outcome"]["error"]) == ("training", "")
    nothing_left(workflow, cluster)
    return told


def failed(workflow: Workflow, cluster: Any, arn: str, error: str) -> str:
    """Assert that a run fails with an error name and leaves nothing on the cluster; return its cause."""
    ended = workflow.finish(arn)
    assert (ended["status"], ended.get("error")) == ("FAILED", error), ended.get("cause")
    nothing_left(workflow, cluster)
    return str(ended["cause"])

"""PyTorchJobs on a HyperPod cluster: pods, conditions, work, restarts, ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.cluster import Cluster
from tests.emulator.kubernetes_support import BUCKET, CORE, JOBS, Kube, allow_s3, ended, submit, submitter, until


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=20_000.0) as running:
        yield running


@pytest.fixture
def cluster(emulator: Emulator) -> Cluster:
    made = emulator.hyperpod.create_cluster("hp", count=4)
    allow_s3(emulator, made)
    return made


@pytest.fixture
def kube(emulator: Emulator, cluster: Cluster) -> Kube:
    return submitter(emulator, cluster)


def types(job: dict[str, Any]) -> list[tuple[str, str]]:
    """Return types and values of a job's conditions."""
    return [(each["type"], each["status"]) for each in job["status"]["conditions"]]


def test_a_job_succeeds_and_leaves_its_manifest(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    submit(kube, "run-1")
    job = ended(kube, "run-1")
    assert types(job) == [("Created", "True"), ("Running", "False"), ("Succeeded", "True")]
    assert {role: each["succeeded"] for role, each in job["status"]["replicaStatuses"].items()} == {
        "Master": 1,
        "Worker": 1,
    }
    body = emulator.client("s3").get_object(Bucket=BUCKET, Key="out/run-1/manifest.json")["Body"].read()
    assert "-hp-" in json.loads(body)["checkpoint_s3_bucket"]
    group = f"/aws/sagemaker/Clusters/hp/{cluster.record.id}"
    streams = emulator.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 2
    assert all(each["logStreamName"].startswith("SagemakerHyperPodTrainingJob") for each in streams)
    events = emulator.client("logs").get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"])
    assert all("run-1-" in event["message"] for event in events["events"])

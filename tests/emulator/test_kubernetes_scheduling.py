"""Where pods go, what they take, and what goes with its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.cluster import Cluster
from tests.emulator.kubernetes_support import (
    APPS,
    BATCH,
    BUCKET,
    CORE,
    JOBS,
    REGISTRY,
    Kube,
    allow_s3,
    config_map,
    ended,
    pytorch_job,
    submit,
    submitter,
    until,
)

_POD_SPEC = pytorch_job("x", replicas=1)["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(speed=6_000.0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Iterator[Emulator]:
    yield running
    running.reset()


@pytest.fixture
def cluster(emulator: Emulator) -> Cluster:
    made = emulator.hyperpod.create_cluster("hp", count=2, groups=[("ml.g5.12xlarge", 1)])
    allow_s3(emulator, made)
    return made


@pytest.fixture
def kube(emulator: Emulator, cluster: Cluster) -> Kube:
    return submitter(emulator, cluster)


def scheduled(kube: Kube, name: str) -> dict[str, Any]:
    """Return the condition PodScheduled of a pod."""

    def found() -> dict[str, Any] | None:
        code, body = kube.call("GET", f"{CORE}/pods/{name}")
        listed = body["status"]["conditions"] if code == 200 else []
        return next((each for each in listed if each["type"] == "PodScheduled"), None)

    return dict(until(found))


def test_a_job_waits_for_room_and_takes_it_when_there_is_some(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.never_finish("first")
    submit(kube, "first")
    ended(kube, "first", "Running")
    submit(kube, "second")
    condition = scheduled(kube, "second-master-0")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == (
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient nvidia.com/gpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    kube.call("DELETE", f"{JOBS}/first")
    ended(kube, "second")


def test_half_a_job_runs_and_waits_for_the_other_half(kube: Kube) -> None:
    submit(kube, "wide", replicas=3)
    ended(kube, "wide", "Running")
    waiting = [each for each in kube.get(f"{CORE}/pods")["items"] if each["status"]["phase"] == "Pending"]
    assert len(waiting) == 1
    assert scheduled(kube, waiting[0]["metadata"]["name"])["status"] == "False"


def test_a_cluster_that_grows_takes_what_waits(cluster: Cluster, kube: Kube) -> None:
    submit(kube, "wide", replicas=3)
    ended(kube, "wide", "Running")
    cluster.record.groups[0].count = 3
    kube.create(f"{CORE}/configmaps", config_map("anything"))
    ended(kube, "wide")


def test_pods_go_to_the_instances_of_their_type(cluster: Cluster, kube: Kube) -> None:
    shares = {"nvidia.com/gpu": 4}
    body = pytorch_job("small", replicas=1, instance_type="ml.g5.12xlarge")
    spec = body["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    spec["containers"][0]["resources"] = {"limits": shares, "requests": shares}
    kube.create(f"{CORE}/configmaps", config_map("small"))
    kube.create(JOBS, body)
    ended(kube, "small")
    node = kube.get(f"{CORE}/pods/small-master-0")["spec"]["nodeName"]
    assert {each.name: each.group.instance_type for each in _nodes(cluster)}[node] == "ml.g5.12xlarge"


def _nodes(cluster: Cluster) -> Any:
    from nova_constructs.emulator.kubernetes.nodes import nodes_of

    return nodes_of(cluster.record)


def test_pods_without_the_toleration_stay_away(kube: Kube) -> None:
    body = pytorch_job("plain", replicas=1)
    del body["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["tolerations"]
    kube.create(f"{CORE}/configmaps", config_map("plain"))
    kube.create(JOBS, body)
    taint = "sagemaker.amazonaws.com/RestrictedNode: Worker"
    assert f"3 node(s) had untolerated taint {{{taint}}}" in scheduled(kube, "plain-master-0")["message"]


def test_an_instance_type_that_the_cluster_lacks_is_said_so(kube: Kube) -> None:
    submit(kube, "other", instance_type="ml.p4d.24xlarge")
    assert "3 node(s) didn't match Pod's node affinity/selector" in scheduled(kube, "other-master-0")["message"]


def test_a_group_that_is_not_in_service_takes_no_pods(cluster: Cluster, kube: Kube) -> None:
    for group in cluster.record.groups:
        group.status = "Creating"
    submit(kube, "early")
    assert scheduled(kube, "early-master-0")["message"] == "no nodes available to schedule pods"


def test_pods_that_keep_apart_take_different_instances(kube: Kube) -> None:
    for name, wanted, refused in (("one", "gpu", "cpu"), ("two", "cpu", "gpu")):
        body = pytorch_job(name, replicas=1)
        template = body["spec"]["pytorchReplicaSpecs"]["Master"]["template"]
        template["metadata"] = {"labels": {"load": wanted}}
        template["spec"]["containers"][0]["resources"] = {}
        term = {"labelSelector": {"matchLabels": {"load": refused}}, "topologyKey": "kubernetes.io/hostname"}
        template["spec"]["affinity"]["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        kube.create(f"{CORE}/configmaps", config_map(name))
        kube.create(JOBS, body)
    until(lambda: all(each["spec"].get("nodeName") for each in _pods(kube)) and len(_pods(kube)) == 2)
    assert len({each["spec"]["nodeName"] for each in _pods(kube)}) == 2


def _pods(kube: Kube) -> list[dict[str, Any]]:
    return list(kube.get(f"{CORE}/pods")["items"])


def workload(kind: str, name: str, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a Deployment, StatefulSet or Job of reinforcement fine-tuning, without its resources."""
    image = f"{REGISTRY}/nova-fine-tune-repo:SM-HP-RFT-STORM-V2-latest"
    spec = {"tolerations": _POD_SPEC["tolerations"], "containers": [{"name": "main", "image": image}]}
    metadata: dict[str, Any] = {"name": name}
    if owner:
        metadata["ownerReferences"] = [owner]
    if kind == "Job":
        template = {"spec": {**spec, "restartPolicy": "Never"}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {"template": template}}
    labels = {"app": name}
    inside = {
        "replicas": 2 if kind == "StatefulSet" else 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec},
        **({"serviceName": name} if kind == "StatefulSet" else {}),
    }
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": inside}


_PATHS = {"Deployment": f"{APPS}/deployments", "StatefulSet": f"{APPS}/statefulsets", "Job": f"{BATCH}/jobs"}
_SERVICES = {
    "vllm": "StatefulSet",
    "nats-server": "StatefulSet",
    "hubcli": "Deployment",
    "prompter": "Job",
    "rbs": "Job",
}


def test_reinforcement_waits_for_its_services_which_outlive_it(emulator: Emulator, kube: Kube) -> None:
    rows = b'{"messages": [{"role": "user", "content": "Hello"}], "reference_answer": "Hi"}\n' * 10
    emulator.client("s3").put_object(Bucket=BUCKET, Key="train.jsonl", Body=rows)
    image = "nova-fine-tune-repo:SM-HP-RFT-TRAIN-V2-latest"
    code, root = kube.create(f"{CORE}/configmaps", config_map("rft"))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": root["metadata"]["name"], "uid": root["metadata"]["uid"]}
    body = pytorch_job("rft", image=image)
    body["metadata"]["ownerReferences"] = [owner]
    assert (code, kube.create(JOBS, body)[0]) == (201, 201)
    ended(kube, "rft", "Running")
    for suffix, kind in _SERVICES.items():
        assert kube.call("GET", f"{JOBS}/rft")[1]["status"]["conditions"][-1]["type"] == "Running"
        assert kube.create(_PATHS[kind], workload(kind, f"rft-{suffix}", owner))[0] == 201
    ended(kube, "rft")
    assert sum(each["status"]["phase"] == "Running" for each in _pods(kube)) == 7
    assert kube.call("DELETE", f"{CORE}/configmaps/training-config-rft")[0] == 200
    until(lambda: [each for each in kube.cluster.objects() if each[0] not in ("Role", "RoleBinding")] == [])


@pytest.mark.parametrize(("policy", "pods"), [("Background", 0), ("Foreground", 0), ("Orphan", 2), (None, 0)])
def test_dependents_follow_as_the_policy_says(kube: Kube, policy: str | None, pods: int) -> None:
    kube.create(_PATHS["StatefulSet"], workload("StatefulSet", "s"))
    until(lambda: len(_pods(kube)) == 2)
    kube.call("DELETE", f"{_PATHS['StatefulSet']}/s", {"propagationPolicy": policy} if policy else None)
    until(lambda: kube.call("GET", f"{_PATHS['StatefulSet']}/s")[0] == 404)
    until(lambda: len(_pods(kube)) == pods)
    assert all(not each["metadata"]["ownerReferences"] for each in _pods(kube))


def test_a_batch_job_leaves_its_pods_unless_told_otherwise(kube: Kube) -> None:
    kube.create(_PATHS["Job"], workload("Job", "j"))
    until(lambda: len(_pods(kube)) == 1)
    kube.call("DELETE", f"{_PATHS['Job']}/j")
    assert kube.call("GET", f"{_PATHS['Job']}/j")[0] == 404
    until(lambda: _pods(kube)[0]["status"]["phase"] == "Running")
    assert _pods(kube)[0]["metadata"]["ownerReferences"] == []


def test_what_has_another_owner_stays(kube: Kube) -> None:
    owners = []
    for name in ("a", "b"):
        _, made = kube.create(f"{CORE}/configmaps", config_map(name))
        meta = made["metadata"]
        owners.append({"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"]})
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "ownerReferences": owners}}
    assert kube.create(f"{CORE}/secrets", body)[0] == 201
    kube.call("DELETE", f"{CORE}/configmaps/training-config-a")
    kube.create(f"{CORE}/configmaps", config_map("c"))
    until(lambda: kube.call("GET", f"{CORE}/configmaps/training-config-a")[0] == 404)
    assert kube.call("GET", f"{CORE}/secrets/s")[0] == 200
    kube.call("DELETE", f"{CORE}/configmaps/training-config-b")
    until(lambda: kube.call("GET", f"{CORE}/secrets/s")[0] == 404)


def test_an_owner_that_never_was_takes_its_dependents_along(kube: Kube) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0000"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "ownerReferences": [owner]}}
    assert kube.create(f"{CORE}/secrets", body)[0] == 201
    until(lambda: kube.call("GET", f"{CORE}/secrets/s")[0] == 404)


def test_a_deletion_may_be_bound_to_an_object(kube: Kube) -> None:
    _, made = kube.create(f"{CORE}/configmaps", config_map("a"))
    path = f"{CORE}/configmaps/training-config-a"
    code, answer = kube.call("DELETE", path, {"preconditions": {"uid": "another"}})
    assert (code, answer["reason"]) == (409, "Conflict")
    assert kube.call("DELETE", path, {"preconditions": {"uid": made["metadata"]["uid"]}})[0] == 200
    assert kube.call("DELETE", path)[0] == 404

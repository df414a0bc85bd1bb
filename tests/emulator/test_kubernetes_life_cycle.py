"""PyTorchJobs on a HyperPod cluster: pods, conditions, work, restarts, ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.cluster import Cluster
from tests.emulator.kubernetes_support import (
    BUCKET,
    CORE,
    JOBS,
    Kube,
    allow_s3,
    config_map,
    ended,
    pytorch_job,
    recipe,
    submit,
    submitter,
    until,
)


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
    made = emulator.hyperpod.create_cluster("hp", count=2)
    allow_s3(emulator, made)
    return made


@pytest.fixture
def kube(emulator: Emulator, cluster: Cluster) -> Kube:
    return submitter(emulator, cluster)


def types(job: dict[str, Any]) -> list[tuple[str, str]]:
    """Return types and values of a job's conditions."""
    return [(each["type"], each["status"]) for each in job["status"]["conditions"]]


def pod(kube: Kube, name: str) -> dict[str, Any]:
    """Return a pod once it is there."""
    return dict(until(lambda: found[1] if (found := kube.call("GET", f"{CORE}/pods/{name}"))[0] == 200 else None))


def logged(emulator: Emulator, cluster: Cluster) -> list[str]:
    """Return everything in the cluster's log group."""
    group, logs = f"/aws/sagemaker/Clusters/hp/{cluster.record.id}", emulator.client("logs")
    lines = []
    for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        lines += [event["message"] for event in events["events"]]
    return lines


def read(emulator: Emulator, key: str) -> Any:
    """Read a JSON object of the bucket."""
    return json.loads(emulator.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_a_job_succeeds_and_leaves_its_manifest(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    submit(kube, "run-1")
    job = ended(kube, "run-1")
    assert types(job) == [("Created", "True"), ("Running", "False"), ("Succeeded", "True")]
    counts = {role: each["succeeded"] for role, each in job["status"]["replicaStatuses"].items()}
    assert counts == {"Master": 1, "Worker": 1}
    assert job["status"]["completionTime"] > job["status"]["startTime"]
    assert "-hp-" in read(emulator, "out/run-1/manifest.json")["checkpoint_s3_bucket"]
    assert pod(kube, "run-1-worker-0")["status"]["phase"] == "Succeeded"


def test_pods_have_the_names_and_labels_of_the_operator(kube: Kube) -> None:
    submit(kube, "run-1")
    made = pod(kube, "run-1-worker-0")
    assert made["metadata"]["labels"]["training.kubeflow.org/job-name"] == "run-1"
    assert made["metadata"]["labels"]["training.kubeflow.org/replica-type"] == "worker"
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("PyTorchJob", "run-1", True)
    listed = kube.get(f"{CORE}/pods?labelSelector=training.kubeflow.org/job-name%3Drun-1")["items"]
    assert [each["metadata"]["name"] for each in listed] == ["run-1-master-0", "run-1-worker-0"]


def test_the_log_is_that_of_the_cluster_and_names_the_job(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    submit(kube, "run-1")
    ended(kube, "run-1")
    group = f"/aws/sagemaker/Clusters/hp/{cluster.record.id}"
    streams = emulator.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 2
    assert all(each["logStreamName"].startswith("SagemakerHyperPodTrainingJob") for each in streams)
    lines = logged(emulator, cluster)
    assert any("reduced_train_loss" in line for line in lines)
    assert all(" run-1-" in line for line in lines)


def test_an_evaluation_writes_its_results(emulator: Emulator, kube: Kube) -> None:
    text = yaml.safe_load(recipe("eval-1", data_s3_path="", replicas=1))
    text = {"run": text["run"], "evaluation": {"task": "mmlu", "strategy": "zs_cot", "metric": "accuracy"}}
    kube.create(f"{CORE}/configmaps", config_map("eval-1", yaml.safe_dump(text)))
    kube.create(JOBS, pytorch_job("eval-1", replicas=1, image="nova-evaluation-repo:SM-HP-Eval-V2-latest"))
    ended(kube, "eval-1")
    listed = emulator.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="out/eval-1/")["Contents"]
    keys = [each["Key"] for each in listed]
    found = [key for key in keys if key.startswith("out/eval-1/eval-result/results_")]
    assert len(found) == 1
    assert "all" in read(emulator, found[0])["results"]


def test_pre_training_reads_texts(emulator: Emulator, kube: Kube) -> None:
    rows = "\n".join(json.dumps({"text": f"The year {number} was good."}) for number in range(20))
    emulator.client("s3").put_object(Bucket=BUCKET, Key="texts.jsonl", Body=rows.encode())
    text = recipe("cpt-1", data_s3_path=f"s3://{BUCKET}/texts.jsonl")
    kube.create(f"{CORE}/configmaps", config_map("cpt-1", text))
    kube.create(JOBS, pytorch_job("cpt-1", image="nova-fine-tune-repo:SM-HP-CPT-V2-latest"))
    ended(kube, "cpt-1")
    assert read(emulator, "out/cpt-1/manifest.json")


def test_a_checkpoint_of_a_training_job_is_refused(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    text = recipe("run-1", model_name_or_path="s3://customer-escrow-123456789012-smtj-0/job/step_1")
    kube.create(f"{CORE}/configmaps", config_map("run-1", text))
    kube.create(JOBS, pytorch_job("run-1", run_policy={"backoffLimit": 1}))
    ended(kube, "run-1", "Failed")
    assert any("belongs to another platform" in line for line in logged(emulator, cluster))


def test_a_container_that_crashes_starts_again_until_the_limit(
    emulator: Emulator, cluster: Cluster, kube: Kube
) -> None:
    emulator.faults.fail_job("run-1", reason="AlgorithmError: loss is NaN")
    submit(kube, "run-1", run_policy={"backoffLimit": 2})
    job = ended(kube, "run-1", "Failed")
    assert types(job) == [("Created", "True"), ("Running", "False"), ("Failed", "True")]
    assert job["status"]["conditions"][-1]["message"] == (
        "Job run-1 has failed because it has reached the specified backoff limit"
    )
    assert sum("loss is NaN" in line for line in logged(emulator, cluster)) == 2
    until(lambda: kube.call("GET", f"{CORE}/pods/run-1-master-0")[0] == 404)


def test_a_container_that_crashes_once_succeeds_the_second_time(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.fail_job("run-1", times=1)
    submit(kube, "run-1", run_policy={"backoffLimit": 2})
    ended(kube, "run-1")
    assert pod(kube, "run-1-master-0")["status"]["containerStatuses"][0]["restartCount"] == 1


def test_a_job_whose_replicas_never_restart_fails_at_once(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.fail_job("run-1")
    submit(kube, "run-1", restartPolicy="Never")
    job = ended(kube, "run-1", "Failed")
    assert (
        job["status"]["conditions"][-1]["message"] == "PyTorchJob run-1 is failed because 1 Master replica(s) failed."
    )
    assert pod(kube, "run-1-master-0")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


def test_a_job_is_ended_at_its_deadline(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.never_finish("run-1")
    submit(kube, "run-1", run_policy={"activeDeadlineSeconds": 7200})
    job = ended(kube, "run-1", "Failed")
    assert "active longer than specified deadline" in job["status"]["conditions"][-1]["message"]


def test_a_deadline_counts_the_time_without_a_node(kube: Kube) -> None:
    submit(kube, "run-1", replicas=3, run_policy={"activeDeadlineSeconds": 3600})
    until(lambda: pod(kube, "run-1-worker-1")["status"]["conditions"])
    assert ended(kube, "run-1", "Failed")["status"]["replicaStatuses"]["Worker"].get("active", 0) <= 1


@pytest.mark.parametrize(("policy", "left"), [("None", 2), ("All", 0), (None, 2)])
def test_pods_stay_or_go_as_the_policy_says(kube: Kube, policy: str | None, left: int) -> None:
    submit(kube, "run-1", run_policy={"cleanPodPolicy": policy} if policy else None)
    ended(kube, "run-1")
    until(lambda: len(kube.get(f"{CORE}/pods")["items"]) == left)


def test_a_suspended_job_has_no_pods(kube: Kube) -> None:
    submit(kube, "run-1", run_policy={"suspend": True})
    job = ended(kube, "run-1", "Suspended")
    assert types(job) == [("Created", "True"), ("Suspended", "True")]
    assert kube.get(f"{CORE}/pods")["items"] == []


def test_an_image_that_cannot_be_pulled_is_tried_again(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.image_pull("run-1-master", reason="toomanyrequests", times=1)
    submit(kube, "run-1")
    waiting = until(lambda: _waiting(pod(kube, "run-1-master-0")) == "ImagePullBackOff")
    assert waiting
    ended(kube, "run-1")


@pytest.mark.parametrize("image", ["nova-fine-tune-repo:SM-TJ-SFT-V2-latest", "my-repo:latest"])
def test_an_image_that_is_not_there_is_said_so(kube: Kube, image: str) -> None:
    submit(kube, "run-1", image=image)
    until(lambda: _waiting(pod(kube, "run-1-master-0")) == "ImagePullBackOff")
    events = kube.get(f"{CORE}/events?fieldSelector=involvedObject.name%3Drun-1-master-0")["items"]
    assert any(each["reason"] == "Failed" and "not found" in each["message"] for each in events)


def _waiting(body: dict[str, Any]) -> str:
    statuses = body["status"].get("containerStatuses") or [{"state": {}}]
    return str(statuses[0]["state"].get("waiting", {}).get("reason", ""))


def test_a_role_that_may_not_pull_is_refused_its_images(emulator: Emulator, kube: Kube) -> None:
    emulator.client("iam").delete_role_policy(RoleName="hp-execution", PolicyName="HyperPod")
    submit(kube, "run-1")
    until(lambda: _waiting(pod(kube, "run-1-master-0")) == "ImagePullBackOff")


def test_a_role_that_may_not_read_the_data_fails_the_job(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    emulator.client("iam").delete_role_policy(RoleName="hp-execution", PolicyName="data")
    submit(kube, "run-1", run_policy={"backoffLimit": 1})
    ended(kube, "run-1", "Failed")
    assert any("Data download failed" in line and "AccessDenied" in line for line in logged(emulator, cluster))


def test_a_config_map_that_is_missing_keeps_the_pods_waiting(kube: Kube) -> None:
    assert kube.create(JOBS, pytorch_job("run-1"))[0] == 201
    until(lambda: [each for each in kube.get(f"{CORE}/events")["items"] if each["reason"] == "FailedMount"])
    assert kube.create(f"{CORE}/configmaps", config_map("run-1"))[0] == 201
    ended(kube, "run-1")


def test_a_mount_without_its_volume_is_refused_when_pods_are_made(kube: Kube) -> None:
    body = pytorch_job("run-1")
    del body["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["volumes"]
    assert kube.create(JOBS, body)[0] == 201
    events = until(lambda: [e for e in kube.get(f"{CORE}/events")["items"] if e["reason"] == "FailedCreatePod"])
    assert 'volumeMounts[0].name: Not found: "training-config"' in events[0]["message"]
    assert types(kube.get(f"{JOBS}/run-1")) == [("Created", "True")]


def test_deleting_a_job_ends_its_work(emulator: Emulator, kube: Kube) -> None:
    emulator.faults.never_finish("run-1")
    submit(kube, "run-1")
    ended(kube, "run-1", "Running")
    code, answer = kube.call("DELETE", f"{JOBS}/run-1")
    assert (code, answer["status"], answer["details"]["kind"]) == (200, "Success", "pytorchjobs")
    until(lambda: kube.get(f"{CORE}/pods")["items"] == [])
    assert kube.call("GET", f"{JOBS}/run-1")[0] == 404

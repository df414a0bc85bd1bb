"""The driver of PyTorchJobs against a cluster in memory: creation that is interrupted, names, states, removal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers.hyperpod import api as api_module
from lambda_handlers.hyperpod.api import KubernetesApi
from lambda_handlers.jobs import driver_for
from lambda_handlers.jobs import pytorch_jobs as jobs
from lambda_handlers.jobs.driver import JobStatus, NameTaken
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, TransientServiceError
from lambda_handlers.protocol.registry import JobRow
from lambda_handlers.recipes import render
from tests.hyperpod.hyperpod_oracle import snapshot_texts
from tests.hyperpod.hyperpod_world import ACCESS, FakeCluster, answer

JOB = "demo-abcdefghijklmnopqrs"
DRIVER = driver_for("PyTorchJob")
TAGS = {
    "nova-constructs:customization": "demo",
    "nova-constructs:run": "r1",
    "nova-constructs:stage": "training",
    "nova-constructs:request-digest": "digest",
}
ROW = JobRow(
    run_id="r1",
    stage="training",
    kind="PyTorchJob",
    job_name=JOB,
    attempt=1,
    execution_arn="e",
    digest="digest",
    deadline=0,
    submission=0,
    submitted_at=0,
    place={"cluster_name": "hp", "namespace": "kubeflow"},
)
SFT, RFT = "nova_lite_2_0_p5_gpu_lora_sft", "nova_lite_2_0_p5_gpu_lora_rft"


def request(name: str = SFT, count: int = 4, **more: Any) -> dict[str, Any]:
    texts = snapshot_texts(name)
    recipe = render(*texts.template, {"name": "x", "replicas": count, "reward_lambda_arn": "arn"}, {}).values
    return {
        "cluster_name": "hp",
        "namespace": "kubeflow",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": count,
        "max_seconds": 3600,
        "payload": texts.payload,
        "recipe": recipe,
        "output_uri": "s3://b/runs/r1/jobs",
        **more,
    }


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = FakeCluster()
    monkeypatch.setattr(jobs, "cluster_access", lambda _: ACCESS)
    monkeypatch.setattr(KubernetesApi, "_http", lambda _: found)
    monkeypatch.setattr(KubernetesApi, "_fresh_token", lambda _: "token")
    monkeypatch.setattr(api_module.time, "sleep", lambda _: None)
    return found


def create(name: str = SFT, digest: str = "digest", **more: Any) -> str:
    return DRIVER.create(JOB, request(name, **more), digest, {**TAGS, "nova-constructs:request-digest": digest})


def test_a_job_is_created_with_all_that_it_needs_and_removed_with_all_of_it(cluster: FakeCluster) -> None:
    assert create().endswith(f"kubeflow/pytorchjobs/{JOB}")
    assert cluster.kinds() == ["configmaps", "pytorchjobs"]
    job = cluster.thing("PyTorchJob", JOB)
    assert job["spec"]["runPolicy"] == {"activeDeadlineSeconds": 3600, "backoffLimit": 3}
    assert job["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 3
    assert job["metadata"]["labels"] == {"app": JOB, "nova-constructs/job": JOB}
    assert job["metadata"]["annotations"] == {
        "nova-constructs/customization": "demo",
        "nova-constructs/run": "r1",
        "nova-constructs/stage": "training",
        "nova-constructs/request-digest": "digest",
        "nova-constructs/output-uri": f"s3://b/runs/r1/jobs/{JOB}",
    }
    (owner,) = job["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "ConfigMap", "name": f"training-config-{JOB}", "uid": "uid-1"}
    assert f"name: {JOB}\n" in cluster.thing("ConfigMap", f"training-config-{JOB}")["data"]["config.yaml"]
    assert DRIVER.digest_of(ROW) == "digest"
    DRIVER.stop(ROW)
    assert not cluster.objects
    assert DRIVER.describe(ROW).status is JobStatus.GONE
    assert DRIVER.digest_of(ROW) is None
    DRIVER.stop(ROW)


def test_a_reinforcement_job_is_21_objects_and_none_of_them_stays(cluster: FakeCluster) -> None:
    create(RFT, count=2)
    assert len(cluster.objects) == 21
    DRIVER.stop(ROW)
    assert not cluster.objects


@pytest.mark.parametrize(
    "fault", ["lost", answer(500, "InternalError", "etcdserver: leader changed"), answer(429, "", "slow")]
)
@pytest.mark.parametrize("at", ["POST /api/v1", "POST /apis/kubeflow.org", "POST /apis/batch"])
def test_a_lost_or_refused_answer_on_create_changes_nothing(cluster: FakeCluster, at: str, fault: Any) -> None:
    cluster.faults = [(at, fault)]
    create(RFT, count=2)
    assert len(cluster.objects) == 21
    assert not cluster.faults


def test_a_creation_that_was_interrupted_goes_on_where_it_stopped(cluster: FakeCluster) -> None:
    cluster.faults = [("/services", answer(503, "", "down"))] * 3
    with pytest.raises(TransientServiceError, match="answered 503: down"):
        create(RFT, count=2)
    made = dict(cluster.objects)
    assert 1 < len(made) < 21
    state = DRIVER.describe(ROW)
    assert state.status is JobStatus.RUNNING, "its objects are being created"
    create(RFT, count=2)
    assert len(cluster.objects) == 21
    assert {key: cluster.objects[key] for key in made} == made, "what was there stays as it was"
    create(RFT, count=2)
    assert len(cluster.objects) == 21


def test_what_was_made_of_an_interrupted_creation_can_be_removed(cluster: FakeCluster) -> None:
    cluster.faults = [("/services", answer(503, "", "down"))] * 3
    with pytest.raises(TransientServiceError):
        create(RFT, count=2)
    DRIVER.stop(ROW)
    assert not cluster.objects


def test_a_name_of_another_request_is_taken_and_nothing_of_it_is_touched(cluster: FakeCluster) -> None:
    create(digest="another")
    before = dict(cluster.objects)
    with pytest.raises(NameTaken):
        create()
    assert DRIVER.digest_of(ROW) == "another"
    DRIVER.stop(ROW)
    assert cluster.objects == before


def test_a_pytorch_job_of_that_name_is_another_job(cluster: FakeCluster) -> None:
    foreign = {"kind": "PyTorchJob", "metadata": {"name": JOB, "namespace": "kubeflow", "uid": "u"}}
    cluster.objects["/apis/kubeflow.org/v1/namespaces/kubeflow/pytorchjobs", JOB] = foreign
    with pytest.raises(NameTaken):
        create()
    assert list(cluster.objects.values()) == [foreign], "what had been made is removed again"


def test_an_object_that_is_not_ours_is_named_and_left_alone(cluster: FakeCluster) -> None:
    foreign = {"kind": "Service", "metadata": {"name": f"{JOB}-vllm", "namespace": "kubeflow", "uid": "u"}}
    cluster.objects["/api/v1/namespaces/kubeflow/services", f"{JOB}-vllm"] = foreign
    with pytest.raises(InvalidRequest, match=f"Service {JOB}-vllm exists in namespace kubeflow and is not of this run"):
        create(RFT, count=2)
    DRIVER.stop(ROW)
    assert list(cluster.objects.values()) == [foreign]


def test_objects_of_an_earlier_creation_that_go_with_their_owner_are_waited_for(cluster: FakeCluster) -> None:
    create()
    job = cluster.thing("PyTorchJob", JOB)
    job["metadata"]["ownerReferences"][0]["uid"] = "of-before"
    with pytest.raises(TransientServiceError, match=f"PyTorchJob {JOB} is still being deleted"):
        create()


def test_a_namespace_s_quota_is_told_and_leaves_nothing(cluster: FakeCluster) -> None:
    cluster.faults = [
        ("POST /apis/kubeflow.org", answer(403, "Forbidden", "exceeded quota: gpus, requested: 32, used: 0"))
    ]
    with pytest.raises(QuotaExceeded, match="exceeded quota: gpus"):
        create()
    assert not cluster.objects


def _set(cluster: FakeCluster, *conditions: tuple[str, str, str], **status: Any) -> None:
    found = [{"type": kind, "status": holds, "message": message} for kind, holds, message in conditions]
    cluster.thing("PyTorchJob", JOB)["status"] = {"conditions": found, **status}


@pytest.mark.parametrize(
    ("conditions", "means"),
    [
        ([], JobStatus.RUNNING),
        ([("Created", "True", "")], JobStatus.RUNNING),
        ([("Created", "True", ""), ("Running", "True", "")], JobStatus.RUNNING),
        ([("Running", "False", ""), ("Restarting", "True", "")], JobStatus.RUNNING),
        ([("Created", "True", ""), ("Suspended", "True", "")], JobStatus.RUNNING),
        ([("Failed", "False", ""), ("Running", "True", "")], JobStatus.RUNNING),
        ([("Succeeded", "True", ""), ("Running", "False", "")], JobStatus.COMPLETED),
        ([("Failed", "True", "out of memory"), ("Restarting", "False", "")], JobStatus.FAILED),
    ],
)
def test_conditions_are_read_by_type_and_status(cluster: FakeCluster, conditions: Any, means: JobStatus) -> None:
    create()
    _set(cluster, *conditions, startTime="2026-01-01T00:00:00Z", completionTime="2026-01-01T01:00:00Z")
    state = DRIVER.describe(ROW)
    assert state.status is means
    if means is JobStatus.COMPLETED:
        assert state.output == {"output_uri": f"s3://b/runs/r1/jobs/{JOB}", "seconds": 3600}
    if means is JobStatus.FAILED:
        assert (state.error, state.cause) == ("", "out of memory")


def test_a_job_that_somebody_deleted_was_stopped(cluster: FakeCluster) -> None:
    arn = create()
    del cluster.objects["/apis/kubeflow.org/v1/namespaces/kubeflow/pytorchjobs", JOB]
    state = DRIVER.describe(replace(ROW, arn=arn))
    assert (state.status, state.cause) == (JobStatus.STOPPED, "its PyTorchJob was deleted")


def _pod(cluster: FakeCluster, number: int, **status: Any) -> None:
    metadata = {"name": f"{JOB}-worker-{number}", "creationTimestamp": "2026-01-01T00:00:00Z"}
    labels = {"labels": {"nova-constructs/job": JOB}}
    pod = {"metadata": {**metadata, **labels}, "status": {"phase": "Pending", **status}}
    cluster.objects["/api/v1/namespaces/kubeflow/pods", metadata["name"]] = pod


_UNSCHEDULED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/16 nodes are available.",
}
_NO_IMAGE = {"image": "x:latest", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}


class _At:
    def __init__(self, hour: int) -> None:
        self._instant = datetime(2026, 1, 1, hour, tzinfo=UTC)

    def now(self) -> datetime:
        return self._instant


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (
            {"conditions": [_UNSCHEDULED]},
            "2 pods wait, Unschedulable: 0/16 nodes are available",
            "CapacityUnavailable",
        ),
        ({"containerStatuses": [_NO_IMAGE]}, "2 pods wait, ErrImagePull x:latest: not found", ""),
    ],
)
def test_a_job_that_is_never_scheduled_ends_with_its_pods_reasons(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, status: Any, words: str, error: str
) -> None:
    create(max_pending_seconds=7200)
    _set(cluster, ("Created", "True", ""))
    for number in range(2):
        _pod(cluster, number, **status)
    monkeypatch.setattr(clock, "_installed", _At(1))
    early = DRIVER.describe(ROW)
    assert (early.status, early.cause) == (JobStatus.RUNNING, words)
    monkeypatch.setattr(clock, "_installed", _At(2))
    late = DRIVER.describe(ROW)
    assert (late.status, late.error) == (JobStatus.FAILED, error)
    assert late.cause == f"it did not get all of its pods running within 7200 seconds: {words}"
    message = "PyTorchJob has failed because it was active longer than specified deadline"
    _set(cluster, ("Failed", "True", message))
    ended = DRIVER.describe(ROW)
    assert (ended.status, ended.error, ended.cause) == (JobStatus.FAILED, "JobTimedOut", f"{message}; {words}")


def test_a_job_without_pods_tells_of_the_quota_that_keeps_them(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(max_pending_seconds=7200)
    message = 'pods "x" is forbidden: exceeded quota: gpus, requested: 8'
    event = {"metadata": {"name": "e"}, "type": "Warning", "reason": "FailedCreatePod", "message": message}
    cluster.objects["/api/v1/namespaces/kubeflow/events", "e"] = event
    monkeypatch.setattr(clock, "_installed", _At(3))
    state = DRIVER.describe(ROW)
    assert (state.status, state.error) == (JobStatus.FAILED, "QuotaExceeded")
    assert message in state.cause
    cluster.faults = [("/events", answer(403, "Forbidden", "no"))]
    state = DRIVER.describe(ROW)
    assert (state.error, "none of its pods was made" in state.cause) == ("CapacityUnavailable", True)


@pytest.mark.parametrize(
    ("kind", "holds", "changed", "means"),
    [
        ("Running", "True", 0, JobStatus.RUNNING),
        ("Running", "False", 0, JobStatus.FAILED),
        ("Restarting", "True", 9, JobStatus.RUNNING),
        ("Restarting", "True", 8, JobStatus.FAILED),
        ("Suspended", "True", 9, JobStatus.RUNNING),
        ("Suspended", "True", 8, JobStatus.FAILED),
    ],
)
def test_a_job_whose_pods_are_made_again_has_not_waited_since_its_creation(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, kind: str, holds: str, changed: int, means: JobStatus
) -> None:
    create(max_pending_seconds=7200)
    created = {"type": "Created", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    now = {"type": kind, "status": holds, "lastTransitionTime": f"2026-01-01T{changed:02}:00:00Z"}
    cluster.thing("PyTorchJob", JOB)["status"] = {"conditions": [now, created]}
    monkeypatch.setattr(clock, "_installed", _At(10))
    assert DRIVER.describe(ROW).status is means


@pytest.mark.parametrize("status", [500, 429, 503])
def test_an_api_that_answers_with_a_fault_says_nothing_of_the_job(cluster: FakeCluster, status: int) -> None:
    create()
    cluster.faults = [("GET", answer(status, "", "later"))] * 3
    with pytest.raises(TransientServiceError):
        DRIVER.describe(ROW)
    cluster.faults = [("DELETE", answer(status, "", "later"))] * 3
    with pytest.raises(TransientServiceError):
        DRIVER.stop(ROW)
    assert DRIVER.describe(ROW).status is JobStatus.RUNNING
    DRIVER.stop(ROW)
    assert not cluster.objects


def test_what_a_cluster_had_is_gone_with_it(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Any:
        raise InvalidRequest("There is no HyperPod cluster hp")

    monkeypatch.setattr(jobs, "cluster_access", missing)
    monkeypatch.setattr(jobs, "cluster_exists", lambda _: False)
    assert DRIVER.describe(ROW).status is JobStatus.GONE
    DRIVER.stop(ROW)
    monkeypatch.setattr(jobs, "cluster_exists", lambda _: True)
    for act in (DRIVER.describe, DRIVER.stop):
        with pytest.raises(InvalidRequest):
            act(ROW)

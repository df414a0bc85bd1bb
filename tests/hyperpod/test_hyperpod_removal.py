"""What is easily missed of jobs on a cluster: objects that are half gone, pods that wait in different ways."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from lambda_handlers.hyperpod import conditions, pods
from lambda_handlers.hyperpod.api import KubernetesApi
from lambda_handlers.jobs import pytorch_jobs as jobs
from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.errors import InvalidRequest, TransientServiceError
from tests.hyperpod import test_hyperpod_jobs as life
from tests.hyperpod.hyperpod_world import ACCESS, FakeCluster, answer
from tests.hyperpod.test_hyperpod_jobs import DRIVER, JOB, RFT, ROW, create

cluster = life.cluster
ROOT = f"training-config-{JOB}"


def test_an_object_of_the_job_that_is_being_deleted_is_waited_for(cluster: FakeCluster) -> None:
    create()
    cluster.thing("ConfigMap", ROOT)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(TransientServiceError, match=f"ConfigMap {ROOT} is still being deleted"):
        create()


def test_a_job_whose_configuration_is_gone_is_removed_all_the_same(cluster: FakeCluster) -> None:
    create()
    del cluster.objects["/api/v1/namespaces/kubeflow/configmaps", ROOT]
    DRIVER.stop(ROW)
    assert not cluster.objects


def test_an_interrupted_creation_is_known_by_its_configuration(cluster: FakeCluster) -> None:
    cluster.faults = [("POST /apis/kubeflow.org", answer(422, "Invalid", "no"))]
    with pytest.raises(InvalidRequest):
        create()
    assert cluster.kinds() == ["configmaps"]
    assert DRIVER.digest_of(ROW) == "digest"


def test_an_object_under_another_job_s_label_stays(cluster: FakeCluster) -> None:
    create()
    cluster.thing("ConfigMap", ROOT)["metadata"]["labels"]["nova-constructs/job"] = "another"
    DRIVER.stop(ROW)
    assert cluster.kinds() == ["configmaps"]


def test_a_stranger_s_object_under_the_name_of_the_first_keeps_none_of_a_job_s_own(cluster: FakeCluster) -> None:
    strange = ("/api/v1/namespaces/kubeflow/configmaps", ROOT)
    cluster.objects[strange] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ROOT, "uid": "u"}}
    create(RFT, count=2)
    assert len(cluster.objects) == 22
    DRIVER.stop(ROW)
    assert list(cluster.objects) == [strange]


def test_what_an_object_owns_goes_with_it(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    create()
    deletions: list[str] = []
    whole = cluster.request

    def request(method: str, url: str, **given: Any) -> Any:
        if method == "DELETE":
            deletions.append(url.partition("?")[2])
        return whole(method, url, **given)

    monkeypatch.setattr(cluster, "request", request)
    DRIVER.stop(ROW)
    assert deletions == ["propagationPolicy=Background"] * 2


@pytest.mark.parametrize("status", ["Creating", "Deleting", "Failed"])
def test_a_cluster_that_runs_no_jobs_gets_none(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(jobs, "cluster_access", lambda _: replace(ACCESS, status=status))
    with pytest.raises(InvalidRequest, match=f"HyperPod cluster hp is {status}: it runs no jobs"):
        create()
    assert not cluster.requests


def test_one_pod_without_a_node_is_a_lack_of_instances(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    create(max_pending_seconds=7200)
    life._pod(cluster, 0, conditions=[life._UNSCHEDULED])
    life._pod(cluster, 1, initContainerStatuses=[life._NO_IMAGE])
    starting = {"state": {"waiting": {"reason": "PodInitializing"}}}
    life._pod(cluster, 2, containerStatuses=[starting])
    monkeypatch.setattr(clock, "_installed", life._At(3))
    state = DRIVER.describe(ROW)
    assert (state.status, state.error) == (JobStatus.FAILED, "CapacityUnavailable")
    assert "1 pod waits, Unschedulable" in state.cause
    assert "1 pod waits, ErrImagePull x:latest" in state.cause
    assert "PodInitializing" not in state.cause


def test_a_suspended_job_tells_why_it_has_no_pods(cluster: FakeCluster) -> None:
    create()
    suspended = {"type": "Suspended", "status": "True", "message": "PyTorchJob is suspended."}
    cluster.thing("PyTorchJob", JOB)["status"] = {"conditions": [suspended]}
    state = DRIVER.describe(ROW)
    assert (state.status, state.cause) == (JobStatus.RUNNING, "PyTorchJob is suspended.")


def test_the_newest_warning_is_told() -> None:
    told = [
        {
            "type": "Warning",
            "reason": "FailedCreatePod",
            "message": message,
            "lastTimestamp": f"2026-01-0{day}T00:00:00Z",
        }
        for day, message in ((1, "old"), (3, "new"), (2, "middle"))
    ]
    assert pods.quota_in_words([*told, {"type": "Normal", "message": "x", "lastTimestamp": "2027"}]) == (
        "FailedCreatePod: new"
    )


def test_a_job_without_times_worked_for_no_known_time() -> None:
    assert conditions.seconds_of_work({"status": {"startTime": "2026-01-01T00:00:00Z"}}) == 0
    assert conditions.seconds_of_work({}) == 0


def test_a_404_of_the_kind_is_no_object_that_is_gone(cluster: FakeCluster) -> None:
    cluster.faults = [("GET", answer(404, "NotFound", "the server could not find the requested resource"))]
    with pytest.raises(InvalidRequest, match=r"does not have the kind PyTorchJob \(404\)"):
        KubernetesApi(ACCESS).get("PyTorchJob", "kubeflow", JOB)


def test_a_payload_s_own_limit_of_restarts_stays(cluster: FakeCluster) -> None:
    payload = deepcopy(life.request()["payload"])
    next(each for each in payload if each["kind"] == "PyTorchJob")["spec"]["runPolicy"] = {"backoffLimit": 7}
    create(payload=payload)
    assert cluster.thing("PyTorchJob", JOB)["spec"]["runPolicy"] == {"activeDeadlineSeconds": 3600, "backoffLimit": 7}

"""What goes wrong with a HyperPod cluster: some of it passes and changes nothing, the rest is told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.catalog.clusters import ACCESS_GROUP
from lambda_handlers.hyperpod import rbac
from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.kinds import KINDS
from nova_constructs.emulator.simulators.store import store_of
from tests.workflow.harness import SPEED, Workflow, until
from tests.workflow.hyperpod_support import (
    CLUSTER,
    NAMESPACE,
    entry,
    failed,
    make_cluster,
    nothing_left,
    own_objects,
    started,
    synthesize_all,
    trained,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STACK = "Nova-Faults"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = entry(STACK, evaluation=[{"task": "mmlu"}], deployment={"target": "NONE"})
    return synthesize_all(tmp_path_factory.mktemp("hyperpod-faults"), made)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=SPEED) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(emulator: Emulator) -> Any:
    return make_cluster(emulator)


@pytest.fixture(scope="module")
def workflow(emulator: Emulator, cluster: Any, assembly: Path) -> Workflow:
    return Workflow(emulator, assembly, STACK)


@pytest.fixture(autouse=True)
def _whole_again(emulator: Emulator, cluster: Any) -> Iterator[None]:
    yield
    emulator.faults.clear()
    cluster.faults.clear()


def with_a_job(workflow: Workflow, cluster: Any, salt: str) -> str:
    """Start a run and wait until its job is on the cluster and its submission is over."""
    arn = started(workflow, salt)
    until(
        lambda: (is_submitted(workflow) and any(kind == "PyTorchJob" for kind, _ in own_objects(cluster))) or None,
        lambda: f"a job on the cluster; the run entered {workflow.path(arn)}: {workflow.describe(arn).get('cause')}",
    )
    return arn


def is_submitted(workflow: Workflow) -> bool:
    rows = workflow.emulator.client("dynamodb").scan(TableName=workflow["JobRegistryTableName"])["Items"]
    return any(row["status"]["S"] == "OPEN" for row in rows)


def test_a_reconciler_that_crashes_changes_nothing(workflow: Workflow, cluster: Any) -> None:
    workflow.emulator.faults.crash_function("Reconcile", times=2)
    trained(workflow, cluster, started(workflow, "crash"))
    assert workflow.emulator.faults.fired["crash_function"] == 2


def test_answers_that_are_lost_on_create_change_nothing(workflow: Workflow, cluster: Any) -> None:
    for resource in ("configmaps", "pytorchjobs"):
        cluster.faults.lose_response("create", resource)
    before = cluster.faults.fired.count("lose")
    trained(workflow, cluster, started(workflow, "lost"))
    assert cluster.faults.fired.count("lose") == before + 2


def test_an_api_that_answers_500_for_a_while_changes_nothing(workflow: Workflow, cluster: Any) -> None:
    """Longer than the client tries again by itself, so that the state, the reconciler and the closing do."""
    for verb in ("create", "get", "delete"):
        cluster.faults.error(500, verb=verb, resource="pytorchjobs", times=4)
    before = cluster.faults.fired.count("error")
    trained(workflow, cluster, started(workflow, "500"))
    assert cluster.faults.fired.count("error") == before + 12


def test_an_api_that_hangs_is_away_and_forgets_tokens_for_a_while_changes_nothing(
    workflow: Workflow, cluster: Any
) -> None:
    arn = with_a_job(workflow, cluster, "away")
    cluster.faults.expire_tokens()
    cluster.faults.hang(verb="get", times=1)
    until(lambda: "hang" in cluster.faults.fired or None, "the reconciler's call")
    cluster.stop_api()
    try:
        begun = workflow.emulator.clock.now()
        # A round of the reconciler or two meet nobody.
        until(lambda: (workflow.emulator.clock.now() - begun).total_seconds() > 700 or None, "two rounds")
        assert workflow.describe(arn)["status"] == "RUNNING"
    finally:
        cluster.start_api()
    trained(workflow, cluster, arn)


def test_a_job_that_is_never_scheduled_ends_at_its_deadline_with_the_reasons(workflow: Workflow, cluster: Any) -> None:
    arn = started(workflow, "unschedulable")
    # The plan found room; then others took it.
    workflow.reach(arn, "PrepareData")
    group = cluster.record.groups[0]
    before, group.count = group.count, 1
    try:
        cause = failed(workflow, cluster, arn, "CapacityUnavailable")
    finally:
        group.count = before
    assert "did not get all of its pods running within 1800 seconds" in cause
    assert "Insufficient" in cause or "node affinity" in cause


def test_an_image_that_cannot_be_pulled_is_told(workflow: Workflow, cluster: Any) -> None:
    workflow.emulator.faults.image_pull("-master-0")
    cause = failed(workflow, cluster, started(workflow, "image"), "JobFailed")
    assert "toomanyrequests" in cause


def test_a_job_that_somebody_deletes_on_the_cluster_is_stopped(workflow: Workflow, cluster: Any) -> None:
    workflow.emulator.faults.never_finish("training")
    arn = with_a_job(workflow, cluster, "deleted")
    [name] = [name for kind, name in own_objects(cluster) if kind == "PyTorchJob"]
    with cluster.store.lock:
        kind = next(each for each in KINDS if each.kind == "PyTorchJob")
        cluster.store.remove(kind, cluster.store.find(kind, NAMESPACE, name))
    assert "deleted" in failed(workflow, cluster, arn, "JobStopped")


Break = Callable[[Emulator, Any], Callable[[], object]]


def no_cluster(emulator: Emulator, cluster: Any) -> Callable[[], object]:

    clusters = store_of(emulator.state).clusters
    record = clusters.pop(CLUSTER)
    return lambda: clusters.__setitem__(CLUSTER, record)


def of_record(**changes: Any) -> Break:
    """Return what changes SageMaker's view of the cluster."""

    def change(_: Emulator, cluster: Any) -> Callable[[], object]:
        before = {name: getattr(cluster.record, name) for name in changes}
        for name, value in changes.items():
            setattr(cluster.record, name, value)
        return lambda: [setattr(cluster.record, name, value) for name, value in before.items()]

    return change


def of_group(**changes: Any) -> Break:
    """Return what changes the restricted instance group."""

    def change(_: Emulator, cluster: Any) -> Callable[[], object]:
        group = cluster.record.groups[0]
        before = {name: getattr(group, name) for name in changes}
        for name, value in changes.items():
            setattr(group, name, value)
        return lambda: [setattr(group, name, value) for name, value in before.items()]

    return change


def no_access_entry(emulator: Emulator, _: Any) -> Callable[[], object]:

    entries = store_of(emulator.state).access[CLUSTER]
    before, entries.by_principal = entries.by_principal, {}
    return lambda: setattr(entries, "by_principal", before)


def rbac_without(verb: str, resource: str) -> Break:
    """Return what leaves a verb on a resource out of what the cluster's admin applied."""

    def change(_: Emulator, cluster: Any) -> Callable[[], object]:
        role, _ = rbac.documents(NAMESPACE, ACCESS_GROUP)
        for rule in role["rules"]:
            if resource in rule["resources"]:
                rule["verbs"] = [each for each in rule["verbs"] if each != verb]
        cluster.apply(role)
        return lambda: [cluster.apply(document) for document in rbac.documents(NAMESPACE, ACCESS_GROUP)]

    return change


def no_namespace(_: Emulator, cluster: Any) -> Callable[[], object]:
    kind = next(each for each in KINDS if each.kind == "Namespace")
    with cluster.store.lock:
        cluster.store.remove(kind, cluster.store.find(kind, "", NAMESPACE))
    return lambda: cluster.add_namespace(NAMESPACE)


def unreachable(_: Emulator, cluster: Any) -> Callable[[], object]:
    cluster.stop_api()
    return cluster.start_api


def other_authority(_: Emulator, cluster: Any) -> Callable[[], object]:
    cluster.ca_mismatch()
    return lambda: cluster.ca_mismatch(False)


BAD: dict[str, tuple[Break, str, tuple[str, ...]]] = {
    "cluster missing": (no_cluster, "InvalidRequest", ("no HyperPod cluster hp",)),
    "not on EKS": (of_record(eks_arn=""), "InvalidRequest", ("not orchestrated by Amazon EKS",)),
    "not in service": (of_record(status="Updating"), "InvalidRequest", ("is Updating, not InService",)),
    "no access entry": (no_access_entry, "InvalidRequest", ("(401)", "access entry")),
    "RBAC too small": (
        rbac_without("create", "pytorchjobs"),
        "InvalidRequest",
        ("create pytorchjobs", "hyperpod rbac"),
    ),
    "namespace missing": (no_namespace, "InvalidRequest", ("no namespace kubeflow",)),
    "endpoint unreachable": (unreachable, "TransientServiceError", ("cannot be reached",)),
    "other authority": (other_authority, "InvalidRequest", ("certificate", "authority")),
    "group absent": (
        of_group(instance_type="ml.p4d.24xlarge"),
        "InvalidRequest",
        ("ml.p5.48xlarge", "ml.p4d.24xlarge"),
    ),
    "group too small": (
        of_group(count=3),
        "InvalidRequest",
        ("training: it needs 4 x ml.p5.48xlarge", "of HyperPod cluster hp have 3"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_a_run_with_its_message_before_anything_is_made(
    workflow: Workflow, cluster: Any, name: str
) -> None:
    change, error, words = BAD[name]
    restore = change(workflow.emulator, cluster)
    try:
        ended = workflow.finish(started(workflow, name))
    finally:
        restore()
    assert (ended["status"], ended.get("error")) == ("FAILED", error), ended.get("cause")
    assert [word for word in words if word not in ended["cause"]] == [], ended["cause"]
    assert "PrepareData" not in workflow.path(ended["executionArn"])
    assert own_objects(cluster) == []
    nothing_left(workflow, cluster)

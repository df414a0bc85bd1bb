"""Who gets into the API of a cluster, and what they may do there."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.cluster import Cluster
from tests.emulator.kubernetes_support import (
    CORE,
    GROUP,
    JOBS,
    Kube,
    config_map,
    pytorch_job,
    role_keys,
    submitter,
    token,
    until,
)

RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]}]


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(speed=60.0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Iterator[Emulator]:
    yield running
    running.reset()


@pytest.fixture
def cluster(emulator: Emulator) -> Cluster:
    return emulator.hyperpod.create_cluster("hp", count=1, namespaces=("kubeflow", "other"))


@pytest.fixture
def kube(emulator: Emulator, cluster: Cluster) -> Kube:
    return submitter(emulator, cluster, RULES)


def refused(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    """Return code and reason of a Status."""
    code, body = answer
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", code)
    return code, body["reason"]


def test_a_role_with_an_access_entry_gets_in(kube: Kube) -> None:
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404


def test_a_role_without_an_access_entry_does_not(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    _, keys = role_keys(emulator, "stranger")
    stranger = Kube(cluster=cluster, emulator=emulator, keys=keys)
    assert refused(stranger.call("GET", f"{CORE}/configmaps/none")) == (401, "Unauthorized")


def test_an_entry_that_was_deleted_lets_nobody_in(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    arn = f"arn:aws:iam::123456789012:role/{cluster.eks_name}-submitter"
    emulator.client("eks").delete_access_entry(clusterName=cluster.eks_name, principalArn=arn)
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


def test_a_token_for_another_cluster_is_refused(kube: Kube) -> None:
    kube.name = "other-cluster"
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


def test_a_token_signed_with_another_key_is_refused(kube: Kube) -> None:
    kube.keys = (kube.keys[0], "not-the-secret-key", kube.keys[2])
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


def test_a_token_that_does_not_sign_the_cluster_is_refused(emulator: Emulator, kube: Kube) -> None:
    url = f"{emulator.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(Credentials(*kube.keys), "sts", "us-east-1", expires=60).add_auth(request)
    kube.token = "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


def _with(url: str, old: str, new: str) -> str:
    assert old in url
    return url.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GetCallerIdentity", "GetSessionToken"),
        ("Version=2011-06-15", "Version=2011-06-15&Extra=1"),
        ("x-k8s-aws-id", "x-other"),
        ("http://localhost", "http://elsewhere"),
        ("X-Amz-Date=", "X-Amz-Date=x"),
    ],
)
def test_a_token_of_another_request_is_refused(kube: Kube, old: str, new: str) -> None:
    encoded = kube.bearer().removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    changed = base64.urlsafe_b64encode(_with(url, old, new).encode()).decode().rstrip("=")
    kube.token = f"k8s-aws-v1.{changed}"
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


@pytest.mark.parametrize("given", ["", "k8s-aws-v1.", "k8s-aws-v1.%%%", "k8s-aws-v2.abc", "eyJhbGciOi"])
def test_what_is_no_token_is_refused(kube: Kube, given: str) -> None:
    kube.headers = {"Authorization": f"Bearer {given}"}
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401


def test_the_host_of_the_real_sts_is_accepted(emulator: Emulator, kube: Kube) -> None:
    local = emulator.state.endpoint
    emulator.state.endpoint = "https://sts.us-east-1.amazonaws.com"
    try:
        kube.token = token(emulator, kube.keys, kube.cluster.eks_name)
    finally:
        emulator.state.endpoint = local
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404


def test_a_token_lives_for_fifteen_minutes(emulator: Emulator, kube: Kube) -> None:
    kube.token = kube.bearer()
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404
    begun = emulator.clock.now()
    until(lambda: kube.call("GET", f"{CORE}/configmaps/none")[0] == 401, seconds=40)
    assert (emulator.clock.now() - begun).total_seconds() >= 900
    kube.token = ""
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404


def test_tokens_can_be_made_to_expire(cluster: Cluster, kube: Kube) -> None:
    kube.token = kube.bearer()
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404
    cluster.faults.expire_tokens()
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 401
    kube.token = ""
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404


def test_a_certificate_of_another_authority_is_noticed(cluster: Cluster, kube: Kube) -> None:
    cluster.ca_mismatch()
    with pytest.raises(ssl.SSLCertVerificationError):
        kube.call("GET", f"{CORE}/configmaps/none")
    cluster.ca_mismatch(wrong=False)
    assert kube.call("GET", f"{CORE}/configmaps/none")[0] == 404


def test_what_no_role_allows_is_forbidden(kube: Kube) -> None:
    code, body = kube.create(JOBS, pytorch_job("a"))
    assert refused((code, body)) == (403, "Forbidden")
    assert body["message"] == (
        'pytorchjobs.kubeflow.org is forbidden: User "arn:aws:sts::123456789012:assumed-role/hp-submitter/function" '
        'cannot create resource "pytorchjobs" in API group "kubeflow.org" in the namespace "kubeflow"'
    )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", f"{CORE}/configmaps/a", 404),
        ("GET", f"{CORE}/configmaps", 403),
        ("DELETE", f"{CORE}/configmaps/a", 403),
        ("GET", "/api/v1/namespaces/other/configmaps/a", 403),
        ("GET", "/api/v1/configmaps", 403),
        ("GET", "/api/v1/namespaces/kubeflow", 403),
        ("GET", "/apis/nobody.org/v1/namespaces/kubeflow/things", 403),
        ("GET", "/nowhere", 404),
    ],
)
def test_a_role_allows_verbs_on_resources_in_its_namespace(kube: Kube, method: str, path: str, expected: int) -> None:
    assert kube.call(method, path)[0] == expected


def test_a_role_may_be_narrowed_to_names(cluster: Cluster, kube: Kube) -> None:
    rule = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"], "resourceNames": ["mine"]}
    cluster.grant(GROUP, "kubeflow", [rule])
    assert kube.call("GET", "/apis/batch/v1/namespaces/kubeflow/jobs/mine")[0] == 404
    assert kube.call("GET", "/apis/batch/v1/namespaces/kubeflow/jobs/theirs")[0] == 403


def test_a_role_of_the_namespace_lets_the_namespace_be_read(cluster: Cluster, kube: Kube) -> None:
    cluster.grant(GROUP, "kubeflow", [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}])
    assert kube.get("/api/v1/namespaces/kubeflow")["metadata"]["name"] == "kubeflow"
    assert kube.call("GET", "/api/v1/namespaces/other")[0] == 403


def test_rules_can_be_given_as_yaml(cluster: Cluster, kube: Kube) -> None:
    cluster.grant(
        rules="""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: submit, namespace: kubeflow}
rules: [{apiGroups: [kubeflow.org], resources: [pytorchjobs], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: submit, namespace: kubeflow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: submit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: nova-constructs}]
"""
    )
    assert kube.get(JOBS)["items"] == []


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "expected"),
    [
        ("create", "configmaps", "kubeflow", True),
        ("delete", "configmaps", "kubeflow", False),
        ("create", "configmaps", "other", False),
        ("create", "configmaps", "", False),
    ],
)
def test_a_caller_can_ask_what_it_may_do(kube: Kube, verb: str, resource: str, namespace: str, expected: bool) -> None:
    attributes = {"verb": verb, "group": "", "resource": resource, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    code, body = kube.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (code, body["status"]["allowed"]) == (201, expected)


def test_a_review_of_nothing_is_refused(kube: Kube) -> None:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}}
    assert kube.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)[0] == 422


def test_errors_are_injected_by_verb_and_kind(cluster: Cluster, kube: Kube) -> None:
    cluster.faults.error(503, "etcd is away", verb="create", resource="configmaps", times=1)
    assert kube.call("GET", f"{CORE}/configmaps/a")[0] == 404
    code, body = kube.create(f"{CORE}/configmaps", config_map("a"))
    assert (code, body["message"]) == (503, "etcd is away")
    assert cluster.get("ConfigMap", "training-config-a") is None
    assert kube.create(f"{CORE}/configmaps", config_map("a"))[0] == 201


def test_errors_can_last_for_a_while(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    cluster.faults.error(500, seconds=30)
    assert kube.call("GET", f"{CORE}/configmaps/a")[0] == 500
    begun = emulator.clock.now()
    until(lambda: kube.call("GET", f"{CORE}/configmaps/a")[0] == 404)
    assert (emulator.clock.now() - begun).total_seconds() >= 20


def test_too_many_requests_say_when_to_come_again(cluster: Cluster, kube: Kube) -> None:
    cluster.faults.throttle(retry_after=7)
    assert refused(kube.call("GET", f"{CORE}/configmaps/a")) == (429, "TooManyRequests")
    assert kube.call("GET", f"{CORE}/configmaps/a")[0] == 404


def test_a_server_that_hangs_holds_nobody_for_ever(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    cluster.faults.hang(times=1)
    with pytest.raises(TimeoutError):
        kube.call("GET", f"{CORE}/configmaps/a", timeout=0.3)
    emulator.settle(timeout=5)
    assert kube.call("GET", f"{CORE}/configmaps/a")[0] == 404


def test_a_lost_answer_leaves_what_was_made(cluster: Cluster, kube: Kube) -> None:
    cluster.faults.lose_response("create", "configmaps")
    with pytest.raises((ConnectionError, ssl.SSLError, OSError)):
        kube.create(f"{CORE}/configmaps", config_map("a"))
    assert cluster.get("ConfigMap", "training-config-a") is not None
    assert refused(kube.create(f"{CORE}/configmaps", config_map("a"))) == (409, "AlreadyExists")


def test_a_port_that_is_closed_opens_again(cluster: Cluster, kube: Kube) -> None:
    endpoint = cluster.endpoint
    cluster.stop_api()
    with pytest.raises(ConnectionRefusedError):
        kube.call("GET", f"{CORE}/configmaps/a")
    cluster.start_api()
    assert cluster.endpoint == endpoint
    assert kube.call("GET", f"{CORE}/configmaps/a")[0] == 404


def test_the_server_ends_with_the_emulator(emulator: Emulator, cluster: Cluster, kube: Kube) -> None:
    emulator.reset()
    with pytest.raises(ConnectionRefusedError):
        kube.call("GET", f"{CORE}/configmaps/a")

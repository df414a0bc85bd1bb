"""The client of the Kubernetes API: what it sends, and what answers and silence mean, in words."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import boto3
import pytest
from botocore.stub import Stubber

from lambda_handlers.hyperpod import access, api, capacity, token
from lambda_handlers.hyperpod.access import ClusterAccess
from lambda_handlers.hyperpod.api import KubernetesApi, ObjectExists
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, TransientServiceError
from tests.hyperpod.hyperpod_world import ACCESS, FakeCluster, answer

THING = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "kubeflow"}}
ARN = "arn:aws:sagemaker:us-east-1:111122223333:cluster/abc123"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = FakeCluster()
    monkeypatch.setattr(KubernetesApi, "_http", lambda _: found)
    monkeypatch.setattr(api.time, "sleep", lambda _: None)
    return found


@pytest.fixture
def client(cluster: FakeCluster) -> KubernetesApi:
    del cluster
    signed = iter(range(100))
    return KubernetesApi(ACCESS, sign=lambda name: f"{name}-{next(signed)}")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            answer(403, "Forbidden", 'User "x" cannot create resource "configmaps"'),
            InvalidRequest,
            r"may not create configmaps in namespace kubeflow of HyperPod cluster hp \(EKS cluster eks-1\) \(403\): "
            r"have its admin apply what `nova hyperpod rbac` prints. \(User \"x\" cannot",
        ),
        (
            answer(403, "Forbidden", 'admission webhook "v.pytorchjob" denied the request: spec'),
            InvalidRequest,
            "does not take configmaps in namespace kubeflow as they are: admission webhook",
        ),
        (answer(403, "Forbidden", "exceeded quota: a"), QuotaExceeded, "quota of namespace kubeflow .* exceeded quota"),
        (
            answer(403, "Forbidden", "unable to create new content because it is being terminated"),
            InvalidRequest,
            "Namespace kubeflow of .* is being deleted",
        ),
        (
            answer(404, "NotFound", 'namespaces "kubeflow" not found'),
            InvalidRequest,
            r"has no namespace kubeflow \(404\): create it, or name another in HyperPod\(namespace=…\)",
        ),
        (
            answer(404, "NotFound", "the server could not find the requested resource"),
            InvalidRequest,
            r"does not have the kind ConfigMap \(404\): install the HyperPod dependencies",
        ),
        (answer(409, "AlreadyExists", "a exists"), ObjectExists, "a exists"),
        (answer(422, "Invalid", "spec.x: Invalid value"), InvalidRequest, r"refused to create .* \(422\): spec.x"),
        (answer(307, "", ""), InvalidRequest, r"refused to create configmaps in namespace kubeflow \(307\)"),
    ],
)
def test_what_a_refusal_means(
    cluster: FakeCluster, client: KubernetesApi, given: Any, error: type[Exception], message: str
) -> None:
    cluster.faults = [("POST", given)]
    with pytest.raises(error, match=message):
        client.create(THING)
    assert len(cluster.requests) == 1, "what stays as it is is not tried again"


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_three_times_and_is_transient(
    cluster: FakeCluster, client: KubernetesApi, status: int
) -> None:
    cluster.faults = [("POST", answer(status, "Conflict", "later"))] * 3
    with pytest.raises(TransientServiceError, match=f"answered {status}: later"):
        client.create(THING)
    assert len(cluster.requests) == 3
    cluster.faults = [("POST", answer(status, "Conflict", "later"))] * 2
    assert client.create(THING)["metadata"]["uid"]


def test_a_token_that_expires_mid_call_is_made_anew_once(cluster: FakeCluster, client: KubernetesApi) -> None:
    cluster.accepted = {"eks-1-0"}
    client.create(THING)
    cluster.accepted = {"eks-1-1"}
    assert client.get("ConfigMap", "kubeflow", "a")
    assert [each.rpartition("-")[2] for each in cluster.tokens] == ["0", "0", "1"]


def test_a_caller_without_access_entry_is_told_so(cluster: FakeCluster, client: KubernetesApi) -> None:
    cluster.accepted = set()
    message = (
        r"HyperPod cluster hp \(EKS cluster eks-1\) does not know the role of this function \(401\): it has no acc"
    )
    with pytest.raises(InvalidRequest, match=message):
        client.create(THING)
    assert len(cluster.requests) == 2


def test_an_old_token_is_not_used(client: KubernetesApi, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    client.create(THING)
    monkeypatch.setattr(token, "LIFE_SECONDS", -1)
    monkeypatch.setattr(api, "LIFE_SECONDS", -1)
    client.get("ConfigMap", "kubeflow", "a")
    assert cluster.tokens == ["Bearer eks-1-0", "Bearer eks-1-1"]


def test_objects_are_read_listed_by_label_and_deleted(cluster: FakeCluster, client: KubernetesApi) -> None:
    assert client.get("ConfigMap", "kubeflow", "a") is None
    client.create({**THING, "metadata": {**THING["metadata"], "labels": {"x": "1"}}})
    assert [each["metadata"]["name"] for each in client.list("ConfigMap", "kubeflow", "x=1")] == ["a"]
    assert client.list("ConfigMap", "kubeflow", "x=2") == []
    assert client.delete("ConfigMap", "kubeflow", "a") is True
    assert client.delete("ConfigMap", "kubeflow", "a") is False
    assert client.review("create", "kubeflow.org", "pytorchjobs", "kubeflow") is True


def test_a_list_is_read_to_its_last_page(cluster: FakeCluster, client: KubernetesApi) -> None:
    def page(names: str, more: str) -> Any:
        items = [{"metadata": {"name": name}} for name in names]
        return replace(answer(200, "", ""), data=json.dumps({"items": items, "metadata": {"continue": more}}).encode())

    cluster.faults = [("GET", page("ab", "next")), ("GET", page("c", ""))]
    assert [each["metadata"]["name"] for each in client.list("Pod", "kubeflow")] == ["a", "b", "c"]


# Over TLS


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"items": [], "metadata": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClusterAccess, str]]:
    """Return how a server is reached over TLS, and the certificate of another authority."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = _certificate(folder, "k8s")
    other = _certificate(folder, "other")[1].read_text()
    with _serving(certificate, key) as endpoint:
        yield replace(ACCESS, endpoint=endpoint, ca_pem=certificate.read_text()), other


@contextmanager
def _serving(certificate: Path, key: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _signed(_: str) -> str:
    return "token"


def test_a_server_with_the_cluster_s_certificate_is_spoken_with(served: tuple[ClusterAccess, str]) -> None:
    assert KubernetesApi(served[0], sign=_signed).list("Pod", "kubeflow") == []


def test_a_certificate_of_another_authority_is_refused(served: tuple[ClusterAccess, str]) -> None:
    found, other = served
    with pytest.raises(
        InvalidRequest, match="is not of the authority that Amazon EKS names for it, so that nothing was"
    ):
        KubernetesApi(replace(found, ca_pem=other), sign=_signed).list("Pod", "kubeflow")


def _run(*command: str | Path) -> None:
    subprocess.run(["openssl", *command], check=True, capture_output=True)


def test_an_authority_without_key_identifiers_is_verified(
    served: tuple[ClusterAccess, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older EKS clusters have such a one (github.com/kubernetes-client/python/issues/2394)."""
    ca_key, ca, key, asked, certificate = (tmp_path / name for name in ("ca.key", "ca", "key", "csr", "pem"))
    (tmp_path / "ca.cnf").write_text("[req]\ndistinguished_name=n\n[n]\n[v3]\nbasicConstraints=critical,CA:TRUE\n")
    (tmp_path / "server.cnf").write_text("subjectAltName=IP:127.0.0.1\n")
    new = ("-newkey", "rsa:2048", "-nodes", "-config", tmp_path / "ca.cnf")
    _run("req", "-x509", *new, "-extensions", "v3", "-subj", "/CN=kubernetes", "-keyout", ca_key, "-out", ca)
    _run("req", *new, "-subj", "/CN=kube-apiserver", "-keyout", key, "-out", asked)
    signed = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", tmp_path / "server.cnf")
    _run("x509", "-req", "-in", asked, *signed, "-out", certificate)
    strict = ssl.create_default_context

    def as_in_python_3_13(**given: Any) -> ssl.SSLContext:
        context = strict(**given)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_in_python_3_13)
    with _serving(certificate, key) as endpoint:
        found = replace(ACCESS, endpoint=endpoint, ca_pem=ca.read_text())
        assert KubernetesApi(found, sign=_signed).list("Pod", "kubeflow") == []
        with pytest.raises(InvalidRequest, match="is not of the authority"):
            KubernetesApi(replace(found, ca_pem=served[1]), sign=_signed).list("Pod", "kubeflow")


def test_an_api_that_cannot_be_reached_or_hangs_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.time, "sleep", lambda _: None)
    monkeypatch.setattr(api, "_READ_SECONDS", 0.2)
    monkeypatch.setattr(api, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"https://127.0.0.1:{silent.getsockname()[1]}"
        hangs = replace(ACCESS, endpoint=endpoint, ca_pem=ssl.get_default_verify_paths().cafile or "")
        ca = Path(hangs.ca_pem).read_text() if hangs.ca_pem else ""
        message = rf"The Kubernetes API of HyperPod cluster hp at {endpoint} cannot be reached: .* give HyperPod a vpc"
        with pytest.raises(TransientServiceError, match=message):
            KubernetesApi(replace(hangs, ca_pem=ca), sign=_signed).list("Pod", "kubeflow")
    with pytest.raises(TransientServiceError, match="cannot be reached"):
        KubernetesApi(replace(hangs, ca_pem=ca), sign=_signed).list("Pod", "kubeflow")


# Tokens and clusters


def test_a_token_is_a_presigned_call_that_names_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "us-west-2"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    token._signer.cache_clear()
    found = token.bearer_token("eks-1")
    token._signer.cache_clear()
    prefix, _, encoded = found.partition(".")
    assert prefix == "k8s-aws-v1"
    assert not found.endswith("=")
    url = urlparse(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    query = parse_qs(url.query)
    assert url.netloc == "sts.us-west-2.amazonaws.com"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    options = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    clients = {name: boto3.client(name, **options) for name in ("sagemaker", "eks")}  # type: ignore[call-overload]
    monkeypatch.setattr(access, "client", clients.__getitem__)
    stubs = {name: Stubber(each) for name, each in clients.items()}
    for each in stubs.values():
        each.activate()
    yield stubs
    for each in stubs.values():
        each.assert_no_pending_responses()


def _cluster(**more: Any) -> dict[str, Any]:
    eks = {"ClusterArn": "arn:aws:eks:us-east-1:111122223333:cluster/eks-1"}
    return {
        "ClusterArn": ARN,
        "ClusterStatus": "InService",
        "Orchestrator": {"Eks": eks},
        "InstanceGroups": [],
        **more,
    }


def test_how_a_cluster_is_reached(aws: dict[str, Stubber]) -> None:
    group = {"InstanceGroupName": "rig", "InstanceType": "ml.p5.48xlarge", "CurrentCount": 16, "Status": "InService"}
    aws["sagemaker"].add_response("describe_cluster", _cluster(RestrictedInstanceGroups=[group]), {"ClusterName": "hp"})
    data = base64.b64encode(b"PEM").decode()
    eks = {"endpoint": "https://x.eks.amazonaws.com", "certificateAuthority": {"data": data}, "status": "ACTIVE"}
    aws["eks"].add_response("describe_cluster", {"cluster": eks}, {"name": "eks-1"})
    found = access.cluster_access("hp")
    assert (found.endpoint, found.ca_pem, found.eks_cluster_name) == ("https://x.eks.amazonaws.com", "PEM", "eks-1")
    assert (found.region, found.account, found.cluster_id) == ("us-east-1", "111122223333", "abc123")
    assert capacity.available(found, "ml.p5.48xlarge") == 16
    assert access.status_problem(found) is None
    other = replace(found, status="Updating")
    assert "HyperPod cluster hp is Updating, not InService" in str(access.status_problem(other))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("ResourceNotFound", "There is no HyperPod cluster hp in this account and Region"),
        ("AccessDeniedException", "HyperPod cluster hp may not be described: allow sagemaker:DescribeCluster on it"),
    ],
)
def test_a_cluster_that_is_not_there_or_may_not_be_seen(aws: dict[str, Stubber], fault: str, message: str) -> None:
    aws["sagemaker"].add_client_error("describe_cluster", fault)
    with pytest.raises(InvalidRequest, match=message):
        access.cluster_access("hp")
    aws["sagemaker"].add_client_error("describe_cluster", "ResourceNotFound")
    assert not access.cluster_exists("hp")


def test_a_cluster_of_slurm_is_refused(aws: dict[str, Stubber]) -> None:
    aws["sagemaker"].add_response("describe_cluster", _cluster(Orchestrator={}))
    with pytest.raises(InvalidRequest, match="HyperPod cluster hp is not orchestrated by Amazon EKS but by Slurm"):
        access.cluster_access("hp")


def test_an_eks_cluster_without_api_is_told(aws: dict[str, Stubber]) -> None:
    aws["sagemaker"].add_response("describe_cluster", _cluster())
    aws["eks"].add_response("describe_cluster", {"cluster": {"status": "CREATING"}})
    with pytest.raises(InvalidRequest, match="EKS cluster eks-1 of HyperPod cluster hp has no Kubernetes API yet"):
        access.cluster_access("hp")


def test_instances_that_pods_hold_or_wait_for_are_counted(cluster: FakeCluster, client: KubernetesApi) -> None:
    def pod(
        name: str, *, node: str = "", gpus: bool = True, phase: str = "Running", size: str = "ml.p5.48xlarge"
    ) -> None:
        rule = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [size]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        requests = {"nvidia.com/gpu": 8} if gpus else {"cpu": "5"}
        spec = {"containers": [{"resources": {"requests": requests}}], "affinity": affinity}
        thing = {
            "metadata": {"name": name},
            "spec": spec | ({"nodeName": node} if node else {}),
            "status": {"phase": phase},
        }
        cluster.objects["/api/v1/namespaces/kubeflow/pods", name] = thing

    pod("a", node="n1")
    pod("b", node="n1", gpus=False)
    pod("c", phase="Pending")
    pod("d", phase="Pending", gpus=False)
    pod("e", node="n2", phase="Succeeded")
    pod("f", node="n3", size="ml.g5.12xlarge")
    assert capacity.taken(client, "kubeflow", "ml.p5.48xlarge") == 2

"""An MLflow server of one's own: asked by https over a real connection, and judged from the VPC of the jobs."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lambda_handlers import probe_tracking
from lambda_handlers.checks import mlflow, tracking_server
from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.tracking_probe import TrackingProbes
from lambda_handlers.protocol.errors import InvalidRequest
from tests.checks.checks_support import REGION, ROLE, Caller, Mlflow, refusal

URI = "https://mlflow.example.com:8443/team"
VPC = {"subnets": ["subnet-a", "subnet-b"], "security_groups": ["sg-a"]}
OTHER = {"subnets": ["subnet-c"], "security_groups": ["sg-a"]}
DEPLOYED = [{**OTHER, "function": "probe-2"}, {**VPC, "function": "probe-1"}]
CA = "SSL_CERT_FILE"  # where OpenSSL looks for those it trusts


class Server(BaseHTTPRequestHandler):
    """Answers by path, and keeps what was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response({"/team/health": 200, "/private/health": 401, "/moved/health": 302}.get(self.path, 404))
        self.send_header("Location", "/team/health")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that signs itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return file


@pytest.fixture
def server(certificate: Path) -> Iterator[str]:
    """Yield the address of a server on the loopback interface."""
    Server.asked = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.parametrize(
    ("path", "status"), [("team", 200), ("team/", 200), ("private", 401), ("moved", 302), ("", 404)]
)
def test_a_server_is_asked_for_its_health_once_and_never_followed(
    server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    monkeypatch.setenv(CA, str(certificate))
    assert probe_tracking.handler({"uri": f"{server}/{path}"}, None) == {"status": status}
    assert Server.asked == [f"/{path}".rstrip("/") + "/health"]


def test_a_certificate_that_nobody_vouches_for_is_no_answer(server: str) -> None:
    found = probe_tracking.handler({"uri": f"{server}/team"}, None)
    assert "CERTIFICATE_VERIFY_FAILED" in found["error"]
    assert Server.asked == []


def test_a_server_that_nobody_runs_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        uri = f"https://127.0.0.1:{taken.getsockname()[1]}/team"
    assert "refused" in tracking_server.probe({"uri": uri})["error"]  # type: ignore[operator]


def test_a_server_that_does_not_speak_is_given_up_in_time() -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert (
            "timed out"
            in tracking_server.probe({"uri": uri}, ask=lambda uri: tracking_server.answers(uri, 0.1))["error"]
        )  # type: ignore[operator]
        assert tracking_server.probe({"uri": uri}, seconds=0.2) == {"error": "no answer within 0.2 seconds"}
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("uri", ["http://169.254.169.254/latest", "file:///etc/passwd", "https://a:b@host", "https://"])
def test_nothing_but_https_is_spoken(uri: str) -> None:
    with pytest.raises(InvalidRequest, match=r"mlflow\.uri"):
        tracking_server.probe({"uri": uri}, ask=lambda _: pytest.fail("asked"))


def resolved(functions: Caller, deployed: Any = DEPLOYED, **settings: Any) -> Findings:
    """Return what is found where the jobs stand in the VPC; the server is what the jobs are told in any case."""
    findings = Findings()
    place = mlflow.resolve(
        findings,
        Mlflow(),
        {"mlflow": {"uri": URI}, "vpc": VPC, **settings},
        role_arn=ROLE,
        region=REGION,
        probes=TrackingProbes(functions=functions, deployed=deployed),
        ask=lambda _: pytest.fail("asked by the plan, which stands in no VPC"),
    )
    assert place == {"uri": URI}
    return findings


@pytest.mark.parametrize("status", [200, 204])
def test_a_server_that_is_reached_leaves_nothing(status: int) -> None:
    functions = Caller({"status": status})
    findings = resolved(functions)
    assert (findings.problems, findings.warnings) == ((), [])
    assert functions.called == [("probe-1", {"uri": URI})]


@pytest.mark.parametrize("status", [302, 401, 404, 503])
def test_a_server_that_refuses_is_a_warning_with_its_status(status: int) -> None:
    findings = resolved(Caller({"status": status}))
    assert findings.problems == ()
    assert findings.warnings == [
        f"The MLflow server {URI} is reached from the VPC of the jobs, and answered GET {URI}/health with HTTP status "
        f"{status}: jobs bring no credentials of ours, and may be refused too."
    ]


def test_a_server_that_is_not_reached_is_a_problem_with_what_was_tried() -> None:
    findings = resolved(Caller({"error": "timed out"}), environment={"LOG_LEVEL": "INFO"})
    assert findings.warnings == []
    assert findings.problems == (
        f"The MLflow server {URI} is not reached from the VPC of the jobs (timed out). Tried: GET {URI}/health from "
        "subnet-a, subnet-b with sg-a. The jobs would not reach it either: put right name, routes, security groups or "
        "certificate, or leave mlflow out.",
    )


def test_a_job_whose_environment_leads_another_way_may_reach_it_all_the_same() -> None:
    environment = {"HTTPS_PROXY": "http://proxy", "MLFLOW_TRACKING_INSECURE_TLS": "true", "OTHER": "1"}
    findings = resolved(Caller({"error": "timed out"}), environment=environment)
    assert findings.problems == ()
    [warning] = findings.warnings
    assert "(timed out)" in warning
    assert warning.endswith(
        "The jobs may reach it all the same, as their environment has HTTPS_PROXY, MLFLOW_TRACKING_INSECURE_TLS."
    )


TIMED_OUT: Mapping[str, str] = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 15.00 seconds"}


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        (Caller(refused=refusal("AccessDeniedException", "Invoke", 403)), "probe-1 could not be called: "),
        (Caller(refused=refusal("ResourceNotFoundException", "Invoke", 404)), "(ResourceNotFoundException)"),
        (Caller(refused=refusal("ResourceConflictException", "Invoke", 409)), "(ResourceConflictException)"),
        (Caller(refused=refusal("TooManyRequestsException", "Invoke", 429)), "(TooManyRequestsException)"),
        (Caller(refused=ReadTimeoutError(endpoint_url="https://lambda")), "Read timeout"),
        (Caller(TIMED_OUT, failed=True), "probe-1 failed: Task timed out after 15.00 seconds."),
    ],
)
def test_a_function_that_cannot_ask_is_a_warning(functions: Caller, words: str) -> None:
    findings = resolved(functions)
    assert findings.problems == ()
    [warning] = findings.warnings
    assert warning.startswith(f"The MLflow server {URI} was not asked from the VPC of the jobs: probe-1 ")
    assert words in warning


def test_a_vpc_without_a_function_is_a_warning_and_no_other_function_is_asked() -> None:
    functions = Caller({"status": 200})
    findings = resolved(functions, deployed=DEPLOYED[:1])
    assert (findings.problems, functions.called) == ((), [])
    assert "no function of this customization stands in that VPC" in findings.warnings[0]


def test_a_mistake_of_ours_is_none_of_the_functions() -> None:
    with pytest.raises(KeyError):
        resolved(Caller(refused=KeyError("x")))

"""Only one request is ever made of what a caller sends, and only what AWS says of it counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import Credentials

from lambda_handlers.approval.approvals import AnswerRefused
from lambda_handlers.approval.attestation import Attestation, Reply, get
from lambda_handlers.approval.binding import Statement, endpoint_of, sts_endpoint
from lambda_handlers.protocol.errors import TransientServiceError
from nova_constructs.cli.approval.signing import presign
from tests.approval.approval_support import ALICE, ENDPOINT, WORKFLOW, attested, presigned

STATEMENT = Statement(workflow=WORKFLOW, run_id="run-1", decision="approve", reason="looks good")


class Sts:
    """Stand in for STS: remember what is sent, and answer the same."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.sent: list[tuple[str, str, Mapping[str, str]]] = []

    def __call__(self, origin: str, path: str, headers: Mapping[str, str]) -> Reply:
        self.sent.append((origin, path, headers))
        return self.reply

    def identity(self, url: object) -> str:
        return Attestation(endpoint=ENDPOINT, region="us-east-1", send=self).identity(url, STATEMENT).arn


def test_the_request_that_is_sent_says_what_the_answer_says() -> None:
    sts = Sts(attested(ALICE))
    assert sts.identity(presigned()) == ALICE
    [(origin, path, headers)] = sts.sent
    assert origin == ENDPOINT
    assert {name: value for name, [value] in parse_qs(urlsplit(path).query).items()} == {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/sts/aws4_request",
        "X-Amz-Date": "20260102T030400Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-nova-decision;x-nova-reason;x-nova-run;x-nova-workflow",
        "X-Amz-Signature": "0" * 64,
    }
    assert headers == STATEMENT.headers()
    assert (headers["x-nova-run"], headers["x-nova-decision"]) == ("run-1", "approve")


def test_what_the_command_line_signs_is_what_the_function_takes() -> None:
    token = "a/b+c==" * 100
    sts = Sts(attested(ALICE, date="Fri, 02 Jan 2026 03:04:05 GMT"))
    url = presign(STATEMENT, Credentials("AKIAIOSFODNN7EXAMPLE", "secret", token), ENDPOINT)
    with pytest.raises(AnswerRefused, match="by the clock of AWS"):  # signed today, answered in January
        sts.identity(url)
    [(_, path, _)] = sts.sent
    assert parse_qs(urlsplit(path).query)["X-Amz-Security-Token"] == [token]


HOSTILE = {
    "another host": presigned("https://evil.example"),
    "the global endpoint": presigned("https://sts.amazonaws.com"),
    "another Region": presigned("https://sts.eu-west-1.amazonaws.com"),
    "no TLS": presigned("http://sts.us-east-1.amazonaws.com"),
    "a port": presigned(f"{ENDPOINT}:443"),
    "upper case": presigned("HTTPS://STS.us-east-1.amazonaws.com"),
    "a user": presigned("https://sts.us-east-1.amazonaws.com@evil.example"),
    "a name before": presigned("https://user@sts.us-east-1.amazonaws.com"),
    "a longer host": presigned("https://sts.us-east-1.amazonaws.com.evil.example"),
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "a file": "file:///etc/passwd",
    "a path": presigned(f"{ENDPOINT}/x"),
    "a path that goes up": presigned(f"{ENDPOINT}/..").replace("//?", "/?"),
    "two slashes": presigned(f"{ENDPOINT}/"),
    "a back slash": presigned("https://evil.example\\@sts.us-east-1.amazonaws.com"),
    "a fragment": presigned() + "#x",
    "a line break": presigned().replace("/?", "/?\r\nHost: evil.example\r\n"),
    "a tab in the scheme": presigned().replace("https", "ht\ttps"),
    "a space": presigned() + " ",
    "no ASCII": presigned().replace("sts", "\u0455ts"),
    "another action": presigned(Action="AssumeRole"),
    "an action twice": presigned() + "&Action=AssumeRole",
    "the same action twice": presigned() + "&Action=GetCallerIdentity",
    "an action in other letters": presigned(Action="getcalleridentity"),
    "no action": presigned(Action=None),
    "another version": presigned(Version="2010-05-08"),
    "a parameter more": presigned(RoleArn="arn:aws:iam::111122223333:role/x"),
    "no signature": presigned(X_Amz_Signature=None),
    "a short signature": presigned(X_Amz_Signature="0" * 63),
    "another algorithm": presigned(X_Amz_Algorithm="AWS4-ECDSA-P256-SHA256"),
    "another service": presigned(X_Amz_Credential="AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fs3%2Faws4_request"),
    "another day": presigned(X_Amz_Credential="AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"),
    "a scope of another Region": presigned(
        X_Amz_Credential="AKIAIOSFODNN7EXAMPLE%2F20260102%2Feu-west-1%2Fsts%2Faws4_request"
    ),
    "no bound headers": presigned(X_Amz_SignedHeaders="host"),
    "the run not bound": presigned(X_Amz_SignedHeaders="host%3Bx-nova-decision%3Bx-nova-reason%3Bx-nova-workflow"),
    "headers of another system": presigned(X_Amz_SignedHeaders="host%3Bx-k8s-aws-id"),
    "an hour": presigned(X_Amz_Expires="3600"),
    "61 seconds": presigned(X_Amz_Expires="61"),
    "no seconds": presigned(X_Amz_Expires="0"),
    "seconds below none": presigned(X_Amz_Expires="-1"),
    "a date that is none": presigned(X_Amz_Date="20260102"),
    "nothing": "",
    "no text": None,
    "a list": [presigned()],
    "too long": presigned(X_Amz_Security_Token="x" * 9000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_request_is_refused_and_never_sent(what: str) -> None:
    sts = Sts(attested(ALICE))
    with pytest.raises(AnswerRefused) as refused:
        sts.identity(HOSTILE[what])
    assert refused.value.name == "IdentityRefused"
    assert sts.sent == []


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Fri, 02 Jan 2026 03:05:01 GMT", "61 seconds ago"),
        ("Fri, 02 Jan 2026 03:02:59 GMT", "61 seconds in the future"),
        ("Sat, 03 Jan 2026 03:04:00 GMT", "86400 seconds ago"),
        ("", "cannot be compared"),
        ("yesterday", "cannot be compared"),
    ],
)
def test_an_old_request_is_refused_by_the_clock_of_aws(date: str, words: str) -> None:
    with pytest.raises(AnswerRefused, match=words):
        Sts(attested(ALICE, date=date)).identity(presigned())


@pytest.mark.parametrize("date", ["Fri, 02 Jan 2026 03:05:00 GMT", "Fri, 02 Jan 2026 03:03:00 GMT"])
def test_a_minute_is_not_too_old(date: str) -> None:
    assert Sts(attested(ALICE, date=date)).identity(presigned()) == ALICE


def test_a_shorter_life_that_was_asked_for_holds() -> None:
    with pytest.raises(AnswerRefused, match="5 seconds ago"):
        Sts(attested(ALICE)).identity(presigned(X_Amz_Expires="4"))


def test_a_date_that_no_calendar_has_is_refused() -> None:
    credential = "AKIAIOSFODNN7EXAMPLE%2F20261399%2Fus-east-1%2Fsts%2Faws4_request"
    with pytest.raises(AnswerRefused, match="cannot be compared"):
        Sts(attested(ALICE)).identity(presigned(X_Amz_Date="20261399T030400Z", X_Amz_Credential=credential))


def test_a_signature_that_aws_does_not_accept_is_refused() -> None:
    body = b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"
    with pytest.raises(AnswerRefused, match=r"this run, decision and reason \(SignatureDoesNotMatch\)"):
        Sts(Reply(403, "", body)).identity(presigned())


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404])
def test_any_other_answer_is_no_identity(status: int) -> None:
    with pytest.raises(AnswerRefused):
        Sts(attested(ALICE, status=status)).identity(presigned())


@pytest.mark.parametrize("body", [b"", b"{}", b"<a/>", b"<a><Arn>x</Arn><Arn>y</Arn></a>"])
def test_an_answer_without_one_arn_is_no_identity(body: bytes) -> None:
    with pytest.raises(AnswerRefused, match="without an ARN"):
        Sts(Reply(200, "Fri, 02 Jan 2026 03:04:05 GMT", body)).identity(presigned())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_fault_of_sts_is_not_the_callers(status: int) -> None:
    with pytest.raises(TransientServiceError):
        Sts(attested(ALICE, status=status)).identity(presigned())


@pytest.mark.parametrize(
    "change", [{"run_id": "run-2"}, {"decision": "reject"}, {"reason": "other"}, {"workflow": WORKFLOW + "x"}]
)
def test_every_part_of_the_statement_is_signed(change: dict[str, str]) -> None:
    said = {"workflow": WORKFLOW, "run_id": "run-1", "decision": "approve", "reason": "looks good"}
    headers, other = Statement(**said).headers(), Statement(**{**said, **change}).headers()
    assert sorted(headers) == sorted(other)
    assert sum(headers[name] != other[name] for name in headers) == 1
    assert set(Statement(**said).signed_headers().split(";")) == {"host", *headers}


@pytest.fixture
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """Serve a redirect to the same server, and list the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_redirect_is_followed_and_no_proxy_asked(
    redirecting: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, asked = redirecting
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert get(origin, "/?Action=GetCallerIdentity", {"x-nova-run": "run-1"}).status == 302
    assert asked == ["/?Action=GetCallerIdentity"]


def test_an_sts_that_nobody_answers_for_is_a_fault_that_passes() -> None:
    with pytest.raises(TransientServiceError, match="cannot be reached"):
        get("http://127.0.0.1:1", "/", {})


def test_the_endpoint_is_that_of_the_region_or_the_configured_one() -> None:
    assert sts_endpoint("us-east-1") == ENDPOINT
    assert sts_endpoint("us-east-1", "http://localhost:4566/") == "http://localhost:4566"


@pytest.mark.parametrize(
    ("presigned", "endpoint"),
    [
        ("https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity", ENDPOINT),
        ("https://sts.amazonaws.com/?Action=GetCallerIdentity", ENDPOINT),
        ("http://localhost:4566/?Action=GetCallerIdentity", "http://localhost:4566"),
        ("https://vpce-1.sts.us-east-1.vpce.amazonaws.com/?A=B", "https://vpce-1.sts.us-east-1.vpce.amazonaws.com"),
    ],
)
def test_the_function_redeems_where_its_own_client_would_ask(presigned: str, endpoint: str) -> None:
    assert endpoint_of(presigned, "us-east-1") == endpoint

"""sts:GetCallerIdentity says who calls, and a presigned request of it holds for what was signed and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SIGV4_TIMESTAMP
from botocore.credentials import Credentials

from lambda_handlers.approval.approvals import AnswerRefused
from lambda_handlers.approval.attestation import Attestation, get
from lambda_handlers.approval.binding import Statement
from nova_constructs.cli.approval.signing import presign
from nova_constructs.emulator import Emulator
from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY

WORKFLOW = "arn:aws:states:us-east-1:123456789012:stateMachine:demo"
SAID = Statement(workflow=WORKFLOW, run_id="run-1", decision="approve", reason="fine")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def people(emulator: Emulator) -> dict[str, Credentials]:
    """Return credentials of a user, a role's session and the operator by their ARN."""
    client = emulator.client("iam")
    client.create_user(UserName="alice", Path="/team/")
    key = client.create_access_key(UserName="alice")["AccessKey"]
    client.create_role(RoleName="Release", Path="/x/", AssumeRolePolicyDocument=json.dumps(TRUST))
    role = emulator.client("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/x/Release", RoleSessionName="bob"
    )["Credentials"]
    return {
        "arn:aws:iam::123456789012:user/team/alice": Credentials(key["AccessKeyId"], key["SecretAccessKey"]),
        "arn:aws:sts::123456789012:assumed-role/Release/bob": Credentials(
            role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"]
        ),
        "arn:aws:iam::123456789012:root": Credentials(OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY),
    }


def attestation(emulator: Emulator) -> Attestation:
    return Attestation(endpoint=emulator.state.endpoint, region="us-east-1", send=get)


def test_everybody_is_told_who_they_are(emulator: Emulator, people: dict[str, Credentials]) -> None:
    for arn, keys in people.items():
        client = client_as(emulator.state, "sts", (keys.access_key, keys.secret_key, keys.token or ""))
        found = client.get_caller_identity()
        assert (found["Arn"], found["Account"]) == (arn, "123456789012")


def test_a_presigned_request_tells_who_signed_it(emulator: Emulator, people: dict[str, Credentials]) -> None:
    for arn, keys in people.items():
        url = presign(SAID, keys, emulator.state.endpoint)
        assert attestation(emulator).identity(url, SAID).arn == arn


@pytest.mark.parametrize(
    "other",
    [
        Statement(workflow=WORKFLOW, run_id="run-2", decision="approve", reason="fine"),
        Statement(workflow=WORKFLOW, run_id="run-1", decision="reject", reason="fine"),
        Statement(workflow=WORKFLOW, run_id="run-1", decision="approve", reason="other"),
        Statement(workflow=f"{WORKFLOW}2", run_id="run-1", decision="approve", reason="fine"),
    ],
)
def test_it_holds_for_nothing_else(emulator: Emulator, people: dict[str, Credentials], other: Statement) -> None:
    url = presign(SAID, next(iter(people.values())), emulator.state.endpoint)
    with pytest.raises(AnswerRefused, match="SignatureDoesNotMatch"):
        attestation(emulator).identity(url, other)


def test_a_forged_signature_is_refused(emulator: Emulator, people: dict[str, Credentials]) -> None:
    for keys in people.values():
        forged = Credentials(keys.access_key, "a guess", keys.token)
        with pytest.raises(AnswerRefused, match="SignatureDoesNotMatch"):
            attestation(emulator).identity(presign(SAID, forged, emulator.state.endpoint), SAID)


def test_a_key_of_nobody_is_refused(emulator: Emulator) -> None:
    nobody = Credentials("AKIAAAAAAAAAAAAAAAAA", "")
    with pytest.raises(AnswerRefused, match=r"SignatureDoesNotMatch|InvalidClientTokenId"):
        attestation(emulator).identity(presign(SAID, nobody, emulator.state.endpoint), SAID)


@pytest.mark.parametrize(("minutes", "words"), [(5, "300 seconds ago"), (16, "SignatureDoesNotMatch")])
def test_an_old_request_is_refused(
    emulator: Emulator, people: dict[str, Credentials], monkeypatch: pytest.MonkeyPatch, minutes: int, words: str
) -> None:
    then = datetime.now(UTC) - timedelta(minutes=minutes)
    url = _signed_at(then, next(iter(people.values())), emulator.state.endpoint, monkeypatch)
    with pytest.raises(AnswerRefused, match=words.replace("300", r"30\d")):
        attestation(emulator).identity(url, SAID)


def _signed_at(then: datetime, keys: Credentials, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: then, raising=False)
        url = presign(SAID, keys, endpoint)
    assert then.strftime(SIGV4_TIMESTAMP) in url
    return url


def test_other_presigned_requests_are_not_touched(emulator: Emulator) -> None:
    s3: Any = emulator.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="a", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "a-bucket", "Key": "a"})
    origin, _, path = url.partition("/a-bucket")
    assert get(origin, f"/a-bucket{path}", {}).body == b"x"

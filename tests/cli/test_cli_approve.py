"""`nova approve` and `nova reject`: what they send, what they say, and how they end."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nova_constructs.cli.run import target, waiting
from tests.cli.cli_support import MACHINE, FakeAws, Nova, execution, stack


class Account(FakeAws):
    """An account whose function says `told` of each answer, and whose table has `item`."""

    def __init__(self) -> None:
        described = stack()
        more = {"SupportApprovalFunctionName": "answer", "SupportRunControlTableName": "control"}
        described["Outputs"] += [{"OutputKey": key, "OutputValue": value} for key, value in more.items()]
        super().__init__(described)
        self.executions["run-1"] = execution("run-1", "RUNNING")
        self.sent: list[dict[str, Any]] = []
        self.told: dict[str, Any] = {}
        self.failed = False
        self.item: dict[str, Any] = {}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "answer"
        self.sent.append(json.loads(Payload))
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self.told).encode())}
        return {**answer, "FunctionError": "Unhandled"} if self.failed else answer

    def get_item(self, *, TableName: str, ProjectionExpression: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        assert (TableName, ProjectionExpression) == ("control", "#deadline, #decision, #requester")
        return {"Item": self.item} if self.item else {}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(target, "client", made.client)
    for name in ("NOVA_STACK", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    return made


ACCEPTED = {
    "accepted": True,
    "run_id": "run-1",
    "decision": "APPROVED",
    "by": "arn:aws:iam::123456789012:user/alice",
    "reason": "fine",
    "at": "2026-11-22T10:00:00.000000Z",
    "sentence": "Approved by arn:aws:iam::123456789012:user/alice at 2026-11-22T10:00:00.000000Z: fine",
    "repeated": False,
}


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_an_answer_carries_a_signed_request_and_no_secret(account: Account, nova: Nova, verb: str) -> None:
    account.told = ACCEPTED
    ran = nova(verb, "run-1", "--reason", "fine")
    assert (ran.code, ran.out) == (0, f"Run run-1: {ACCEPTED['sentence']}\n")
    [sent] = account.sent
    assert (sent["run"], sent["decision"], sent["reason"]) == ("run-1", verb, "fine")
    parts = urlsplit(sent["identity"])
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "sts.us-east-1.amazonaws.com", "/")
    query = {name: value for name, [value] in parse_qs(parts.query).items()}
    assert (query["Action"], query["X-Amz-Expires"]) == ("GetCallerIdentity", "60")
    assert query["X-Amz-SignedHeaders"] == "host;x-nova-decision;x-nova-reason;x-nova-run;x-nova-workflow"
    assert "very-secret" not in json.dumps(sent)


def test_with_json_stdout_is_one_object(account: Account, nova: Nova) -> None:
    account.told = {**ACCEPTED, "repeated": True}
    ran = nova("approve", "run-1", "--reason", "fine", "--json")
    assert (ran.code, json.loads(ran.out)["repeated"], "accepted" in json.loads(ran.out)) == (0, True, False)


def test_a_refused_answer_is_one_sentence_and_exit_code_1(account: Account, nova: Nova) -> None:
    account.told = {"accepted": False, "error": "AlreadyAnswered", "cause": "Run run-1 has its answer."}
    ran = nova("approve", "run-1", "--reason", "fine")
    assert (ran.code, ran.out, ran.err) == (1, "", "Error: Run run-1 has its answer.\n")
    ran = nova("approve", "run-1", "--reason", "fine", "--json")
    assert (ran.code, json.loads(ran.out)) == (
        1,
        {"run_id": "run-1", "error": "AlreadyAnswered", "cause": "Run run-1 has its answer."},
    )


def test_a_function_that_fails_is_told(account: Account, nova: Nova) -> None:
    account.told, account.failed = {"errorMessage": "AWS STS cannot be reached"}, True
    ran = nova("approve", "run-1", "--reason", "fine")
    assert ran.code == 1
    assert "send it again: AWS STS cannot be reached" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run-1",), "--reason"),
        (("run-1", "--reason", "  "), "reason is empty"),
        (("run-1", "--reason", "x\n\x1b[2J"), "control characters"),
        (("run-1", "--reason", "x" * 1001), "1001 characters"),
        (("run-9", "--reason", "fine"), "no such run"),
        ((), "RUN"),
    ],
)
def test_bad_use_is_exit_code_2_and_sends_nothing(
    account: Account, nova: Nova, arguments: tuple[str, ...], words: str
) -> None:
    ran = nova("approve", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert "\x1b" not in ran.err
    assert account.sent == []
    told = json.loads(nova("reject", *arguments, "--json").out)
    assert told["error"] == "InvalidRequest"


def test_a_customization_that_asks_nobody_takes_no_answer(aws: FakeAws, nova: Nova) -> None:
    aws.executions["run-1"] = execution("run-1", "RUNNING")
    ran = nova("approve", "run-1", "--reason", "fine")
    assert ran.code == 2
    assert "wait for nobody's approval" in ran.err


def waits(**more: str) -> dict[str, Any]:
    return {"deadline": {"N": "1795000000"}, "decision": {"S": ""}, "requester": {"S": "arn:me"}, **more}


def test_a_run_that_waits_says_so_and_how_to_answer(account: Account, nova: Nova) -> None:
    account.item = waits()
    shown = nova("run", "show", "run-1")
    assert shown.code == 0
    assert shown.out.startswith("Run run-1  AWAITING_APPROVAL\n")
    assert "nova approve run-1 --stack NovaSupport --customization Support --reason WHY" in shown.out
    assert "nova reject run-1 " in shown.out
    told = json.loads(nova("run", "show", "run-1", "--json").out)
    assert (told["status"], told["awaited"]["deadline"]) == ("AWAITING_APPROVAL", "2026-11-18T11:06:40+00:00")
    assert [each["status"] for each in json.loads(nova("run", "list", "--json").out)] == ["AWAITING_APPROVAL"]


@pytest.mark.parametrize("item", [{}, {**waits(), "decision": {"S": "APPROVED"}}])
def test_a_run_that_does_not_wait_is_running(account: Account, nova: Nova, item: dict[str, Any]) -> None:
    account.item = item
    told = json.loads(nova("run", "show", "run-1", "--json").out)
    assert (told["status"], told["awaited"]) == ("RUNNING", None)


def test_who_starts_a_run_is_attested_before_it_starts(account: Account, nova: Nova) -> None:
    account.told = {"accepted": True, "run_id": "x", "requester": "arn:me"}
    ran = nova("run", "start", "s3://incoming/datasets/a.jsonl", "--json")
    run_id = json.loads(ran.out)["run_id"]
    [sent] = account.sent
    assert (sent["run"], sent["decision"], sent["reason"]) == (run_id, "start", "")
    assert account.calls[-1][1]["stateMachineArn"] == MACHINE


def test_a_run_whose_requester_is_refused_does_not_start(account: Account, nova: Nova) -> None:
    account.told = {"accepted": False, "error": "IdentityRefused", "cause": "Your identity could not be established."}
    ran = nova("run", "start", "s3://incoming/datasets/a.jsonl")
    assert (ran.code, account.calls) == (1, [])
    assert "could not be established" in ran.err


def test_a_run_that_deploys_nothing_needs_no_requester(account: Account, nova: Nova) -> None:
    assert nova("run", "start", "s3://incoming/datasets/a.jsonl", "--mode", "train").code == 0
    assert account.sent == []


def test_waiting_for_a_run_tells_once_that_it_waits_for_approval(
    account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    account.told, account.item, looks = {"accepted": True, "run_id": "x", "requester": "arn:me"}, waits(), []
    described = account.describe_execution

    def describe(*, executionArn: str) -> dict[str, Any]:  # noqa: N803
        looks.append(executionArn)
        run_id = executionArn.rsplit(":", 1)[1]
        if len(looks) == 4:
            account.item = waits(decision={"S": "APPROVED"})  # type: ignore[arg-type]
        if len(looks) > 5:
            account.executions[run_id] = execution(run_id, "SUCCEEDED", output={"status": "SUCCEEDED"})
            account.records[f"runs/{run_id}/record.json"] = {}
        return described(executionArn=executionArn)

    monkeypatch.setattr(account, "describe_execution", describe)
    ran = nova("run", "start", "s3://incoming/datasets/a.jsonl", "--wait", "--json")
    run_id = json.loads(ran.out)["run_id"]
    assert (ran.code, ran.err.count("waits for approval until")) == (0, 1)
    assert f"    nova approve {run_id} --stack NovaSupport --customization Support --reason WHY\n" in ran.err
    assert f"    nova reject {run_id} " in ran.err

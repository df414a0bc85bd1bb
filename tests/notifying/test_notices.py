"""What people and programs are told: text, subject, attributes, JSON by its schema, and what is not told at all."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from lambda_handlers.notifying import advice
from lambda_handlers.notifying.decisions import TYPES, notice_of
from lambda_handlers.notifying.names import EVENTS
from lambda_handlers.notifying.notice import Notice
from lambda_handlers.notifying.operations import notice_of_alarm
from lambda_handlers.notifying.sending import message_of
from lambda_handlers.protocol import errors
from tests.notifying.notifying_support import DETAILS, PLACE, ROWS, SCHEMA, noticed, recorded

ALARM: dict[str, Any] = {
    "id": "e-1",
    "detail-type": "CloudWatch Alarm State Change",
    "time": "2026-01-02T03:04:05Z",
    "detail": {
        "alarmName": "Stalled-1",
        "state": {"value": "ALARM", "reason": "no datapoints"},
        "previousState": {"value": "OK"},
        "configuration": {"description": "Nova Constructs: the reconciler made no successful pass."},
    },
}
HINTS = {
    "JobFailed": "nova logs run-1 --stack Nova-Demo --customization Demo",
    "DeploymentFailed": "nova run start --mode deploy --base-run run-1 --stack Nova-Demo --customization Demo",
    "DatasetRejected": "upload the dataset again",
    "QuotaExceeded": "Service Quotas",
    "RunTooOld": "max_run_age",
    "Sandbox.Timedout": "Look at what the run did",
}
WORDS = {
    "run_started": ["mode full over s3://incoming/datasets/a.jsonl", "trigger Data (dataset)", "new catalogue"],
    "run_queued": ["waits for its turn. Run run-0 works.", "Started by: unknown"],
    "rows_rejected": ["2 of 40 rows", "s3://quarantine/runs/run-1/quarantine.jsonl", "Stage:      more"],
    "dataset_rejected": ["5 % of the rows are rejected", "data.max_reject_ratio"],
    "gate_passed": ["Passed: mmlu accuracy is 0.71.", "passed: mmlu accuracy is 0.71, at least 0.2"],
    "gate_failed": ["failed: mmlu accuracy is missing", "nova eval show run-1 --stack Nova-Demo"],
    "approval_requested": [
        "waits for approval until 2026-01-02 04:04 UTC",
        "ends REJECTED and production stays as it is",
        "mmlu (candidate) accuracy = 0.71",
        "Every criterion holds.",
        "arn:aws:iam::111122223333:user/alice",
        "s3://customer-escrow-111122223333-smtj-1/checkpoint",
        "nova approve run-1 --stack Nova-Demo --customization Demo --reason WHY",
        "nova reject run-1 --stack Nova-Demo --customization Demo --reason WHY",
    ],
    "approval_answered": ["Approved by bob: scores hold"],
    "approval_expired": ["Nobody answered by", "nova run start --mode deploy --base-run run-1"],
    "deployed": ["is in production: arn:aws:bedrock", "Before: nothing", "/nova/pointer"],
    "rolled_back": ["The model of run run-2", "run run-1 serves again", "it rambles", "alice"],
    "run_succeeded": ["has succeeded."],
    "run_rejected": ["has been rejected. Rejected by bob: too long"],
    "run_skipped": ["has been skipped. Run run-0 works."],
    "run_failed": ["has failed. JobFailed: Loss is NaN.", "nova logs run-1"],
}


def check(notice: Notice) -> dict[str, Any]:
    """Return a message as programs get it, after a look at it by the schema."""
    document: dict[str, Any] = json.loads(json.loads(message_of(notice)["Message"])["default"])
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_the_schema_is_one_and_knows_every_event() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["properties"]["event"]["enum"]) == EVENTS
    assert [each["if"]["properties"]["event"]["const"] for each in SCHEMA["allOf"]] == list(EVENTS)
    assert {*DETAILS, "alarm"} == set(EVENTS)
    assert {type for type, _ in DETAILS.values()} == set(TYPES)


@pytest.mark.parametrize("name", DETAILS)
def test_programs_get_what_the_schema_says(name: str) -> None:
    document = check(noticed(name))
    assert (document["event"], document["customization"]) == (name, "Nova-Demo/Demo")
    assert document["run"] == ("run-2" if name == "rolled_back" else "run-1")


@pytest.mark.parametrize("name", DETAILS)
def test_people_get_it_in_words(name: str) -> None:
    notice = noticed(name)
    assert [words for words in WORDS[name] if words not in notice.text] == []
    assert f"nova run show {notice.run} --stack Nova-Demo --customization Demo" in notice.text
    assert json.loads(message_of(notice)["Message"])["email"] == notice.text


def test_what_is_told_twice_has_one_id_and_what_differs_has_another() -> None:
    first, again, other = noticed("deployed"), noticed("deployed"), noticed("deployed", before="arn:earlier")
    assert first.id == again.id == recorded(*DETAILS["deployed"]).hash
    assert other.id != first.id


def test_subscriptions_can_filter() -> None:
    message = message_of(noticed("run_failed"))
    assert {name: each["StringValue"] for name, each in message["MessageAttributes"].items()} == {
        "customization": "Nova-Demo/Demo",
        "event": "run_failed",
        "severity": "error",
        "run": "run-1",
        "status": "FAILED",
    }
    assert message["MessageStructure"] == "json"


@pytest.mark.parametrize("name", DETAILS)
def test_subjects_are_ascii_and_short(name: str) -> None:
    type, detail = DETAILS[name]
    notice = notice_of(recorded(type, detail, run_id="rün\n" + "x" * 90), PLACE)
    assert notice
    assert len(notice.subject) < 100
    assert notice.subject.isascii()
    assert notice.subject.isprintable()


def test_a_subject_says_what_of_whom() -> None:
    assert noticed("approval_requested").subject == "Approval needed: run-1 of Nova-Demo/Demo"


@pytest.mark.parametrize(
    ("type", "detail"),
    [
        ("job_submitted", {}),
        ("model_deployed", {}),
        ("run_skipped", {"reason": "it is told when it is closed"}),
        ("data_prepared", {"rows": {**ROWS, "rejected": 0}}),
        ("run_closed", {"status": "DRY_RUN"}),
    ],
)
def test_what_is_no_decision_is_not_told(type: str, detail: dict[str, Any]) -> None:
    assert notice_of(recorded(type, detail), PLACE) is None


@pytest.mark.parametrize("error", HINTS)
def test_a_failure_says_what_to_do(error: str) -> None:
    notice = noticed("run_failed", error=error)
    assert HINTS[error] in str(check(notice)["next"])
    assert HINTS[error] in notice.text


def test_every_error_of_the_workflow_has_its_own_advice() -> None:
    ours = {each.__name__ for each in errors.WorkflowError.__subclasses__() if each.__module__ == errors.__name__}
    # A decision of the protocol, which ends no run as failed.
    ours -= {"RunLocked", "TurnAwaited", "DuplicateRun", "ApprovalExpired", "LedgerSealed"}
    usual = advice.next_step("something else", "run-1", PLACE)
    assert [name for name in sorted(ours) if advice.next_step(name, "run-1", PLACE) == usual] == []


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_a_run_that_was_ended_has_failed(status: str) -> None:
    assert check(noticed("run_failed", status=status, error=status))["facts"]["status"] == status


def test_what_is_long_is_cut_to_what_a_message_holds() -> None:
    notice = noticed("run_failed", cause="é" * 120_000)
    assert check(notice)["facts"]["cause"].endswith("…")
    _, detail = DETAILS["gate_failed"]
    many = noticed("gate_failed", criteria=[{**detail["criteria"][0], "reason": "é" * 1500}] * 70)
    assert len(check(many)["facts"]["criteria"]) == 25
    for each in (notice, many):
        assert len(message_of(each)["Message"].encode()) + 2000 < 256 * 1024


def test_an_alarm_is_told_too() -> None:
    notice = notice_of_alarm(ALARM, PLACE)
    assert check(notice)["facts"] == {"status": "ALARM", "alarm": "Stalled-1", "reason": "no datapoints"}
    assert (notice.id, notice.subject) == ("e-1", "Alarm: Nova-Demo/Demo")
    assert "the reconciler made no successful pass" in notice.text
    assert "run" not in notice.attributes

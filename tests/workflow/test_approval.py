"""A run that waits for a person, on the emulator: approved, rejected, expired, and what an answer can be instead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.cli import root
from nova_constructs.emulator import Emulator
from tests.workflow import people
from tests.workflow.harness import SPEED, Workflow, synthesize, until

pytestmark = pytest.mark.slow

RULES = {"deadline_hours": 8, "approvers": [people.arn("alice"), people.role_arn("Release")]}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization that asks for approval, in an account with people."""
    assembly = synthesize(tmp_path_factory.mktemp("approval"), approval=RULES)
    with Emulator(speed=SPEED) as emulator:
        made = Workflow(emulator, assembly)
        people.enter(made)
        yield made


@pytest.fixture
def nova(workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `nova` as somebody; return exit code, stdout and stderr."""

    def run(who: str, *arguments: str) -> tuple[int, str, str]:
        for name, value in people.environment(workflow, who).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which keeps the credentials of whoever came first
        capsys.readouterr()
        code = root.run(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def asked(workflow: Workflow) -> tuple[str, str]:
    """Return execution and run id of a run that waits for an answer."""
    arn = workflow.upload()
    people.wait_until_asked(workflow, arn)
    return arn, arn.rsplit(":", 1)[1]


def ends_rejected(workflow: Workflow, arn: str) -> dict[str, Any]:
    """Assert that a run ends as one that was not approved; return its output."""
    before = workflow.pointer()
    ended = workflow.finish(arn)
    output: dict[str, Any] = json.loads(ended["output"])
    assert (ended["status"], output["status"]) == ("SUCCEEDED", "REJECTED"), ended.get("cause")
    assert "ImportModel" not in workflow.path(arn)
    assert workflow.pointer() == before
    assert workflow.record(arn.rsplit(":", 1)[1])["status"] == "REJECTED"
    workflow.nothing_left_running()
    return output


def test_approved(workflow: Workflow, nova: Any) -> None:
    before = workflow.pointer()
    arn, run = asked(workflow)
    code, shown, _ = nova("operator", "run", "show", run, "--json")
    waits = json.loads(shown)
    assert (code, waits["status"]) == (0, "AWAITING_APPROVAL")
    assert waits["awaited"]["commands"][0].startswith(f"nova approve {run} --stack Nova-Demo --customization Demo")
    assert workflow.pointer() == before

    code, out, err = nova("alice", "approve", run, "--reason", "scores hold", "--json")
    assert code == 0, err
    assert {name: json.loads(out)[name] for name in ("run_id", "decision", "by", "reason", "repeated")} == {
        "run_id": run,
        "decision": "APPROVED",
        "by": people.arn("alice"),
        "reason": "scores hold",
        "repeated": False,
    }
    ended = workflow.finish(arn)
    output = json.loads(ended["output"])
    assert (output["status"], output["approval"]["by"]) == ("SUCCEEDED", people.arn("alice"))
    assert workflow.pointer() == output["deployment_arn"] != before
    events = workflow.record(run)["ledger"]
    told = {event["type"]: event["detail"] for event in events}
    assert told["approval_answered"]["by"] == people.arn("alice")
    assert told["approval_requested"]["scores"][0]["metrics"]
    assert "AwaitApproval" in workflow.path(arn)

    code, _, err = nova("alice", "reject", run, "--reason", "changed my mind")
    assert code == 1
    assert "has its answer" in err
    assert people.arn("alice") in err


def test_rejected(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    code, out, err = nova("carol", "reject", run, "--reason", "too long")
    assert code == 0, err
    assert "Rejected by arn:aws:sts::123456789012:assumed-role/Release/carol" in out
    output = ends_rejected(workflow, arn)
    assert output["cause"].endswith(": too long")
    assert "assumed-role/Release/carol" in output["cause"]
    assert nova("operator", "run", "show", run)[0] == 3


def test_expired(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    output = ends_rejected(workflow, arn)
    assert output["cause"].startswith("Nobody answered by ")
    assert output["approval"]["decision"] == "EXPIRED"
    assert workflow.path(arn)[-5:] == [
        *("AwaitApproval", "SettleApproval", "ApprovalDecision", "CloseRejectedRun", "RunRejected")
    ]
    assert "approval_expired" in workflow.events(run)
    code, out, _ = nova("alice", "approve", run, "--reason", "late", "--json")
    assert (code, json.loads(out)["error"]) == (1, "Expired")


def test_the_same_answer_twice_is_one(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    with workflow.emulator.clock.busy():
        assert nova("alice", "reject", run, "--reason", "no")[0] == 0
        code, out, err = nova("carol", "reject", run, "--reason", "no as well")
    assert (code, people.arn("alice") in out) == (0, True)
    assert "already" in err
    assert ends_rejected(workflow, arn)["approval"]["by"] == people.arn("alice")
    assert workflow.events(run).count("approval_answered") == 1


def test_who_started_a_run_cannot_approve_it(workflow: Workflow, nova: Any, tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_bytes(people.dataset("asked for by alice"))
    code, out, err = nova("alice", "run", "start", str(data), "--json")
    assert code == 0, err
    started = json.loads(out)
    arn, run = started["execution_arn"], started["run_id"]
    people.wait_until_asked(workflow, arn)
    with workflow.emulator.clock.busy():
        code, _, err = nova("alice", "approve", run, "--reason", "mine")
        assert code == 1
        assert "may not answer for it themselves" in err
        assert nova("carol", "approve", run, "--reason", "reviewed")[0] == 0
    assert json.loads(workflow.finish(arn)["output"])["approval"]["by"].endswith("assumed-role/Release/carol")
    told = {event["type"]: event["detail"] for event in workflow.record(run)["ledger"]}
    assert told["approval_requested"]["requester"] == people.arn("alice")


def test_who_may_not_answer_is_refused(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    with workflow.emulator.clock.busy():
        code, out, _ = nova("bob", "approve", run, "--reason", "me too", "--json")
        assert (code, json.loads(out)["error"]) == (1, "NotAllowed")
        assert people.arn("bob") in json.loads(out)["cause"]
        code, _, err = nova("dave", "approve", run, "--reason", "no permission")
        assert (code, "AccessDenied" in err) == (1, True)
        assert nova("alice", "reject", run, "--reason", "done")[0] == 0
    ends_rejected(workflow, arn)


def test_forged_identities_are_refused(workflow: Workflow, nova: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function is called as somebody who may call it, with what proves nobody, or somebody else's answer."""
    arn, run = asked(workflow)
    endpoint = workflow.emulator.state.endpoint
    good = people.presigned(workflow, "alice", run, "approve", "fine")
    forged = {
        "another run": people.presigned(workflow, "alice", "another-run", "approve", "fine"),
        "another answer": people.presigned(workflow, "alice", run, "reject", "fine"),
        "another reason": people.presigned(workflow, "alice", run, "approve", "other"),
        "a guessed secret": people.presigned(workflow, "alice", run, "approve", "fine", secret="guessed"),
        "another host": good.replace(endpoint, "https://sts.us-east-1.amazonaws.com"),
        "another action": good.replace("GetCallerIdentity", "GetSessionToken"),
        "a broken signature": good[:-4] + ("0000" if good[-4:] != "0000" else "1111"),
        "nothing": "",
    }
    with workflow.emulator.clock.busy():
        for what, url in forged.items():
            told = people.answer(workflow, "bob", run, "approve", "fine", url)
            assert (told["accepted"], told["error"]) == (False, "IdentityRefused"), what
        assert workflow.describe(arn)["status"] == "RUNNING"
        assert nova("alice", "reject", run, "--reason", "done")[0] == 0
    ends_rejected(workflow, arn)


def test_a_task_token_of_ones_own_making_is_refused_by_step_functions(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    with workflow.emulator.clock.busy():
        states = workflow.emulator.client("stepfunctions")
        with pytest.raises(states.exceptions.InvalidToken):
            states.send_task_success(taskToken="AAAA", output='{"decision": "APPROVED"}')
        item = people.item(workflow, run)
        assert item["token"]["S"]
        assert item["token"]["S"] not in json.dumps(people.ledger(workflow, run))
        assert nova("alice", "reject", run, "--reason", "done")[0] == 0
    ends_rejected(workflow, arn)


def test_a_run_that_was_aborted_while_it_waited_takes_no_answer(workflow: Workflow, nova: Any) -> None:
    arn, run = asked(workflow)
    workflow.states.stop_execution(executionArn=arn)
    assert workflow.record(run)["status"] == "ABORTED"
    workflow.nothing_left_running()
    code, out, _ = nova("alice", "approve", run, "--reason", "late", "--json")
    assert (code, json.loads(out)["error"]) == (1, "NotWaiting")


def test_an_answer_whose_token_was_lost_is_sent_again(workflow: Workflow, nova: Any) -> None:
    """The function dies between record and token; the same answer, by another person, makes it good."""
    arn, run = asked(workflow)
    with workflow.emulator.clock.busy():
        workflow.emulator.faults.error("stepfunctions", "SendTaskSuccess", "AccessDeniedException", "not now", times=1)
        assert nova("alice", "approve", run, "--reason", "fine")[0] == 1
        assert workflow.describe(arn)["status"] == "RUNNING"
        code, out, _ = nova("carol", "approve", run, "--reason", "fine too")
    assert (code, people.arn("alice") in out) == (0, True)
    assert json.loads(workflow.finish(arn)["output"])["approval"]["by"] == people.arn("alice")


def test_people_are_told_by_the_topic(workflow: Workflow, nova: Any) -> None:
    queue = people.subscribed_queue(workflow)
    arn, run = asked(workflow)
    with workflow.emulator.clock.busy():
        message = until(lambda: people.received(workflow, queue), "the message")
        facts = json.loads(message["Message"])["facts"]
        assert facts["commands"][0].startswith(f"nova approve {run} --stack Nova-Demo")
        assert facts["scores"][0]["metrics"]
        assert message["MessageAttributes"]["run"]["Value"] == run
        assert people.item(workflow, run)["token"]["S"] not in json.dumps(message)
        assert nova("alice", "reject", run, "--reason", "done")[0] == 0
    ends_rejected(workflow, arn)

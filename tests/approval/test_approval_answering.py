"""One answer, of somebody who may, recorded once and told to the state that waits."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.approval.approvals import Approvals
from lambda_handlers.protocol.errors import LockLost, TransientServiceError
from tests.approval.approval_support import ALICE, BOB, CONFIG, NOW, World, attested, presigned, waiting

CAROL = "arn:aws:iam::111122223333:user/carol"


def refused(world: World, who: str, decision: str, error: str, **more: Any) -> str:
    """Assert that an answer is refused and changes nothing; return the words."""
    items, sent = dict(world.control.items), list(world.tasks.sent)
    told = world.say(who, decision, **more)
    assert (told["accepted"], told["error"]) == (False, error)
    assert (world.control.items, world.tasks.sent) == (items, sent)
    return str(told["cause"])


@pytest.mark.parametrize(("said", "decided"), [("approve", "APPROVED"), ("reject", "REJECTED")])
def test_an_answer_is_recorded_with_the_attested_identity(said: str, decided: str) -> None:
    world = waiting(requester=ALICE)
    told = world.say(BOB, said)
    assert (told["accepted"], told["decision"], told["by"], told["repeated"]) == (True, decided, BOB, False)
    [(token, output)] = world.tasks.sent
    assert token == "token-0"
    assert (output["decision"], output["by"], output["reason"]) == (decided, BOB, "looks good")
    assert output["sentence"].startswith(f"{decided.title()} by {BOB} at 2026-01-02T03:04:05")
    kind, detail = world.ledger.events["approval-answered"]
    assert kind == "approval_answered"
    assert (detail["by"], detail["decision"], detail["requester"]) == (BOB, decided, ALICE)


def test_the_token_is_gone_once_it_was_used_and_never_recorded() -> None:
    world = waiting()
    answer = world.say(BOB, "approve")
    approval = Approvals(world.control).get("run-1")
    assert approval
    assert approval.token == ""
    for told in (answer, world.ledger.events, world.tasks.sent[0][1]):
        assert "token-0" not in str(told)
    assert "token" not in repr(approval)


def test_a_second_answer_is_refused_naming_the_first() -> None:
    world = waiting()
    world.say(BOB, "approve")
    words = refused(world, ALICE, "reject", "AlreadyAnswered")
    assert BOB in words
    assert "2026-01-02T03:04:05" in words
    assert "Approved" in words


def test_the_same_answer_again_says_whose_it_is() -> None:
    world = waiting()
    world.say(BOB, "approve")
    told = world.say(ALICE, "approve")
    assert (told["accepted"], told["repeated"], told["by"]) == (True, True, BOB)
    assert len(world.tasks.sent) == 1


def test_the_requester_cannot_answer_for_themselves() -> None:
    world = waiting(requester=ALICE)
    assert ALICE in refused(world, ALICE, "approve", "SelfApproval")
    refused(world, ALICE, "reject", "SelfApproval")
    assert world.say(BOB, "approve")["accepted"]


def test_the_requester_cannot_answer_in_another_session_of_their_role() -> None:
    role = "arn:aws:sts::111122223333:assumed-role/Ml"
    world = waiting(requester=f"{role}/alice")
    assert "another session" in refused(world, f"{role}/not-alice", "approve", "SelfApproval")


def test_the_requester_may_answer_where_it_is_allowed() -> None:
    world = waiting(requester=ALICE, config={**CONFIG, "self_approval": True})
    assert world.say(ALICE, "approve")["accepted"]


def test_who_asked_first_stays_who_asked() -> None:
    world = World(requester=ALICE)
    assert world.say(BOB, "start", reason="")["requester"] == ALICE
    world.ask()
    refused(world, ALICE, "approve", "SelfApproval")


def test_only_approvers_may_answer() -> None:
    world = waiting(config={**CONFIG, "approvers": [BOB, "arn:aws:iam::111122223333:role/Release"]})
    words = refused(world, CAROL, "approve", "NotAllowed")
    assert CAROL in words
    assert BOB in words
    assert world.say(BOB, "approve")["accepted"]


def test_a_stranger_learns_of_no_answer() -> None:
    world = waiting(config={**CONFIG, "approvers": [BOB]})
    world.say(BOB, "approve")
    refused(world, CAROL, "approve", "NotAllowed")


def test_a_run_that_asked_for_nothing_takes_no_answer() -> None:
    words = refused(waiting(), BOB, "approve", "NotWaiting", run="run-9")
    assert words == "Run run-9 does not wait for approval: it has asked for none."
    refused(World(), BOB, "approve", "NotWaiting")


def test_a_run_that_has_ended_takes_no_answer() -> None:
    world = waiting()
    world.end()
    assert "has ended" in refused(world, BOB, "approve", "NotWaiting")


def test_a_late_answer_is_refused() -> None:
    world = waiting()
    world.later(3599)
    world.later(1)
    assert "2026-01-02 04:04 UTC" in refused(world, BOB, "approve", "Expired")
    assert world.settle()["decision"] == "EXPIRED"
    assert "Nobody answered by 2026-01-02 04:04 UTC" in refused(world, BOB, "approve", "Expired")


def test_an_answer_in_the_last_second_counts() -> None:
    world = waiting()
    world.later(3599)
    assert world.say(BOB, "approve")["accepted"]


@pytest.mark.parametrize("place", ["ledger", "tasks"])
def test_an_answer_that_was_recorded_but_not_told_is_told_by_the_same_answer(place: str) -> None:
    world = waiting()
    getattr(world, place).failing = 1
    with pytest.raises(TransientServiceError):
        world.say(BOB, "approve")
    assert world.tasks.sent == []
    told = world.say(CAROL, "approve")
    assert (told["repeated"], told["by"]) == (True, BOB)
    assert world.tasks.sent[0][1]["by"] == BOB
    assert world.ledger.events["approval-answered"][1]["by"] == BOB
    refused(world, CAROL, "reject", "AlreadyAnswered")


def test_an_answer_that_was_never_told_counts_at_the_deadline() -> None:
    world = waiting()
    world.tasks.failing = 1
    with pytest.raises(TransientServiceError):
        world.say(BOB, "approve")
    world.later(3600)
    settled = world.settle()
    assert (settled["decision"], settled["by"]) == ("APPROVED", BOB)
    assert "approval-expired" not in world.ledger.events


def test_a_run_that_ends_while_the_answer_is_under_way_is_told() -> None:
    world = waiting()
    world.tasks.closed.add("token-0")
    succeed = world.tasks.succeed
    world.tasks.succeed = lambda token, output: (world.end(), succeed(token, output))[1]  # type: ignore[method-assign]
    world.ledger.sealed = True
    told = world.say(BOB, "approve")
    assert (told["accepted"], told["error"]) == (False, "NotWaiting")
    assert "before your answer" in told["cause"]


def test_two_answers_at_once_leave_one() -> None:
    world = waiting()
    put, raced = world.control.put, []

    def racing(item: Any, *, replacing: Any) -> Any:
        if not raced:
            raced.append(True)
            assert world.say(ALICE, "reject")["accepted"]
        return put(item, replacing=replacing)

    world.control.put = racing  # type: ignore[method-assign]
    told = world.say(BOB, "approve")
    assert (told["accepted"], told["error"]) == (False, "AlreadyAnswered")
    assert ALICE in told["cause"]
    assert [output["decision"] for _, output in world.tasks.sent] == ["REJECTED"]


GOOD = {"run": "run-1", "decision": "approve", "reason": "fine", "identity": presigned()}
BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "JSON object"),
    "nothing": ({}, "run is missing; decision is missing; reason is missing; identity is missing"),
    "an unknown key": ({**GOOD, "by": ALICE}, "'by' is not known"),
    "a run with a line break": ({**GOOD, "run": "run-1\r\nHost: x"}, "not the id of a run"),
    "a run that is no text": ({**GOOD, "run": 1}, "not the id of a run"),
    "another decision": ({**GOOD, "decision": "APPROVED"}, "neither approve nor reject"),
    "a decision that is no text": ({**GOOD, "decision": ["approve"]}, "neither approve nor reject"),
    "no reason": ({**GOOD, "reason": "  "}, "reason is empty"),
    "a long reason": ({**GOOD, "reason": "x" * 1001}, "1001 characters"),
    "a reason that commands": ({**GOOD, "reason": "x\x1b[2J"}, "control characters"),
    "half a character": ({**GOOD, "reason": "\ud800"}, "control characters"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_malformed_answer_is_refused(what: str) -> None:
    event, words = BAD[what]
    world = waiting()
    told = world.answering(BOB).answer(event)
    assert (told["accepted"], told["error"]) == (False, "InvalidRequest")
    assert words in told["cause"]
    assert world.tasks.sent == []


def test_whoever_aws_does_not_attest_changes_nothing() -> None:
    world = waiting()
    answering = world.answering(BOB)
    told = answering.answer({**GOOD, "identity": presigned("https://evil.example")})
    assert (told["accepted"], told["error"]) == (False, "IdentityRefused")
    assert world.tasks.sent == []


def test_asking_records_on_what_grounds_people_decide_and_no_token() -> None:
    world = waiting(requester=ALICE)
    [(kind, detail)] = world.ledger.events.values()
    assert kind == "approval_requested"
    assert (detail["deadline"], detail["requester"]) == (int(NOW.timestamp()) + 3600, ALICE)
    assert detail["scores"][0]["metrics"] == {"accuracy": 0.71}
    assert detail["gate"]["sentence"] == "Every criterion holds."
    assert "token-0" not in str(detail)


def test_a_retry_of_the_state_takes_the_newer_token_and_keeps_the_deadline() -> None:
    world = waiting()
    world.later(60)
    world.ask("token-1", retry=1)
    world.ask("token-0", retry=0)
    world.say(BOB, "approve")
    assert [token for token, _ in world.tasks.sent] == ["token-1"]
    approval = Approvals(world.control).get("run-1")
    assert approval
    assert approval.deadline == int(NOW.timestamp()) + 3600


def test_an_answer_between_two_tries_of_the_state_is_sent_to_the_newer_token() -> None:
    world = waiting()
    world.say(BOB, "reject")
    assert world.ask("token-1", retry=1) == {"decided": "REJECTED"}
    assert [token for token, _ in world.tasks.sent] == ["token-0", "token-1"]
    assert len([each for each in world.ledger.events if each == "approval-requested"]) == 1


def test_a_state_that_asks_again_after_the_answer_is_told_it() -> None:
    world = waiting()
    world.say(BOB, "approve")
    world.tasks.closed.clear()
    assert world.ask("token-0", retry=0) == {"decided": "APPROVED"}
    assert [token for token, _ in world.tasks.sent] == ["token-0", "token-0"]


def test_a_run_that_lost_its_lock_asks_nobody() -> None:
    world = World()
    world.generation += 1
    with pytest.raises(LockLost):
        world.ask()
    assert world.ledger.events == {}


def test_expiry_is_recorded_once() -> None:
    world = waiting()
    world.later(3600)
    first = world.settle()
    world.later(60)
    assert world.settle() == first
    assert (first["decision"], first["by"]) == ("EXPIRED", None)
    assert first["sentence"] == "Nobody answered by 2026-01-02 04:04 UTC."
    assert world.ledger.events["approval-expired"][0] == "approval_expired"
    approval = Approvals(world.control).get("run-1")
    assert approval
    assert approval.token == ""


def test_a_state_that_never_came_to_ask_expires_too() -> None:
    world = World()
    assert world.settle()["decision"] == "EXPIRED"
    refused(world, BOB, "approve", "Expired")


def test_attestation_is_asked_for_the_run_and_decision_of_the_answer() -> None:
    world = waiting()
    seen: list[Any] = []
    answering = world.answering(BOB)
    object.__setattr__(answering.attestation, "send", lambda *call: (seen.append(call), attested(BOB))[1])
    answering.answer(GOOD)
    [(_, _, headers)] = seen
    assert (headers["x-nova-run"], headers["x-nova-decision"]) == ("run-1", "approve")

"""`nova rollback`: what it asks the function for, that it asks before, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_constructs.cli import aws
from tests.cli.cli_support import Nova, stack
from tests.cli.models_support import Account, Terminal

PLAN = {"live": {"arn": "arn:new", "run_id": "r4"}, "to": {"arn": "arn:old", "run_id": "r3"}}
DONE = {"status": "ROLLED_BACK", "withdrawn": "arn:new", "live": {"arn": "arn:old", "run_id": "r3"}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    made.answers = [(PLAN, False), (DONE, False)]
    monkeypatch.setattr(aws, "client", made.client)
    monkeypatch.delenv("NOVA_STACK", raising=False)
    return made


def refusal(kind: str, message: str) -> list[tuple[dict[str, Any], bool]]:
    return [({"errorType": kind, "errorMessage": message}, True)]


def test_it_withdraws_what_was_shown_with_reason_and_claim(account: Account, nova: Nova) -> None:
    ran = nova("rollback", "--reason", "it stammers", "--yes", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, DONE)
    assert account.invoked == [
        {"action": "PLAN", "to": None},
        {
            "action": "ROLL_BACK",
            "to": "r3",
            "expected": PLAN["live"],
            "reason": "it stammers",
            "claim": "arn:aws:iam::123456789012:user/me",
        },
    ]


def test_to_names_the_run(account: Account, nova: Nova) -> None:
    ran = nova("rollback", "--to", "r3", "--yes")
    assert (ran.code, ran.out) == (0, "Support is served by arn:old of run r3\n")
    assert account.invoked[0] == {"action": "PLAN", "to": "r3"}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_pipe_without_yes_says_what_would_be_done_and_does_nothing(
    account: Account, nova: Nova, arguments: tuple[str, ...]
) -> None:
    ran = nova("rollback", *arguments)
    told = json.loads(ran.out)["cause"] if arguments else ran.err
    assert ran.code == 2
    assert "From arn:new of run r4 back to arn:old of run r3" in told
    assert "--yes" in told
    assert [each["action"] for each in account.invoked] == ["PLAN"]


@pytest.mark.parametrize(("says", "code", "done"), [("n\n", 2, ["PLAN"]), ("y\n", 0, ["PLAN", "ROLL_BACK"])])
def test_a_terminal_is_asked(
    account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch, says: str, code: int, done: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(says))
    ran = nova("rollback")
    assert ran.code == code
    assert "From arn:new of run r4 back to arn:old of run r3? [y/N]:" in ran.err
    assert [each["action"] for each in account.invoked] == done


def test_with_json_a_terminal_is_not_asked(account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert nova("rollback", "--json").code == 2
    assert [each["action"] for each in account.invoked] == ["PLAN"]


def test_nothing_to_go_back_to_is_bad_input_and_what_does_not_answer_a_failure(account: Account, nova: Nova) -> None:
    account.answers = refusal("InvalidRequest", "r4 was the first in production")
    ran = nova("rollback", "--yes", "--json")
    assert (ran.code, json.loads(ran.out)["error"]) == (2, "InvalidRequest")
    account.answers = [(PLAN, False), *refusal("DeploymentFailed", "arn:old does not answer")]
    ran = nova("rollback", "--yes")
    assert (ran.code, "arn:old does not answer" in ran.err) == (1, True)


def test_a_customization_that_deploys_nothing_has_nothing_to_roll_back(account: Account, nova: Nova) -> None:
    account.stacks = [stack()]
    ran = nova("rollback", "--yes")
    assert (ran.code, account.invoked) == (2, [])
    assert "deploys nothing" in ran.err

"""`nova models list|prune`: what there is and where it stands, and that nothing goes unless somebody has confirmed."""

from __future__ import annotations

import json

import pytest

from nova_constructs.cli import aws
from tests.cli.cli_support import Nova
from tests.cli.models_support import PARAMETER, TAG, Account, Terminal, deployment_arn, model_arn


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account where four runs served: the last is live, the one before it is for a rollback."""
    made = Account()
    made.served("r1", "r2", "r3", "r4")
    monkeypatch.setattr(aws, "client", made.client)
    monkeypatch.delenv("NOVA_STACK", raising=False)
    return made


def test_everything_is_listed_with_its_standing_and_its_cost(account: Account, nova: Nova) -> None:
    told = json.loads(nova("models", "list", "--json").out)
    standings = {(each["kind"], each["run_id"]): each["standing"] for each in told}
    expected = {"r1": "retired", "r2": "retired", "r3": "rollback", "r4": "live"}
    assert standings == {(kind, run): each for run, each in expected.items() for kind in ("model", "deployment")}
    assert {each["usd_per_hour"] for each in told} == {0.0}
    shown = nova("models", "list").out
    assert "USD PER HOUR" in shown
    assert "0; billed by the token" in shown


def test_the_hour_of_provisioned_throughput_is_known_where_the_stack_was_told(account: Account, nova: Nova) -> None:
    arn = account.provisioned("r4", units=2)
    [told] = [each for each in json.loads(nova("models", "list", "--json").out) if each["arn"] == arn]
    assert (told["usd_per_hour"], told["cost"]) == (None, "not known; 2 model units")
    price = {"OutputKey": "SupportUsdPerUnitHour", "OutputValue": "21.18"}
    account.stacks[0]["Outputs"].append(price)
    [told] = [each for each in json.loads(nova("models", "list", "--json").out) if each["arn"] == arn]
    assert (told["usd_per_hour"], told["cost"]) == (42.36, "42.36; 2 model units")


def test_a_pipe_without_yes_names_what_would_go_and_removes_nothing(account: Account, nova: Nova) -> None:
    for arguments in ((), ("--json",)):
        ran = nova("models", "prune", *arguments)
        told = ran.err if not arguments else json.loads(ran.out)["cause"]
        assert ran.code == 2
        assert "4 would be removed, and nobody is here to confirm it" in told
        assert "deployment r1" in told
        assert "r3" not in told
    assert account.removed == []


def test_a_terminal_shows_and_asks_and_a_no_removes_nothing(
    account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    ran = nova("models", "prune")
    assert (ran.code, account.removed) == (2, [])
    assert "Remove these 4? [y/N]:" in ran.err
    assert "retired" in ran.out
    assert "live" not in ran.out
    assert "nothing was removed" in ran.err


def test_a_yes_on_a_terminal_removes_what_was_shown(
    account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    ran = nova("models", "prune")
    assert ran.code == 0
    assert "removed deployment r1\n" in ran.out
    assert account.runs_left() == ["r3", "r4"]
    # What serves goes before what it serves.
    assert account.removed.index(deployment_arn("r1")) < account.removed.index(model_arn("r1"))
    assert nova("models", "prune").err == "There is nothing to remove.\n"


def test_with_json_a_terminal_is_not_asked(account: Account, nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert (nova("models", "prune", "--json").code, account.removed) == (2, [])
    ran = nova("models", "prune", "--yes", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["customization"], told["left"]) == (0, TAG, [])
    assert sorted({each["run_id"] for each in told["removed"]}) == ["r1", "r2"]


def test_what_cannot_be_removed_now_is_named_with_the_reason(account: Account, nova: Nova) -> None:
    account.busy.add(model_arn("r1"))
    ran = nova("models", "prune", "--yes", "--json")
    told = json.loads(ran.out)
    assert (ran.code, [each["arn"] for each in told["left"]]) == (1, [model_arn("r1")])
    assert "in use" in told["left"][0]["why"]


def test_the_live_one_is_not_removed_while_its_stack_is_there(account: Account, nova: Nova) -> None:
    ran = nova("models", "prune", "--live-too", "--yes")
    assert (ran.code, account.removed) == (2, [])
    assert "delete the stack NovaSupport first" in ran.err


def test_after_the_stack_they_are_found_by_their_tag_alone(account: Account, nova: Nova) -> None:
    account.stacks.clear()
    account.tags[model_arn("r1")]["nova-constructs:customization"] = "Another/Support"
    ran = nova("models", "list", "--customization", TAG)
    assert ran.code == 0
    assert f"The stack of {TAG} is gone" in ran.err
    assert nova("models", "prune", "--customization", TAG).code == 2
    assert nova("models", "prune", "--customization", TAG, "--yes").code == 0
    # The pointer's parameter says what callers are sent to; what bears another tag is somebody else's.
    assert sorted(account.things) == sorted(
        [deployment_arn("r1"), model_arn("r1"), deployment_arn("r4"), model_arn("r4")]
    )
    assert account.parameters == {PARAMETER: deployment_arn("r4")}
    last = nova("models", "prune", "--customization", TAG, "--live-too", "--yes", "--json")
    assert (last.code, account.parameters) == (0, {})
    assert not any("r4" in arn for arn in account.things)


def test_a_customization_that_left_nothing_is_said_so(account: Account, nova: Nova) -> None:
    account.stacks.clear()
    ran = nova("models", "list", "--customization", "Nobody/Here")
    assert ran.code == 2
    assert "nothing in Amazon Bedrock carries this customization's tag" in ran.err

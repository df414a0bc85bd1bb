"""`nova drain`: nobody begins, everybody ends, and it is proven; `--undo` brings back what was turned away."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lambda_handlers.protocol.errors import RunLocked
from lambda_handlers.protocol.turns import Concurrency
from nova_constructs.cli.drain import work
from tests.cli.cli_support import Nova, execution
from tests.cli.drain_support import DrainAccount
from tests.cli.models_support import TAG, Terminal

ME = "arn:aws:iam::123456789012:user/me"
Script = Callable[..., None]


@pytest.fixture
def account(drained_account: DrainAccount) -> DrainAccount:
    return drained_account


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Take one step each time the command waits; it must not wait for more."""

    def script(*steps: Callable[[], None]) -> None:
        left = list(steps)
        monkeypatch.setattr(work.time, "sleep", lambda _seconds: left.pop(0)())

    script()
    return script


def test_it_waits_for_a_run_until_everything_of_it_has_ended(
    account: DrainAccount, nova: Nova, meanwhile: Script
) -> None:
    account.begins("r1")
    account.row("r1", "training", "job-1")
    account.trains("job-1", "r1")

    def execution_ends() -> None:
        account.fake.executions["r1"] = execution("r1", "SUCCEEDED")

    def job_ends() -> None:
        account.row("r1", "training", "job-1", "CLOSED")
        account.jobs["job-1"]["TrainingJobStatus"] = "Stopping"

    meanwhile(
        lambda: None,
        execution_ends,
        lambda: account.ends("r1"),
        job_ends,
        lambda: account.jobs.clear(),
    )
    ran = nova("drain")
    assert ran.code == 0, ran.err
    assert ran.out == "Support is drained: no execution running, no job in progress, no lock held.\n"
    assert [line for line in ran.err.splitlines() if line.startswith("  ")] == [
        "  run r1 is running",
        "  the record of run r1 is not closed",
        "  run r1 holds the lock",
        "  TrainingJob job-1 of run r1, stage training, is OPEN",
        "  TrainingJob job-1 of run r1 is Stopping, and no run waits for it",
    ]
    assert (account.stopped, account.fake.calls) == ([], [])
    with pytest.raises(RunLocked, match=f"being drained since .* by {ME}: no run starts"):
        account.begins("r2")


def test_a_queue_is_sent_away_and_every_policy_keeps_runs_from_beginning(
    account: DrainAccount, nova: Nova, meanwhile: Script
) -> None:
    account.begins("r1")
    with pytest.raises(Exception, match="waits for its turn"):
        account.begins("r2")
    meanwhile(lambda: account.ends("r1"), lambda: account.ends("r2"))
    told = json.loads(nova("drain", TAG, "--json").out)
    assert (told["drained"], told["by"], told["turned_away"], told["left"]) == (True, ME, ["r2"], [])
    for policy in Concurrency:
        with pytest.raises(RunLocked, match="nova drain --undo"):
            account.begins("later", policy)
        account.ends("later")
    assert account.lock.turns().generation == 1


def test_stop_asks_before_it_marks_and_stops(
    account: DrainAccount, nova: Nova, meanwhile: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.begins("r1")
    assert "1 would be stopped, and nobody is here to confirm it" in nova("drain", "--stop").err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert (nova("drain", "--stop").code, account.lock.turns().draining, account.fake.calls) == (2, None, [])
    meanwhile(lambda: account.ends("r1", "ABORTED"))
    ran = nova("drain", "--stop", "--reason", "the stack goes", "--yes", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["drained"], told["stopped"]) == (0, True, ["r1"])
    [(call, request)] = account.fake.calls
    assert (call, request["error"]) == ("stop_execution", "Drained")
    assert request["cause"] == f"nova drain by {ME}: the stack goes"


def test_what_is_left_after_the_timeout_is_named_and_the_mark_stays(
    account: DrainAccount, nova: Nova, meanwhile: Script
) -> None:
    account.begins("r1")
    account.fake.executions["r1"] = execution("r1", "FAILED")
    account.row("r1", "training", "job-1")
    ran = nova("drain", "--timeout", "0s", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["drained"]) == (1, False)
    assert [(each["kind"], each["run_id"]) for each in told["left"]] == [
        ("record", "r1"), ("lock", "r1"), ("TrainingJob", "r1")
    ]  # fmt: skip
    again = nova("drain", "--timeout", "0s")
    assert again.code == 1
    assert "left: run r1 holds the lock" in again.err
    assert "After 0 s this was left, and no run starts" in again.err
    assert account.lock.turns().draining


def test_the_services_have_the_last_word_and_stop_ends_what_no_run_waits_for(
    account: DrainAccount, nova: Nova, meanwhile: Script
) -> None:
    account.trains("lost", "r0")
    account.trains("other", "r0", tag="Another/Support")
    account.trains("private", "", tag=None)
    account.answers_rows("rows", "r0")
    told = json.loads(nova("drain", "--timeout", "0s", "--json").out)
    assert [(each["kind"], each["name"]) for each in told["left"]] == [
        ("TrainingJob", "lost"), ("ModelInvocationJob", "rows")
    ]  # fmt: skip
    assert account.stopped == []

    def both_end() -> None:
        del account.jobs["lost"]
        account.batch.clear()

    meanwhile(both_end)
    told = json.loads(nova("drain", "--stop", "--json").out)
    assert (told["drained"], told["stopped"], account.stopped) == (True, ["lost", "rows"], ["lost", "rows"])


def test_undo_lets_runs_begin_and_what_arrived_wait_again(account: DrainAccount, nova: Nova, meanwhile: Script) -> None:
    kept, started = account.arrived("kept"), account.arrived("late", "r1")
    account.arrived("before", "r0")
    assert json.loads(nova("drain", "--json").out)["arrivals_kept"] == 1
    assert "Nothing starts now. The customization is being drained since " in nova("triggers", "list").err
    for run in ("r1", "r2"):
        with pytest.raises(RunLocked):
            account.begins(run)
    account.fake.executions["r1"]["input"] = json.dumps({"trigger": {"name": "Data"}})
    account.ends("r2", "SUCCEEDED")
    # While one that was turned away has not ended, the same input would count as running.
    stuck = nova("drain", "--undo", "--timeout", "0s")
    assert (stuck.code, "have not ended after 0 s: r1" in stuck.err) == (1, True)
    assert account.lock.turns().draining
    described = account.fake.executions["r1"]["input"]

    def first_ends() -> None:
        account.ends("r1")
        account.fake.executions["r1"]["input"] = described

    meanwhile(first_ends)
    ran = nova("drain", "--undo", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["again"], told["by_hand"]) == (0, {"r1": "Data"}, ["r2"])
    assert [each.id for each in account.arrivals.waiting()] == [kept, started]
    account.begins("r3")
    assert "was not being drained" in nova("drain", "--undo").out


def test_what_stays_is_told_with_its_cost(account: DrainAccount, nova: Nova) -> None:
    account.served("r1")
    account.provisioned("r1", units=2)
    price = {"OutputKey": "SupportUsdPerUnitHour", "OutputValue": "21.18"}
    assert json.loads(nova("drain", "--json").out)["usd_per_hour"] is None
    account.stacks[0]["Outputs"].append(price)  # type: ignore[index]
    told = json.loads(nova("drain", "--json").out)
    assert (told["usd_per_hour"], len(told["stays"]), account.removed) == (42.36, 3, [])
    shown = nova("drain").err
    assert "provisioned throughput r1" in shown
    assert "42.36; 2 model units" in shown
    assert f"nova models prune --customization {TAG}" in shown


def test_every_problem_of_the_options_is_told_at_once(account: DrainAccount, nova: Nova) -> None:
    ran = nova("drain", "A", "--customization", "B", "--undo", "--stop", "--timeout", "soon")
    assert ran.code == 2
    for words in ("--timeout soon", "give one of the two", "named twice"):
        assert words in ran.err
    assert "is for the record of runs that --stop ends" in nova("drain", "--reason", "x").err
    assert "two stacks are named" in nova("drain", "A/B", "--stack", "C").err
    assert account.lock.turns().draining is None

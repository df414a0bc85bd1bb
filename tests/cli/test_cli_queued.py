"""A run that waits for its turn says so, with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers.protocol.turns import Concurrency, Turns, Waiter
from tests.cli.cli_support import FakeAws, Nova, execution, stack

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def turns(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Put two runs in the queue behind a third, in a stack that has a queue."""
    found = Turns()
    for number, run in enumerate(("works", "next", "last")):
        waiter = Waiter(run_id=run, started_at=f"{number}", deadline=1795000000)
        found = found.asked(waiter, Concurrency.QUEUE, NOW)
        aws.executions[run] = execution(run, "RUNNING")
    described = stack()
    described["Outputs"] += [
        {"OutputKey": "SupportConcurrency", "OutputValue": "QUEUE"},
        {"OutputKey": "SupportRunControlTableName", "OutputValue": "control"},
    ]
    aws.stacks[:] = [described]

    def get_item(**request: Any) -> dict[str, Any]:
        assert request["Key"] == {"item": {"S": "lock"}}
        return {"Item": {k: {"N": str(v)} if isinstance(v, int) else {"S": v} for k, v in found.item().items()}}

    monkeypatch.setattr(aws, "get_item", get_item, raising=False)
    return found


def test_a_run_that_waits_is_queued_with_its_place(turns: Turns, nova: Nova) -> None:
    assert [each.run_id for each in turns.queue] == ["next", "last"]
    listed = {each["run_id"]: each["status"] for each in json.loads(nova("run", "list", "--json").out)}
    assert listed == {"works": "RUNNING", "next": "QUEUED", "last": "QUEUED"}
    told = json.loads(nova("run", "show", "last", "--json").out)
    assert told["status"] == "QUEUED"
    assert told["queued"] == {"place": 2, "behind": ["works"], "deadline": "2026-11-18T11:06:40+00:00"}
    shown = nova("run", "show", "next")
    assert (shown.code, "at place 1 behind run works, until" in shown.out) == (0, True)
    assert json.loads(nova("run", "show", "works", "--json").out)["queued"] is None


def test_a_run_that_waits_can_be_stopped(aws: FakeAws, turns: Turns, nova: Nova) -> None:
    assert nova("run", "stop", "next", "--no-wait").code == 0
    [(call, request)] = aws.calls
    assert (call, request["executionArn"].rsplit(":", 1)[1]) == ("stop_execution", turns.queue[0].run_id)

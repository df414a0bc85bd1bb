"""`nova triggers list` says what starts runs and what waits; `nova run show` what started one."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.cli.demo.dataset import parts_of
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.triggers.reading import read_triggers
from tests.cli.cli_support import FakeAws, Nova, execution

list_command = import_module("nova_constructs.cli.triggers.list")
STARTS = "A run starts when objects are written to datasets/… of the incoming bucket, at once."


def item(trigger: str, at: str, **facts: Any) -> dict[str, Any]:
    told = {"trigger": trigger, "arrival": f"arrival#{at}", "at": at, "facts": json.dumps(facts), "status": "WAITING"}
    return {name: {"S": value} for name, value in told.items()}


class Table:
    """Answers the one query that is asked, in two pages."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items
        self.asked: dict[str, Any] = {}

    def get_paginator(self, operation: str) -> Table:
        assert operation == "query"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        return [{"Items": self.items[:1]}, {"Items": self.items[1:]}]


@pytest.fixture
def customization() -> Customization:
    told = {"name": "Data", "kind": "dataset", "mode": "full", "starts": STARTS}
    outputs = {"ArrivalsTableName": "arrivals", "TriggerData": json.dumps(told), "StateMachineArn": "arn"}
    return Customization(stack="Nova", name="Support", outputs=outputs)


def test_triggers_are_told_with_what_waits_for_them_the_oldest_first(customization: Customization) -> None:
    table = Table(
        item("Data", "2026-01-01T00:02:00Z", event="v2", uri="s3://b/datasets/b.jsonl", version_id="v2"),
        {"trigger": {"S": "Data"}, "arrival": {"S": "state"}, "pending": {"S": "{}"}},
        item("Data", "2026-01-01T00:01:00Z", event="v1", uri="s3://b/datasets/a.jsonl"),
        item("Removed", "2026-01-01T00:00:00Z", event="2026-01-01T00:00:00Z"),
    )
    data, removed = read_triggers(customization, table)
    assert (data.name, data.kind, data.mode, data.starts) == ("Data", "dataset", "full", STARTS)
    assert [each.what for each in data.waiting] == ["s3://b/datasets/a.jsonl", "s3://b/datasets/b.jsonl (version v2)"]
    assert (removed.name, removed.starts) == ("Removed", "It is no longer deployed.")
    assert [each.as_dict() for each in removed.waiting] == [
        {"trigger": "Removed", "what": "2026-01-01T00:00:00Z", "at": "2026-01-01T00:00:00Z"}
    ]
    assert (table.asked["TableName"], table.asked["IndexName"]) == ("arrivals", "waiting")


def test_nothing_waits(customization: Customization) -> None:
    (data,) = read_triggers(customization, Table())
    assert data.as_dict() == {"name": "Data", "kind": "dataset", "mode": "full", "starts": STARTS, "waiting": []}


def test_the_command_prints_sentences_or_json(nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command.aws, "client", aws.client)
    told = {"name": "Data", "kind": "dataset", "mode": "full", "starts": STARTS}
    for key, value in (("SupportArrivalsTableName", "arrivals"), ("SupportTriggerData", json.dumps(told))):
        aws.stacks[0]["Outputs"].append({"OutputKey": key, "OutputValue": value})
    aws.rows = [item("Data", f"2026-01-01T00:00:{n:02}Z", event="v", uri=f"s3://b/{n}.jsonl\x1b") for n in range(12)]
    lines = nova("triggers", "list").out.splitlines()
    assert lines[:3] == [
        "Data  (dataset, mode full)",
        f"  {STARTS}",
        "  waiting since 2026-01-01T00:00:00Z: s3://b/0.jsonl\\x1b",
    ]
    assert lines[-1] == "  and 2 more that wait"
    (as_json,) = json.loads(nova("triggers", "list", "--json").out)
    assert (as_json["starts"], len(as_json["waiting"])) == (STARTS, 12)


def test_a_stack_from_before_there_were_triggers_is_named(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_command.aws, "client", aws.client)
    ran = nova("triggers", "list")
    assert (ran.code, "deploy it again" in ran.err) == (2, True)


def test_a_run_shows_what_started_it(nova: Nova, aws: FakeAws) -> None:
    trigger = {"name": "Data", "kind": "dataset", "id": "abc", "at": "2026-01-01T00:00:00Z", "count": 50}
    aws.executions["r1"] = execution("r1", "RUNNING", input=json.dumps({"trigger": trigger}))
    assert "  started by    Data (dataset), 50 arrivals: abc" in nova("run", "show", "r1").out.splitlines()
    assert json.loads(nova("run", "show", "r1", "--json").out)["trigger"] == trigger
    aws.executions["r2"] = execution("r2", "RUNNING", input=json.dumps({"mode": "prepare"}))
    assert "started by" not in nova("run", "show", "r2").out
    assert json.loads(nova("run", "show", "r2", "--json").out)["trigger"] is None


def test_uploads_that_cannot_be_are_refused_at_once(nova: Nova, tmp_path: Path) -> None:
    small = tmp_path / "small.jsonl"
    small.write_text('{"question": "a", "answer": "b"}\n' * 3)
    ran = nova("demo", "--data", small, "--uploads", "4")
    assert (ran.code, "1 to 3, the rows of the file" in ran.err) == (2, True)
    for second in ("--worse", "--fail-smoke"):
        ran = nova("demo", second, "--uploads", "2")
        assert (ran.code, f"does not go with {second}" in ran.err) == (2, True)


def test_data_is_cut_into_objects_without_losing_a_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [json.dumps({"question": str(number)}) for number in range(11)]
    file.write_text("\n".join(rows))
    parts = [part.decode().splitlines() for part in parts_of(file, 4)]
    assert [len(part) for part in parts] == [3, 3, 3, 2]
    assert sorted(row for part in parts for row in part) == sorted(rows)

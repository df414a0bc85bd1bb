"""Data of an earlier run is taken by a run that resumes it where it is the same and still there; else made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.datasets.stage.taking import take_earlier
from lambda_handlers.evaluation.trained_rows import test_rows as rows_for_tests
from lambda_handlers.protocol.errors import DatasetRejected
from lambda_handlers.protocol.ledger import append, read
from tests.datasets.test_datasets_stage import BUCKETS, GOOD, event, prepare, s3
from tests.protocol.protocol_memory import run_ledger

__all__ = ["s3"]
DATA = b"".join(b'{"q": "x%d", "answer": "y"}\n' % n for n in range(60))
CODE = {"code_version": "c1"}


class Kept:
    """A ledger and its table."""

    def __init__(self) -> None:
        self.store = run_ledger()

    def put(self, key: str, body: bytes) -> None:
        pass

    def append(self, *, run_id: str, event_id: str, type: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        made = append(self.store, self, run_id, event_id, type, detail, datetime(2026, 1, 1, tzinfo=UTC))
        return {"seq": made.seq, "hash": made.hash}

    def told(self, run_id: str) -> dict[str, Mapping[str, Any]]:
        return {event.type: event.detail for event in read(self.store, run_id)}


@pytest.fixture
def ledger() -> Kept:
    return Kept()


def of_run(planned: dict[str, Any], run_id: str, *resumes: str) -> dict[str, Any]:
    return {**planned, "run": {**planned["run"], "id": run_id, "resumes": list(resumes)}}


def take(planned: dict[str, Any], s3: Any, ledger: Kept) -> dict[str, Any] | None:
    request = StageRequest.parse(planned)
    return take_earlier(request, ShardObjects(s3=s3, buckets=BUCKETS, place=request.place), ledger.store, ledger)


@pytest.mark.parametrize("stage", [None, "rl"])
def test_data_made_of_the_same_is_taken_and_recorded_as_the_data_of_the_run(
    s3: Any, ledger: Kept, stage: str | None
) -> None:
    named = {"stage": stage} if stage else {}
    planned = {**event(s3, DATA, split={"train": 0.8, "validation": 0.1, "test": 0.1}, **CODE), **named}
    made = prepare(of_run(planned, "r1"), s3, ledger)
    assert take(of_run(planned, "r2", "r1"), s3, ledger) == made
    told = ledger.told("r2")
    assert told["stage_taken"]["from_run"] == told["data_prepared"]["from_run"] == "r1"
    assert told["stage_taken"]["stage"] == ("data-rl" if stage else "data")
    assert told["data_prepared"]["train"] == made["train"]
    assert rows_for_tests(read(ledger.store, "r2")) == (None if stage else made["test"]["uri"])
    assert take(of_run(planned, "r3", "r2", "r1"), s3, ledger) == made
    assert ledger.told("r3")["stage_taken"]["from_run"] == "r1"


def test_a_run_of_its_own_takes_and_records_nothing(s3: Any, ledger: Kept) -> None:
    planned = event(s3, DATA, **CODE)
    prepare(of_run(planned, "r1"), s3, ledger)
    assert take(of_run(planned, "r2"), s3, ledger) is None
    assert ledger.told("r2") == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 2}, "settings"),
        ({"code_version": "c2"}, "code"),
        ({"code_version": None}, "code"),
        ({"no_leak_with": ["s3://incoming-bucket/evaluation/a.jsonl"]}, "no_leak_with, settings"),
    ],
)
def test_data_that_other_settings_or_code_would_make_is_made_again(
    s3: Any, ledger: Kept, change: dict[str, Any], reason: str
) -> None:
    prepare(of_run(event(s3, DATA, **CODE), "r1"), s3, ledger)
    assert take(of_run(event(s3, DATA, **{**CODE, **change}), "r2", "r1"), s3, ledger) is None
    assert ledger.told("r2")["stage_not_taken"]["reasons"] == {"r1": f"not known to be the same: {reason}"}


def test_sets_that_rows_are_kept_apart_from_are_never_known_to_be_the_same(s3: Any, ledger: Kept) -> None:
    s3.put_object(Bucket="incoming-bucket", Key="evaluation/a.jsonl", Body=b'{"query": "a", "response": "b"}\n')
    planned = event(s3, DATA, no_leak=True, no_leak_with=["s3://incoming-bucket/evaluation/a.jsonl"], **CODE)
    prepare(of_run(planned, "r1"), s3, ledger)
    assert take(of_run(planned, "r2", "r1"), s3, ledger) is None
    assert ledger.told("r2")["stage_not_taken"]["reasons"] == {"r1": "not known to be the same: no_leak_with"}


def test_data_of_another_dataset_is_made_again(s3: Any, ledger: Kept) -> None:
    prepare(of_run(event(s3, DATA, **CODE), "r1"), s3, ledger)
    assert take(of_run(event(s3, DATA + GOOD, **CODE), "r2", "r1"), s3, ledger) is None
    assert ledger.told("r2")["stage_not_taken"]["reasons"] == {"r1": "not known to be the same: dataset"}


def _delete(s3: Any, key: str) -> None:
    s3.delete_object(Bucket=BUCKETS.prepared, Key=key)


def _cut(s3: Any, key: str) -> None:
    s3.put_object(Bucket=BUCKETS.prepared, Key=key, Body=b"x")


@pytest.mark.parametrize(
    ("harm", "key"),
    [(_delete, "train.jsonl"), (_delete, "manifest.json"), (_cut, "train.jsonl"), (_delete, "test.jsonl")],
)
def test_data_that_is_not_there_as_it_was_is_made_again(
    s3: Any, ledger: Kept, harm: Callable[[Any, str], None], key: str
) -> None:
    planned = event(s3, DATA, split={"train": 0.8, "validation": 0.1, "test": 0.1}, **CODE)
    prepare(of_run(planned, "r1"), s3, ledger)
    harm(s3, f"runs/r1/{key}")
    assert take(of_run(planned, "r2", "r1"), s3, ledger) is None
    assert f"runs/r1/{key} is no longer there" in ledger.told("r2")["stage_not_taken"]["reasons"]["r1"]


def test_a_dataset_that_was_rejected_is_not_taken(s3: Any, ledger: Kept) -> None:
    planned = event(s3, b"x\n" * 20, **CODE)
    with pytest.raises(DatasetRejected):
        prepare(of_run(planned, "r1"), s3, ledger)
    assert take(of_run(planned, "r2", "r1"), s3, ledger) is None
    assert ledger.told("r2")["stage_not_taken"]["reasons"] == {"r1": "it had prepared none"}

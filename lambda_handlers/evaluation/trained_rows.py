"""Which rows models that are compared are trained on: those of the runs that make them, and of the runs before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.forms.registry import form_of
from lambda_handlers.datasets.passes.evaluation_prompts import prompts_trained_on
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.protocol.ledger import LedgerEvent, read
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.store import ItemStore


def runs_compared(run_id: str, plan: Mapping[str, Any], *, control: ItemStore, events: ItemStore) -> Iterator[str]:
    """Yield the runs whose training rows may not decide: production's, the base run's, an evaluated model's, and this.

    A run that continued from another was trained on the other's rows too.
    """
    production = Pointer(control).read()
    start, model = plan.get("start") or {}, plan.get("model") or {}
    waiting = [production.run_id if production else None, start.get("base_run"), model.get("run_id"), run_id]
    seen: set[str] = set()
    while waiting:
        found = waiting.pop(0)
        if found and found not in seen:
            seen.add(found)
            yield found
            waiting += [_base_run(event) for event in read(events, found)]


def trained_on(run_ids: Collection[str], asked: Collection[bytes], *, s3: Any, events: ItemStore) -> dict[bytes, str]:
    """Return which of the prompts `asked`, by their hashes, a run was trained on, with that run.

    The training data of each run is read once, as a stream; nothing of it is held but what is asked.
    """
    found: dict[bytes, str] = {}
    for run_id in run_ids:
        recorded = read(events, run_id)
        for uri in _training_data(recorded):
            sources, preparation = s3_objects.find(s3, uri), _preparation(recorded)
            for prompt in prompts_trained_on(sources, preparation, form_of(preparation)):
                if prompt in asked:
                    found.setdefault(prompt, run_id)
    return found


def test_rows(recorded: Iterable[LedgerEvent]) -> str | None:
    """Return where the test rows of a run are: those of an earlier run, where it took its data from there."""
    first = (event.detail for event in recorded if event.type == "data_prepared" and not event.detail.get("stage"))
    found = [str(detail["test"]["uri"]) for detail in first if detail.get("test")]
    return found[-1] if found else None


def _base_run(event: LedgerEvent) -> str | None:
    if event.type != "run_started":
        return None
    found = (event.detail["plan"].get("start") or {}).get("base_run")
    return str(found) if found else None


def _preparation(recorded: list[LedgerEvent]) -> Preparation:
    config = next((event.detail["config"] for event in recorded if event.type == "run_started"), None)
    assert config is not None, "a run that left training data was started"
    return Preparation(model=config["model"], method=config["method"])


def _training_data(recorded: list[LedgerEvent]) -> list[str]:
    """Return where the rows are that each stage of a run was trained on."""
    prepared = [event.detail for event in recorded if event.type == "data_prepared"]
    return [str(detail["train"]["uri"]) for detail in prepared if detail["train"]["rows"]]

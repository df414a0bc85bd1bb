"""The same input is not trained on twice: a run claims the fingerprint of everything that determines its result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import DuplicateRun
from lambda_handlers.protocol.names import sha256
from lambda_handlers.protocol.runs import open_run, open_runs
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts

_RUNNING: Final = "RUNNING"
_SUCCEEDED: Final = "SUCCEEDED"
_FREE: Final = "FREE"


def fingerprint(
    *,
    dataset_sha256: str,
    recipe_sha256: str,
    hub_content_version: str,
    config: Mapping[str, Any],
    code_version: str,
) -> str:
    """Return the SHA-256 of a run's input: content of the dataset, resolved recipe, hub version, settings and code."""
    return sha256([dataset_sha256, recipe_sha256, hub_content_version, dict(config), code_version])


def claim(store: ItemStore, fp: str, run_id: str, force: bool, now: datetime, *, execution_arn: str) -> None:
    """Claim the fingerprint for the run; do nothing if it has it already.

    Raise DuplicateRun while another run of the same input is open and, unless forced, when one has succeeded.
    """
    open_run(store, run_id, execution_arn, now, fingerprint=fp)
    for _ in attempts():
        item = store.get(_key(fp))
        if item and item["status"] != _FREE:
            if item["run_id"] == run_id:
                return
            _refuse_duplicate(store, item, force)
        claimed: dict[str, str | int] = {**_key(fp), "run_id": run_id, "status": _RUNNING, "claimed_at": iso(now)}
        succeeded = _succeeded_run(item)
        if succeeded:
            claimed["succeeded_run_id"] = succeeded
        if _swap(store, item, claimed):
            return


def settle(store: ItemStore, run_id: str, status: str) -> None:
    """End the run's claim: SUCCEEDED keeps it, any other status frees it, back to an earlier run that succeeded."""
    entry = open_runs(store).get(run_id)
    if entry is None or not entry.fingerprint:
        return
    for _ in attempts():
        item = store.get(_key(entry.fingerprint))
        if item is None or item["run_id"] != run_id or item["status"] != _RUNNING:
            return
        if _swap(store, item, _settled(item, status)):
            return


def _refuse_duplicate(store: ItemStore, item: Item, force: bool) -> None:
    holder = str(item["run_id"])
    if item["status"] == _SUCCEEDED and not force:
        raise DuplicateRun(f"Run {holder} has already succeeded with the same input; start with force to run it again.")
    # A claim whose run is no longer open was made by a function that outlived its run: it blocks nobody.
    if item["status"] == _RUNNING and holder in open_runs(store):
        raise DuplicateRun(f"Run {holder} is in progress with the same input.")


def _succeeded_run(item: Item | None) -> str:
    if item is None:
        return ""
    return str(item["run_id"] if item["status"] == _SUCCEEDED else item.get("succeeded_run_id", ""))


def _settled(item: Item, status: str) -> Item:
    key = {"item": item["item"], "claimed_at": item["claimed_at"]}
    if status == _SUCCEEDED:
        return {**key, "run_id": item["run_id"], "status": _SUCCEEDED}
    if "succeeded_run_id" in item:
        return {**key, "run_id": item["succeeded_run_id"], "status": _SUCCEEDED}
    return {**key, "run_id": item["run_id"], "status": _FREE}


def _swap(store: ItemStore, old: Item | None, new: Item) -> bool:
    try:
        store.put(new, replacing=old)
    except ConditionFailed:
        return False
    return True


def _key(fp: str) -> dict[str, str]:
    return {"item": f"fingerprint#{fp}"}

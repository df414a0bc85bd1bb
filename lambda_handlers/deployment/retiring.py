"""Retire what a run's promotion has made superfluous. What cannot be removed now is recorded and left to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambda_handlers.deployment import inventory
from lambda_handlers.deployment.retention import Removal, Retention, remove_all, told
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.store import ItemStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Retiring:
    """Remove the models and deployments of one customization that nobody needs any more."""

    bedrock: Any
    control: ItemStore
    ledger: Ledger
    clock: Clock
    customization: str
    slug: str

    def retire(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Remove, record the event `models_retired`, and return how many went and how many were left.

        `config` has `keep`, `bake_minutes` and `provisioned`. Raise LockLost when the run no longer holds the lock;
        no other trouble with what is to be removed fails the run, which has deployed already.
        """
        run, config = Run.parse(event["run"]), event["config"]
        RunLock(self.control).check(run.id, run.lock_generation)
        target = Pointer(self.control).read()
        try:
            removal, trouble = self._remove(config), ""
        except Exception as error:
            # Not even listed: the next run's retirement sees the same things again.
            removal, trouble = Removal(removed=(), left=()), f"{type(error).__name__}: {error}"
        detail = {**told(target), "keep": config["keep"], **removal.facts(), "trouble": trouble}
        self.ledger.append(run_id=run.id, event_id="models-retired", type="models_retired", detail=detail)
        return {"removed": len(removal.removed), "left": len(removal.left), "trouble": trouble}

    def _remove(self, config: Mapping[str, Any]) -> Removal:
        found = inventory.take(
            self.bedrock, self.customization, name_contains=self.slug, provisioned=bool(config["provisioned"])
        )
        rule = Retention(
            keep=int(config["keep"]),
            grace=timedelta(minutes=float(config["bake_minutes"])),
            # Read after the list: what a rollback has come to show since then is not taken for retired.
            target=Pointer(self.control).read(),
            open_runs=open_runs(self.control),
            now=self.clock.now(),
        )
        removable = [each for each in rule.judge(found) if each.removable]
        return remove_all(self.bedrock, removable, Pointer(self.control).read)

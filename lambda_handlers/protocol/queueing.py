"""The state in which a run waits for its turn: its task token, and who tells it that the turn has come.

The token is kept before the lock is looked at, and the lock changes hands before the token is looked for: whichever of
the two is later sees the other, and tells. The reconciler tells whoever both missed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.protocol.errors import LockLost
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.stepfunctions import TaskTokens
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts
from lambda_handlers.protocol.turns import Turns

TAKEN: Final = "TAKEN"
DISMISSED: Final = "DISMISSED"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """Keep the tokens of runs that wait, in the run control table, and answer them."""

    store: ItemStore
    tasks: TaskTokens

    def wait(self, run_id: str, token: str, order: str) -> dict[str, Any]:
        """Keep the token until the run's turn comes; answer it at once if it has come. Return the place in the queue.

        `order` sorts the tries of the state: the token of an older one does not take the place of a newer. Whoever was
        sent away for this run is told too. Raise LockLost for a run that neither works nor waits: it is being closed.
        """
        self._keep(run_id, token, order)
        turns = RunLock(self.store).turns()
        if not turns.holder(run_id) and not turns.place(run_id) and run_id not in turns.dismissed:
            raise LockLost(f"Run {run_id} does not wait for its turn any more: it is being closed.")
        self._tell(turns)
        return {"place": turns.place(run_id)}

    def tell(self) -> int:
        """Tell everybody whose turn has come, or never will; return how many were told."""
        return self._tell(RunLock(self.store).turns())

    def _tell(self, turns: Turns) -> int:
        answers: Mapping[str, Mapping[str, Any]] = {
            **{each.run_id: {"decision": TAKEN, "reason": None} for each in turns.holders},
            **{run_id: {"decision": DISMISSED, "reason": why} for run_id, why in turns.dismissed.items()},
        }
        return sum(self._answer(run_id, answer) for run_id, answer in answers.items())

    def _answer(self, run_id: str, answer: Mapping[str, Any]) -> bool:
        item = self.store.get(turn_key(run_id))
        if item is None or not item["token"]:
            return False
        told = self.tasks.succeed(str(item["token"]), answer)
        _log.info("run %s was told %s", run_id, answer["decision"])
        try:
            self.store.put({**turn_key(run_id), "token": "", "order": item["order"]}, replacing=item)
        except ConditionFailed:
            # A newer try of the state has put its own token there, and looks at the lock itself.
            return told
        return told

    def _keep(self, run_id: str, token: str, order: str) -> None:
        for _ in attempts():
            item = self.store.get(turn_key(run_id))
            if item and str(item["order"]) > order:
                return
            try:
                self.store.put({**turn_key(run_id), "token": token, "order": order}, replacing=item)
            except ConditionFailed:
                continue
            return


def turn_key(run_id: str) -> Item:
    """Return the key of the item with the token of a run that waits."""
    return {"item": f"turn/{run_id}"}

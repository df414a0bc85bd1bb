"""Which deployment is production: the truth is an item in the run control table, the SSM parameter its projection."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambda_handlers.protocol.clock import current, iso
from lambda_handlers.protocol.errors import InvalidRequest, LockLost, error_code, service_errors
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts
from lambda_handlers.protocol.targets import Earlier, Rollback, Target, item_of, target_of

_KEY: Final[Item] = {"item": "pointer"}
POINTER_MOVED: Final = "pointer_moved"
"""Type of the ledger event of a run that has brought its model into production."""
HISTORY_KEPT: Final = 20
"""How many earlier targets the pointer remembers."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Move the pointer of a customization. What it showed before stands in the same item, so that both move at once."""

    store: ItemStore

    def read(self) -> Target | None:
        """Return what the pointer shows, or None before the first promotion."""
        item = self.store.get(_KEY)
        return _shown(item)

    def move(
        self, run_id: str, generation: int, after: str, *, model_arn: str = "", now: datetime | None = None
    ) -> str | None:
        """Show `after` and return what was shown before; the same answer when the run asks again.

        Raise LockLost if the run no longer holds the lock, or if a run of a later generation or a rollback has moved
        the pointer since the run began.
        """
        for _ in attempts():
            item = self.store.get(_KEY)
            target = _shown(item)
            if target and target.run_id == run_id and target.arn == after:
                return target.previous
            RunLock(self.store).check(run_id, generation)
            _require_not_overtaken(target, generation)
            moved = iso(now or current().now())
            place = Earlier(arn=after, model_arn=model_arn, run_id=run_id, moved_at=moved)
            if self._swap(item, _following(target, place, generation)):
                return target.arn if target else None
        raise AssertionError

    def check(self, generation: int) -> None:
        """Raise LockLost where no run of this generation of the lock may move the pointer any more."""
        _require_not_overtaken(self.read(), generation)

    def settle(self) -> None:
        """Let a move that is under way have happened, or fail: one that passed its check of the lock before a fence.

        What the pointer shows stays; that its item is written again makes every move look at the lock once more.
        """
        for _ in attempts():
            item = self.store.get(_KEY)
            with suppress(ConditionFailed):
                self.store.put(item or _KEY, replacing=item)
                return

    def roll_back(self, rollback: Rollback, to: Earlier) -> Target:
        """Show an earlier target again and return what is shown then; the same answer when asked again.

        No run that holds the lock now may move the pointer afterwards: the next one may. Raise InvalidRequest if the
        pointer does not show what is to be withdrawn.
        """
        for _ in attempts():
            item = self.store.get(_KEY)
            target = _shown(item)
            if target and target.rollback and target.rollback.id == rollback.id:
                return target
            shown = (target.arn, target.model_arn) if target else None
            if target is None or shown != (rollback.withdrawn_arn, rollback.withdrawn_model_arn):
                raise InvalidRequest(
                    f"The pointer no longer shows {rollback.withdrawn_arn}: look again at what it shows now."
                )
            generation = max(target.generation, RunLock(self.store).generation() + 1)
            place = Earlier(arn=to.arn, model_arn=to.model_arn, run_id=to.run_id, moved_at=rollback.at)
            back = _following(target, place, generation, rollback)
            if self._swap(item, back):
                return back
        raise AssertionError

    def _swap(self, item: Item | None, target: Target) -> bool:
        try:
            self.store.put({**_KEY, **item_of(target)}, replacing=item)
        except ConditionFailed:
            return False
        return True


def _shown(item: Item | None) -> Target | None:
    # Settled before the first promotion it is there and shows nothing.
    return target_of(item) if item and "arn" in item else None


def _following(before: Target | None, place: Earlier, generation: int, rollback: Rollback | None = None) -> Target:
    """Return what the pointer shows after a move, with what it showed before at the head of its history."""
    past = (before.as_earlier(withdrawn=rollback is not None), *before.history) if before else ()
    history: list[Earlier] = []
    for each in past:
        if not each.same(place) and not any(each.same(known) for known in history):
            history.append(each)
    return Target(
        arn=place.arn,
        model_arn=place.model_arn,
        run_id=place.run_id,
        generation=generation,
        moved_at=place.moved_at,
        previous=before.arn if before else None,
        previous_model_arn=before.model_arn if before else None,
        history=tuple(history[:HISTORY_KEPT]),
        rollback=rollback,
    )


def _require_not_overtaken(target: Target | None, generation: int) -> None:
    if target and target.generation > generation:
        raise LockLost(_overtaken(target))


def _overtaken(target: Target) -> str:
    if target.rollback:
        return (
            f"The pointer was rolled back at {target.rollback.at} while this run was at work "
            f"({target.rollback.reason}): it stays where it is. Start a new run to move it forward."
        )
    return f"Run {target.run_id} has moved the pointer since."


def project(ssm: Any, parameter: str, value: str) -> None:
    """Write the value callers read (ssm:PutParameter)."""
    with service_errors():
        ssm.put_parameter(Name=parameter, Value=value, Type="String", Overwrite=True)


def repair(ssm: Any, parameter: str, pointer: Pointer) -> bool:
    """Write the parameter again if it does not say what the pointer shows; return whether it was wrong."""
    target = pointer.read()
    if target is None or _projected(ssm, parameter) == target.arn:
        return False
    project(ssm, parameter, target.arn)
    return True


def _projected(ssm: Any, parameter: str) -> str | None:
    try:
        with service_errors():
            return str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
    except Exception as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise

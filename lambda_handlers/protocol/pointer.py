"""Which deployment is production: the truth is an item in the run control table, the SSM parameter its projection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambda_handlers.protocol.clock import current, iso
from lambda_handlers.protocol.errors import LockLost, error_code, service_errors
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts

_KEY: Final[Item] = {"item": "pointer"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Name what the pointer shows: a deployment, its model, and the run that moved the pointer there."""

    arn: str
    model_arn: str
    run_id: str
    generation: int
    moved_at: str
    previous: str | None
    previous_model_arn: str | None


@dataclass(frozen=True, slots=True)
class Pointer:
    """Move the pointer of a customization."""

    store: ItemStore

    def read(self) -> Target | None:
        """Return what the pointer shows, or None before the first promotion."""
        item = self.store.get(_KEY)
        return _target(item) if item else None

    def move(
        self, run_id: str, generation: int, after: str, *, model_arn: str = "", now: datetime | None = None
    ) -> str | None:
        """Show `after` and return what was shown before; the same answer when the run asks again.

        Raise LockLost if the run no longer holds the lock, or if a run of a later generation has moved the pointer.
        """
        for _ in attempts():
            item = self.store.get(_KEY)
            target = _target(item) if item else None
            if target and target.run_id == run_id and target.arn == after:
                return target.previous
            RunLock(self.store).check(run_id, generation)
            if target and target.generation > generation:
                raise LockLost(f"Run {target.run_id} has moved the pointer since.")
            if self._swap(item, target, run_id, generation, after, model_arn, now or current().now()):
                return target.arn if target else None
        raise AssertionError

    def _swap(
        self,
        item: Item | None,
        target: Target | None,
        run_id: str,
        generation: int,
        after: str,
        model_arn: str,
        now: datetime,
    ) -> bool:
        moved = {"arn": after, "model_arn": model_arn, "run_id": run_id, "moved_at": iso(now)}
        before = {"previous": target.arn, "previous_model_arn": target.model_arn} if target else {}
        try:
            self.store.put({**_KEY, **moved, **before, "generation": generation}, replacing=item)
        except ConditionFailed:
            return False
        return True


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


def _target(item: Item) -> Target:
    return Target(
        arn=str(item["arn"]),
        model_arn=str(item["model_arn"]),
        run_id=str(item["run_id"]),
        generation=int(item["generation"]),
        moved_at=str(item["moved_at"]),
        previous=str(item["previous"]) if "previous" in item else None,
        previous_model_arn=str(item["previous_model_arn"]) if "previous_model_arn" in item else None,
    )

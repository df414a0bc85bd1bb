"""What was asked and decided: `emulator.calls`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One permission check.

    `decision` is `allowed`, `implicitDeny`, `explicitDeny` or `error`; `statement` is (policy name, Sid) of what
    decided; `source` is the API operation that needed it, such as `sagemaker:CreateTrainingJob` for its `iam:PassRole`;
    `role_name` is empty where the caller is a service; `by_role` says that a policy of the role allowed the call.
    """

    principal_arn: str
    role_name: str
    action: str
    resource: str
    decision: str
    statement: tuple[str, str] | None
    source: str
    by_role: bool = False
    reason: str = ""


class Recorder:
    """The calls of one emulator, oldest first; safe to read while calls come in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        """Record one check."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._calls.clear()

    def __iter__(self) -> Iterator[Call]:
        with self._lock:
            return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, index: int) -> Call:
        return self._calls[index]

    def denied(self) -> list[Call]:
        """Give the calls that were refused, those that the evaluator could not judge included."""
        return [call for call in self if call.decision != "allowed"]

    def used(self) -> set[tuple[str, str, str]]:
        """Give (role name, Sid, action) of every statement of a role that allowed something."""
        return {(call.role_name, call.statement[1], call.action) for call in self if call.by_role and call.statement}

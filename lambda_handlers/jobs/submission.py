"""Submit the job of a stage for the state that waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handlers.jobs import driver_for
from lambda_handlers.protocol import waiting
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Submissions:
    """What every submission of a customization has in common."""

    registry: JobRegistry
    lock: RunLock
    clock: Clock
    ledger: Ledger
    slug: str
    customization: str

    def submit(
        self, event: Mapping[str, Any], *, stage: str, kind: str, requests: Sequence[Mapping[str, Any]], name: str = ""
    ) -> dict[str, Any]:
        """Submit one of the requests for the task token in the payload; return the facts of the job.

        `requests` are choices, the first the one wanted; the others are for lack of capacity. `name` is that of what
        is made where users chose it.
        The payload's `retry` is the waiting state's `$$.State.RetryCount`.
        """
        row = waiting.submit(
            registry=self.registry,
            lock=self.lock,
            clock=self.clock,
            ledger=self.ledger,
            driver=driver_for(kind),
            run=Run.parse(event["run"]),
            stage=stage,
            slug=self.slug,
            customization=self.customization,
            token=event["token"],
            deadline_seconds=int(event["config"]["deadline_seconds"]),
            requests=requests,
            retry=int(event.get("retry", 0)),
            name=name,
        )
        return {"job": row.facts()}

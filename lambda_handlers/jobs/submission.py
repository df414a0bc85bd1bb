"""Submit the job of a stage for the state that waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handlers.jobs import driver_for
from lambda_handlers.jobs.earlier_output import output_is_there
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
        self,
        event: Mapping[str, Any],
        *,
        stage: str,
        kind: str,
        requests: Sequence[Mapping[str, Any]],
        name: str = "",
        contents: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Submit one of the requests for the task token in the payload; return the facts of the job.

        `requests` are choices, the first the one wanted; the others are for lack of capacity. `name` is that of what
        is made where users chose it. `contents` has, for each request of a job that a run which resumes this one may
        take over, what the request names by its place alone: recipe, rows, model.
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
            contents=contents,
            output_is_there=output_is_there,
        )
        return {"job": row.facts()}

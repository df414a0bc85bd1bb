"""The gate: the rule between a candidate and production. Closed unless every criterion is met.

Input: `$.evaluations`. Output: `$.gate` with the verdict and, for each criterion, value and threshold.
A gate that says no ends the run as `REJECTED`; a missing score never passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Construct

from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.stage import Stage, Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class GateCriterion:
    """A floor for one metric of one task; `metric` defaults to the task's own."""

    task: str
    floor: float
    metric: str | None = None
    subtask: str | None = None

    def config(self) -> dict[str, Any]:
        """Return the criterion as the function reads it."""
        return {"task": self.task, "metric": self.metric, "subtask": self.subtask, "floor": self.floor}


@dataclass(frozen=True, kw_only=True, slots=True)
class GateCriteria:
    """What a candidate has to reach before it may serve."""

    criteria: Sequence[GateCriterion]

    def problems(self, tasks: Sequence[tuple[str, str | None]]) -> list[str]:
        """Return what cannot work: no criteria, or one on a task that is not evaluated."""
        if not self.criteria:
            return ["gate has no criteria: give at least one floor, or a candidate would pass unmeasured"]
        known = ", ".join(task for task, _ in tasks) or "none"
        return [
            f"gate names task {c.task!r} (subtask {c.subtask or 'none'}), which is not evaluated; tasks: {known}"
            for c in self.criteria
            if (c.task, c.subtask) not in tasks
        ]


class QualityGate(Stage):
    """Decides. Attribute: `decide`."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop, gate: GateCriteria) -> None:
        super().__init__(scope, construct_id)
        self.decide = HandlerFunction(
            self, "Decide", handler="decide_gate", environment={**workshop.ledger.environment}
        )
        workshop.ledger.grant_append(self.decide)
        self.run_in_order(
            lambda_task(
                self,
                "DecideGate",
                function=self.decide,
                payload={
                    **RUN,
                    "criteria": [criterion.config() for criterion in gate.criteria],
                    "evaluations.$": "$.evaluations",
                },
                result_path="$.gate",
            )
        )

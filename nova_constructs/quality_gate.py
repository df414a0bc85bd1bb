"""The gate: the rule between a candidate and production. Closed unless every criterion is met.

Input: `$.evaluations`. Output: `$.gate` with the verdict and, for each criterion, value, threshold, test and reason.
A gate that says no ends the run as `REJECTED`; a missing score never passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Construct

from lambda_handlers.evaluation.gate.criteria import BetterThanBase as BetterThanBase
from lambda_handlers.evaluation.gate.criteria import Criterion
from lambda_handlers.evaluation.gate.criteria import Floor as Floor
from lambda_handlers.evaluation.gate.criteria import GeneralAbilityFloor as GeneralAbilityFloor
from lambda_handlers.evaluation.gate.criteria import MinimumSamples as MinimumSamples
from lambda_handlers.evaluation.gate.criteria import NotWorseThanProduction as NotWorseThanProduction
from lambda_handlers.evaluation.gate.reading import needed_baselines, read_criteria
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.stage import Stage, Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityGate:
    """What a candidate has to meet before it may serve: every one of the criteria.

    Without criteria nothing is synthesized, unless the gate is `QualityGate.open()`.
    """

    criteria: Sequence[Criterion]
    is_open: bool = False

    @classmethod
    def open(cls) -> QualityGate:
        """Return a gate that asks only that every evaluation was read; the record of each decision says so."""
        return cls(criteria=(), is_open=True)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> QualityGate:
        """Read `{criteria: [...]}` or `{open: true}`; raise InvalidRequest for what no criterion can be made of."""
        return cls(criteria=read_criteria(settings.get("criteria", ())), is_open=settings.get("open", False))

    def config(self) -> dict[str, Any]:
        """Return the gate as the functions read it."""
        return {"open": self.is_open, "criteria": [criterion.config() for criterion in self.criteria]}

    def needs_baseline(self, evaluated: Sequence[tuple[str, str | None]] = ()) -> set[tuple[str, str | None, str]]:
        """Return what is to be measured of other models too: task, subtask, and `production` or `base`.

        A subtask that stands in no evaluation of its own among `evaluated` is measured with its whole task.
        """
        return {
            (task, subtask if not evaluated or (task, subtask) in evaluated else None, model)
            for task, subtask, model in needed_baselines(self.criteria)
        }


class GateStage(Stage):
    """Decides. Attribute: `decide`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        gate: QualityGate,
        evaluated: Sequence[tuple[str, str | None]],
    ) -> None:
        """Create the stage; `evaluated` are task and subtask of every evaluation, none of which may be missing."""
        super().__init__(scope, construct_id)
        self.decide = HandlerFunction(
            self,
            "Decide",
            handler="decide_gate",
            environment={**workshop.ledger.environment, **workshop.control.environment},
        )
        workshop.ledger.grant_append(self.decide)
        # Whether there is a production model is what the pointer says, not what the records lack.
        self.decide.use_table("ReadPointer", workshop.control.table, "GetItem")
        self.run_in_order(
            lambda_task(
                self,
                "DecideGate",
                function=self.decide,
                payload={
                    **RUN,
                    "gate": gate.config(),
                    "evaluated": [{"task": task, "subtask": subtask} for task, subtask in evaluated],
                    "evaluations.$": "$.evaluations",
                },
                result_path="$.gate",
            )
        )

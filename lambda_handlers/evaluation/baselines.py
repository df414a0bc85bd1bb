"""The models that a candidate is compared with: which they are, and whether their scores are known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.evaluation import known_scores
from lambda_handlers.evaluation.gate.criteria import BASE, PRODUCTION
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.planning.earlier_runs import find_production
from lambda_handlers.protocol.errors import EvaluationFailed, InvalidRequest
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.store import ItemStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Baselines:
    """Find the models that candidates of a customization are compared with."""

    s3: Any
    artifacts_bucket: str
    control: ItemStore
    events: ItemStore
    ledger: Ledger

    def find(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what to do about one model of comparison in one task, and record it.

        The decision is KNOWN with the `record` of its scores, MEASURE with the `subject` to evaluate, or NONE where
        production is asked for, there is none, and the base model, which then stands for it, is measured anyway
        (`base_measured`). Raises EvaluationFailed if production's checkpoint is not known.
        """
        subject = self._subject(event)
        found = {"decision": "NONE"} if subject is None else self._known_or_not(event, subject)
        stage = stage_name(event["task"])
        detail = {"stage": stage, **found}
        self.ledger.append(run_id=event["run"]["id"], event_id=f"{stage}-found", type="baseline_found", detail=detail)
        return found

    def _subject(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        base = {"model": BASE, "model_path": catalog.model(event["config"]["model"]).model_path}
        if event["task"]["baseline"] == BASE:
            return base
        target = Pointer(self.control).read()
        if target is None:
            return None if event["base_measured"] else base
        try:
            run = find_production(self.events, target.run_id, key=PRODUCTION)
        except InvalidRequest as error:
            raise EvaluationFailed(f"Production cannot be compared with: {error.message}") from error
        return {"model": PRODUCTION, "model_path": run.checkpoint, "run_id": run.run_id}

    def _known_or_not(self, event: Mapping[str, Any], subject: Mapping[str, Any]) -> dict[str, Any]:
        key = known_scores.key_of({**event, "subject": subject})
        record = known_scores.find(self.s3, self.artifacts_bucket, key)
        if record is None:
            return {"decision": "MEASURE", "subject": dict(subject)}
        return {"decision": "KNOWN", "subject": dict(subject), "record": {**record, "model": subject["model"]}}

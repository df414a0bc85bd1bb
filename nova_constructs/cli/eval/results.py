"""The evaluations and the gate's decision of a run, out of its ledger, which is there while the run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nova_constructs.cli.runs import Runs, run_status, summary

_READ = ("seq", "type", "detail")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationResults:
    """Hold what `nova eval show` prints. `gate` is None where the run did not come to it."""

    run_id: str
    status: str
    error: str | None
    cause: str | None
    evaluations: Sequence[Mapping[str, Any]]
    gate: Mapping[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the results as they are printed with `--json`."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "error": self.error,
            "cause": self.cause,
            "scores": list(self.evaluations),
            "gate": self.gate,
        }


def read_results(runs: Runs, run_id: str) -> EvaluationResults:
    """Read what a run measured; raise BadInputError if there is no such run."""
    execution = runs.describe(run_id)
    events = _events(runs, run_id)
    told = summary(execution)
    return EvaluationResults(
        run_id=run_id,
        status=run_status(execution),
        error=execution.get("error") or told.get("error"),
        cause=execution.get("cause") or told.get("cause"),
        evaluations=[record for record in map(_record, events) if record],
        gate=next((detail for type_, detail in events if type_ == "gate_decided"), None),
    )


def _record(event: tuple[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the scores that an event tells of: measured in this run, or known of another model from an earlier one."""
    type_, detail = event
    if type_ == "evaluation_read":
        return detail
    known: Mapping[str, Any] | None = detail.get("record") if type_ == "baseline_found" else None
    return known


def _events(runs: Runs, run_id: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return type and detail of each event of the ledger, in order."""
    names = {f"#{index}": name for index, name in enumerate(_READ)}
    pages = (
        runs.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=runs.customization.outputs["RunLedgerTableName"],
            KeyConditionExpression="run_id = :run",
            ExpressionAttributeValues={":run": {"S": run_id}},
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
    )
    return [(item["type"]["S"], json.loads(item["detail"]["S"])) for page in pages for item in page["Items"]]

"""The attempts at the stages of a run, read from its ledger: the registry keeps only the present job of a stage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_handlers.protocol.resume import JOB_ADOPTED, STAGE_NOT_TAKEN, STAGE_TAKEN


def read_attempts(dynamodb: Any, table: str, run_id: str) -> list[Mapping[str, Any]]:
    """Return what the ledger says of each job that was created for the run, in the order of their first mention.

    A choice that was refused (`QuotaExceeded`) has no job and is left out.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for _, detail in _told(dynamodb, table, run_id, ("job_submitted", JOB_ADOPTED, "job_ended")):
        # A job that nobody recorded as submitted, because the function died, is known by its end.
        if detail["arn"]:
            found.setdefault(str(detail["name"]), detail)
    return list(found.values())


def read_taken(dynamodb: Any, table: str, run_id: str) -> list[Mapping[str, Any]]:
    """Return what a run that resumes another took over, in the order of its record.

    Each has `stage`, `taken` (`completed`, `adopted` or None) and `from_run`, or `reasons` by run where it is None.
    """
    how = {STAGE_TAKEN: "completed", JOB_ADOPTED: "adopted", STAGE_NOT_TAKEN: None}
    return [
        {
            "stage": detail["stage"],
            "taken": how[kind],
            "from_run": detail.get("from_run"),
            "reasons": detail.get("reasons", {}),
        }
        for kind, detail in _told(dynamodb, table, run_id, tuple(how))
    ]


def _told(dynamodb: Any, table: str, run_id: str, types: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return type and detail of the events of these types."""
    values = {f":type{number}": {"S": each} for number, each in enumerate(types)}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="run_id = :run",
        FilterExpression=f"#type IN ({', '.join(values)})",
        ExpressionAttributeValues={":run": {"S": run_id}, **values},
        ProjectionExpression="#type, #detail",
        ExpressionAttributeNames={"#type": "type", "#detail": "detail"},
        ConsistentRead=True,
    )
    return [(item["type"]["S"], json.loads(item["detail"]["S"])) for page in pages for item in page["Items"]]

"""The attempts at the stages of a run, read from its ledger: the registry keeps only the present job of a stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_TOLD: Final = {":submitted": {"S": "job_submitted"}, ":ended": {"S": "job_ended"}}


def read_attempts(dynamodb: Any, table: str, run_id: str) -> list[Mapping[str, Any]]:
    """Return what the ledger says of each job that was created for the run, in the order of their first mention.

    A choice that was refused (`QuotaExceeded`) has no job and is left out.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="run_id = :run",
        FilterExpression="#type IN (:submitted, :ended)",
        ExpressionAttributeValues={":run": {"S": run_id}, **_TOLD},
        ProjectionExpression="#detail",
        ExpressionAttributeNames={"#type": "type", "#detail": "detail"},
        ConsistentRead=True,
    )
    details = [json.loads(item["detail"]["S"]) for page in pages for item in page["Items"]]
    found: dict[str, Mapping[str, Any]] = {}
    for detail in details:
        # A job that nobody recorded as submitted, because the function died, is known by its end.
        if detail["arn"]:
            found.setdefault(str(detail["name"]), detail)
    return list(found.values())

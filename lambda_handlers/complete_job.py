"""Complete the stage whose job a state change event is about."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.jobs import driver_for
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.store import job_registry_store
from lambda_handlers.protocol.waiting import complete


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Look at the job that the event names."""
    row = complete(
        registry=JobRegistry(job_registry_store(os.environ["JOB_REGISTRY_TABLE"])),
        clock=clock.current(),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        drivers=driver_for,
        job_name=_job_name(event["detail"]),
    )
    return row.facts() if row else {}


def _job_name(detail: dict[str, Any]) -> str:
    """Return the name of the job: a training job's, or that of a batch inference job of Amazon Bedrock."""
    return str(detail["TrainingJobName"] if "TrainingJobName" in detail else detail["batchJobName"])

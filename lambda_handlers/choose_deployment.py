"""Say whether the run's model gets a deployment of the customization's name, or the one that has it gets the model."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.deployment.choosing import choose
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.store import job_registry_store, run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the action, the name and what has it."""
    return choose(
        event,
        bedrock=client("bedrock"),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        registry=JobRegistry(job_registry_store(os.environ["JOB_REGISTRY_TABLE"])),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        customization=os.environ["CUSTOMIZATION"],
    )

"""What the submitting functions read from their environment."""

from __future__ import annotations

import os

from lambda_handlers.jobs.submission import Submissions
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.store import job_registry_store, run_control_store


def submissions() -> Submissions:
    """Return the submissions of the customization that this function belongs to."""
    return Submissions(
        registry=JobRegistry(job_registry_store(os.environ["JOB_REGISTRY_TABLE"])),
        lock=RunLock(run_control_store(os.environ["RUN_CONTROL_TABLE"])),
        clock=clock.current(),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        slug=os.environ["SLUG"],
        customization=os.environ["CUSTOMIZATION"],
    )

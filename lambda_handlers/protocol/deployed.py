"""The protocol on the tables, buckets and functions of a deployed stack, named by the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial

from lambda_handlers.jobs import driver_for
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.closing import Closer
from lambda_handlers.protocol.delivery import Desk
from lambda_handlers.protocol.ledger import LedgerClient, S3Mirror
from lambda_handlers.protocol.pointer import Pointer, repair
from lambda_handlers.protocol.reconciling import Reconciler
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.store import job_registry_store, run_control_store, run_ledger_store
from lambda_handlers.protocol.waiting import STEP_FUNCTIONS
from lambda_handlers.starting.arrivals import arrivals_store
from lambda_handlers.starting.calling import have_dispatched


def closer() -> Closer:
    """Return what closes runs."""
    return Closer(
        desk=Desk(
            registry=JobRegistry(job_registry_store(os.environ["JOB_REGISTRY_TABLE"])),
            clock=clock.current(),
            tasks=STEP_FUNCTIONS,
            ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
            drivers=driver_for,
        ),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        events=run_ledger_store(os.environ["RUN_LEDGER_TABLE"]),
        archive=S3Mirror(os.environ["AUDIT_BUCKET"]),
    )


def reconciler() -> Reconciler:
    """Return what makes good what was missed."""
    closing = closer()
    return Reconciler(
        closer=closing,
        executions=STEP_FUNCTIONS,
        max_age=timedelta(seconds=int(os.environ["MAX_RUN_AGE_SECONDS"])),
        projection=partial(repair, client("ssm"), os.environ["POINTER_PARAMETER"], Pointer(closing.control)),
        dispatch=partial(have_dispatched, os.environ["RECEIVE_FUNCTION"], arrivals_store(os.environ["ARRIVALS_TABLE"])),
    )

"""Check and pin what a run is asked to do; take the lock."""

from __future__ import annotations

import json
import os
from typing import Any

from lambda_handlers.planning.context import Account, History
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.plan import Planner
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store, run_ledger_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the run and its plan, or the decision to skip."""
    return Planner(
        account=Account(
            s3=client("s3"),
            sagemaker=client("sagemaker"),
            iam=client("iam"),
            kms=client("kms"),
            service_quotas=client("service-quotas"),
            ec2=client("ec2"),
            functions=client("lambda"),
            bedrock=client("bedrock"),
        ),
        history=History(
            events=run_ledger_store(os.environ["RUN_LEDGER_TABLE"]),
            control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        clock=clock.current(),
        places=Places(
            slug=os.environ["SLUG"],
            region=os.environ["AWS_REGION"],
            prepared_bucket=os.environ["PREPARED_BUCKET"],
            artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
            role_arn=os.environ.get("TRAINING_ROLE_ARN", ""),
            key_arn=os.environ["KEY_ARN"],
            import_role_arn=os.environ.get("IMPORT_ROLE_ARN", ""),
            tracking_probes=json.loads(os.environ.get("TRACKING_PROBES", "[]")),
            batch_role_arn=os.environ.get("BATCH_ROLE_ARN", ""),
        ),
    ).plan(event)

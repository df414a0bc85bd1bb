"""Submit the training job of a run and leave the state waiting for it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.jobs.environment import submissions
from lambda_handlers.protocol.aws import client
from lambda_handlers.training import job


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the training job; its outcome goes to the task token."""
    requests = job.requests(
        event,
        s3=client("s3"),
        role_arn=os.environ["TRAINING_ROLE_ARN"],
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        key_arn=os.environ["KEY_ARN"],
    )
    return submissions().submit(event, stage="training", kind="TrainingJob", requests=requests)

"""Submit a training job of a run and leave the state waiting for it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.jobs.choices import job_kind
from lambda_handlers.jobs.environment import submissions
from lambda_handlers.protocol.aws import client
from lambda_handlers.training import job
from lambda_handlers.training.stages import training_stage


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the job of the first training stage, or of the further one that the payload names."""
    requests = job.requests(
        event,
        s3=client("s3"),
        role_arn=os.environ.get("TRAINING_ROLE_ARN", ""),
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        key_arn=os.environ["KEY_ARN"],
    )
    stage, kind = training_stage(event.get("stage")), job_kind(event["config"]["training"])
    return submissions().submit(event, stage=stage, kind=kind, requests=requests, contents=job.contents(event))

"""Submit the batch inference job of a run and leave the state waiting for it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.inference import job
from lambda_handlers.inference.stages import BATCH_INFERENCE
from lambda_handlers.jobs.choices import job_kind
from lambda_handlers.jobs.environment import submissions
from lambda_handlers.protocol.aws import client


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the job; its outcome goes to the task token."""
    requests = job.requests(
        event,
        s3=client("s3"),
        sagemaker=client("sagemaker"),
        role_arn=os.environ.get("TRAINING_ROLE_ARN", ""),
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        slug=os.environ["SLUG"],
        key_arn=os.environ["KEY_ARN"],
    )
    return submissions().submit(
        event,
        stage=BATCH_INFERENCE,
        kind=job_kind(event["inference"]),
        requests=requests,
        contents=[job.contents(event)] * len(requests),
    )

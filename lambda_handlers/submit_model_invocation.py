"""Submit the Amazon Bedrock batch inference job of a run and leave the state waiting for it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.inference import bedrock_job
from lambda_handlers.inference.stages import BATCH_INFERENCE
from lambda_handlers.jobs.environment import submissions
from lambda_handlers.protocol.aws import client


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the job; its outcome goes to the task token."""
    request = bedrock_job.prepare(
        event,
        s3=client("s3"),
        role_arn=os.environ["BATCH_ROLE_ARN"],
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        key_arn=os.environ["KEY_ARN"],
    )
    return submissions().submit(
        event,
        stage=BATCH_INFERENCE,
        kind=bedrock_job.KIND,
        requests=[request],
        contents=[bedrock_job.contents(event)],
    )

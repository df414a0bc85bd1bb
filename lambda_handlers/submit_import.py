"""Have Amazon Bedrock make a custom model of the run's checkpoint and leave the state waiting for it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.deployment import requests
from lambda_handlers.jobs.environment import submissions


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the model import; its outcome goes to the task token."""
    request = requests.custom_model(checkpoint_uri=event["checkpoint_uri"], role_arn=os.environ["IMPORT_ROLE_ARN"])
    return submissions().submit(event, stage="import", kind="CustomModel", requests=[request])

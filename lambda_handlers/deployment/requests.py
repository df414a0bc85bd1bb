"""What Amazon Bedrock is asked for: a custom model of a checkpoint, and an on-demand deployment of it."""

from __future__ import annotations

from typing import Any


def custom_model(*, checkpoint_uri: str, role_arn: str) -> dict[str, Any]:
    """Return the body of CreateCustomModel without name, token and tags; the role reads the escrow bucket."""
    return {"modelSourceConfig": {"s3DataSource": {"s3Uri": checkpoint_uri}}, "roleArn": role_arn}


def deployment(*, model_arn: str) -> dict[str, Any]:
    """Return the body of CreateCustomModelDeployment without name, token and tags."""
    return {"modelArn": model_arn}

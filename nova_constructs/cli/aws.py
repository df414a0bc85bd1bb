"""Clients of AWS. Imports boto3 when one is asked for: what works on local files never does."""

from __future__ import annotations

import os
from typing import Any


def client(service: str) -> Any:
    """Return a boto3 client configured by the standard environment variables and profiles alone."""
    import boto3
    from botocore.config import Config

    # boto3 itself reads only AWS_DEFAULT_REGION; every other SDK, and Lambda, go by AWS_REGION.
    region = os.environ.get("AWS_REGION") or None
    return boto3.client(service, region_name=region, config=Config(retries={"mode": "standard", "max_attempts": 3}))

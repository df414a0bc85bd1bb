"""Opens the customization that a `nova run` command is about."""

from __future__ import annotations

import os
from typing import Any

from nova_constructs.cli.deployed import find
from nova_constructs.cli.runs import Runs


def client(service: str) -> Any:
    """Return a boto3 client configured by the standard environment variables and profiles alone."""
    import boto3
    from botocore.config import Config

    # boto3 itself reads only AWS_DEFAULT_REGION; every other SDK, and Lambda, go by AWS_REGION.
    region = os.environ.get("AWS_REGION") or None
    return boto3.client(service, region_name=region, config=Config(retries={"mode": "standard", "max_attempts": 3}))


def open_runs(*, stack: str | None, customization: str | None) -> Runs:
    """Return the runs of the customization that the options or the environment name."""
    return Runs(find(client("cloudformation"), stack=stack, customization=customization), client)

"""Opens the customization that a `nova run` command is about."""

from __future__ import annotations

from typing import Any

from nova_constructs.cli.deployed import find
from nova_constructs.cli.runs import Runs


def client(service: str) -> Any:
    """Return a boto3 client configured by the standard environment variables and profiles alone."""
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 3}))


def open_runs(*, stack: str | None, customization: str | None) -> Runs:
    """Return the runs of the customization that the options or the environment name."""
    return Runs(find(client("cloudformation"), stack=stack, customization=customization), client)

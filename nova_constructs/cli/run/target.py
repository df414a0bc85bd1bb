"""Opens the customization that a `nova run` command is about."""

from __future__ import annotations

from nova_constructs.cli.aws import client
from nova_constructs.cli.deployed import find
from nova_constructs.cli.runs import Runs


def open_runs(*, stack: str | None, customization: str | None) -> Runs:
    """Return the runs of the customization that the options or the environment name."""
    return Runs(find(client("cloudformation"), stack=stack, customization=customization), client)

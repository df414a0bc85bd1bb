"""Ask production one question within the bake time: called on a schedule."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from lambda_handlers.deployment.canary import watch
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.store import run_control_store


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return whether anything was asked, and what was wrong with the answer."""
    found = watch(
        pointer=Pointer(run_control_store(os.environ["RUN_CONTROL_TABLE"])),
        runtime=client("bedrock-runtime"),
        cloudwatch=client("cloudwatch"),
        clock=clock.current(),
        customization=os.environ["CUSTOMIZATION"],
        prompt=os.environ["PROMPT"],
        bake=timedelta(minutes=float(os.environ["BAKE_MINUTES"])),
    )
    return dict(found)

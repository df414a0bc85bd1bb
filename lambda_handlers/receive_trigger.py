"""Keep what a trigger was told and start what is due: called by rules, schedules and the reconciler."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.protocol import clock
from lambda_handlers.protocol.store import run_control_store
from lambda_handlers.protocol.turns import Concurrency
from lambda_handlers.protocol.waiting import STEP_FUNCTIONS
from lambda_handlers.starting.arrivals import Arrivals, arrivals_store
from lambda_handlers.starting.dispatching import DEFERRING, Dispatcher
from lambda_handlers.starting.intake import Intake
from lambda_handlers.starting.starter import StateMachineStarter, output_of


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return whether something new arrived, and the runs that were started."""
    dispatcher = Dispatcher(
        arrivals=Arrivals(arrivals_store(os.environ["ARRIVALS_TABLE"])),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        starter=StateMachineStarter(
            state_machine_arn=os.environ["STATE_MACHINE_ARN"], artifacts_bucket=os.environ["ARTIFACTS_BUCKET"]
        ),
        executions=STEP_FUNCTIONS,
        clock=clock.current(),
        defers=Concurrency(os.environ["CONCURRENCY"]) in DEFERRING,
    )
    return Intake(dispatcher=dispatcher, output_of=output_of).take(event)

"""Step Functions: moto's interpreter on the emulator's clock, under real roles, with tokens as the service has them."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

import moto.stepfunctions.models as models
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.stepfunctions.parser.utils import TMP_THREADS

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState, Undo
from nova_constructs.emulator.stepfunctions.distributed_map import patch_distributed_maps
from nova_constructs.emulator.stepfunctions.executions import Lifecycle, patch_executions
from nova_constructs.emulator.stepfunctions.json_paths import patch_paths
from nova_constructs.emulator.stepfunctions.stand_ins import patch_time
from nova_constructs.emulator.stepfunctions.tasks import RoleSessions, patch_tasks
from nova_constructs.emulator.stepfunctions.tokens import Tokens, patch_tokens

_JOIN_SECONDS = 5.0


def install(state: EmulatorState) -> Undo:
    """Take over moto's interpreter; undoing it stops every execution."""
    patches = Patches()
    lifecycle, tokens, sessions = Lifecycle(state), Tokens(state.clock), RoleSessions(state)
    patch_time(state.clock, patches)
    patch_tasks(sessions, patches)
    patch_tokens(tokens, patches)
    patch_executions(lifecycle, patches)
    patch_paths(patches)
    patch_distributed_maps(state, sessions, patches)
    patches.replace(WaitFunction, "_wait_interval", _wait_on(state))
    patches.replace(models, "stepfunctions_backends", stepfunctions_parser_backends)

    def halt() -> None:
        for execution in _executions(state):
            if execution.exec_status == ExecutionStatus.RUNNING:
                lifecycle.stop(execution, None, None)
        tokens.forget()
        sessions.forget()
        _join_interpreter()

    state.on_halt(halt)
    return patches.undo


def _join_interpreter() -> None:
    deadline = time.monotonic() + _JOIN_SECONDS
    for thread in TMP_THREADS:
        Thread.join(thread, max(deadline - time.monotonic(), 0))
    TMP_THREADS.clear()


def _wait_on(state: EmulatorState) -> Any:
    def wait(_function: Any, env: Any, wait_seconds: float) -> None:
        state.clock.wait_for(lambda: not env.is_running(), max(wait_seconds, 0))

    return wait


def _executions(state: EmulatorState) -> list[Any]:
    backend = stepfunctions_parser_backends[state.account][state.region]
    return [execution for machine in backend.state_machines for execution in machine.executions]

"""Task tokens as Step Functions has them: new for each attempt, refused once the task has ended.

What a refused call says is what the service says; that a closed task answers TaskTimedOut in every case, and
TaskDoesNotExist in none, is how it is seen to behave rather than documented.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import EmptyResult
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    CallbackOutcomeTimedOut,
    HeartbeatTimedOut,
)
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.patches import Patches


class InvalidTokenError(ServiceException):
    code = "InvalidToken"

    def __init__(self) -> None:
        super().__init__("Invalid Token: 'Invalid token'")


class TaskTimedOutError(ServiceException):
    code = "TaskTimedOut"

    def __init__(self) -> None:
        super().__init__("Task Timed Out: 'Provided task does not exist anymore'")


class InvalidOutputError(ServiceException):
    code = "InvalidOutput"

    def __init__(self, reason: object) -> None:
        super().__init__(f"Invalid Output: '{reason}'")


@dataclass(slots=True)
class _Task:
    """One attempt of a task that waits for its token."""

    environment: Any
    outcome: Any = None
    heartbeats: int = 0
    closed: bool = False

    def is_open(self) -> bool:
        return not self.closed and self.outcome is None and self.environment.is_running()


class Tokens:
    """The tokens handed out so far; a used or closed one is remembered."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._tasks: dict[str, _Task] = {}
        self._lock = threading.Lock()

    def open(self, environment: Any) -> str:
        """Put a new token into the task's context object."""
        token: str = environment.states.context_object.update_task_token()
        environment.callback_pool_manager.add(token)
        with self._lock:
            self._tasks[token] = _Task(environment)
        return token

    def close(self, token: str) -> None:
        """Refuse the token from now on."""
        with self._lock:
            self._tasks[token].closed = True
        self._clock.wake()

    def send(self, token: str, outcome: Any) -> None:
        """End a waiting task; raises what the service raises for a token that is unknown or closed."""
        with self._lock:
            self._checked(token).outcome = outcome
        self._clock.wake()

    def heartbeat(self, token: str) -> None:
        """Restart the heartbeat timeout of a waiting task."""
        with self._lock:
            self._checked(token).heartbeats += 1
        self._clock.wake()

    def wait(self, token: str, environment: Any, timeout: float, heartbeat: float | None) -> Any:
        """Return what ended the task: its outcome, or that it timed out."""
        task = self._tasks[token]
        deadline = self._clock.monotonic() + timeout
        while True:
            seen = task.heartbeats
            left = deadline - self._clock.monotonic()
            patience = left if heartbeat is None else min(left, heartbeat)
            changed = self._clock.wait_for(partial(_ended, task, environment, seen), patience)
            if task.outcome is not None:
                return task.outcome
            if not environment.is_running() or task.closed or left <= 0:
                return CallbackOutcomeTimedOut(callback_id=token)
            if not changed and heartbeat is not None:
                return HeartbeatTimedOut()

    def forget(self) -> None:
        """Forget every token."""
        with self._lock:
            self._tasks.clear()

    def _checked(self, token: str) -> _Task:
        task = self._tasks.get(token)
        if task is None:
            raise InvalidTokenError
        if not task.is_open():
            raise TaskTimedOutError
        return task


def _ended(task: _Task, environment: Any, heartbeats: int) -> bool:
    return bool(
        task.outcome is not None or task.closed or task.heartbeats != heartbeats or not environment.is_running()
    )


def patch_tokens(tokens: Tokens, patches: Patches) -> None:
    """Let the interpreter and the API use these tokens."""
    evaluate = ExecutionState._evaluate_with_timeout

    def attempt(state: Any, env: Any) -> None:
        if not _waits_for_token(state):
            evaluate(state, env)
            return
        token = tokens.open(env)
        try:
            evaluate(state, env)
        finally:
            tokens.close(token)

    def wait(_state: Any, env: Any, timeout_seconds: float, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
        heartbeat = heartbeat_endpoint and heartbeat_endpoint._heartbeat_seconds
        return tokens.wait(callback_endpoint.callback_id, env, timeout_seconds, heartbeat)

    patches.replace(ExecutionState, "_evaluate_with_timeout", attempt)
    patches.replace(StateTaskServiceCallback, "_eval_wait_for_task_token", wait)
    _patch_api(tokens, patches)


def _waits_for_token(state: Any) -> bool:
    resource = getattr(state, "resource", None)
    return getattr(resource, "condition", None) == ResourceCondition.WaitForTaskToken


def _patch_api(tokens: Tokens, patches: Patches) -> None:
    def succeed(_backend: Any, task_token: str, outcome: str) -> None:
        try:
            json.loads(outcome)
        except ValueError as error:
            raise InvalidOutputError(error) from error
        tokens.send(task_token, CallbackOutcomeSuccess(callback_id=task_token, output=outcome))

    def fail(_backend: Any, task_token: str, error: str | None = None, cause: str | None = None) -> None:
        tokens.send(task_token, CallbackOutcomeFailure(callback_id=task_token, error=error, cause=cause))

    def answer_failure(response: Any) -> Any:
        token, error, cause = (response._get_param(name) for name in ("taskToken", "error", "cause"))
        response.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
        return EmptyResult()

    patches.replace(StepFunctionsParserBackend, "send_task_success", succeed)
    patches.replace(StepFunctionsParserBackend, "send_task_failure", fail)
    patches.replace(
        StepFunctionsParserBackend, "send_task_heartbeat", lambda _backend, task_token: tokens.heartbeat(task_token)
    )
    patches.replace(StepFunctionResponse, "send_task_failure", answer_failure)

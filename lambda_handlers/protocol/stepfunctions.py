"""What the protocol asks of Step Functions: to tell a waiting state, and to say whether an execution goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import error_code, service_errors
from lambda_handlers.protocol.names import canonical

_CLOSED_TOKEN: Final = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
_ERROR_LIMIT: Final = 256
_CAUSE_LIMIT: Final = 32_768


class TaskTokens(Protocol):
    """Tell a state that waits with a task token how its work ended. False: it waits no longer."""

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """Give the waiting state its output."""
        ...

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Fail the waiting state."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionState:
    """Describe an execution; `status` is Step Functions' own."""

    arn: str
    status: str
    error: str = ""
    cause: str = ""
    output: str = ""

    @property
    def ended(self) -> bool:
        """Say whether the execution is over."""
        return self.status not in ("RUNNING", "PENDING_REDRIVE")


class Executions(Protocol):
    """Say how executions stand."""

    def describe(self, execution_arn: str) -> ExecutionState:
        """Return the state of an execution; ABORTED if Step Functions knows it no more."""
        ...


class StoppableExecutions(Executions, Protocol):
    """Say how executions stand, and end them."""

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        """End an execution, `ABORTED`; one that has ended already stays as it is."""
        ...


class StepFunctions:
    """Call Step Functions (states:SendTaskSuccess, SendTaskFailure, DescribeExecution, StopExecution)."""

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """Give the waiting state its output."""
        return self._send("send_task_success", taskToken=token, output=canonical(dict(output)))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Fail the waiting state."""
        return self._send("send_task_failure", taskToken=token, error=error[:_ERROR_LIMIT], cause=cause[:_CAUSE_LIMIT])

    def describe(self, execution_arn: str) -> ExecutionState:
        """Return the state of an execution; ABORTED if Step Functions knows it no more."""
        try:
            with service_errors():
                answer = client("stepfunctions").describe_execution(executionArn=execution_arn)
        except Exception as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return ExecutionState(arn=execution_arn, status="ABORTED", cause="The execution is no longer known.")
            raise
        return ExecutionState(
            arn=execution_arn,
            status=answer["status"],
            error=answer.get("error", ""),
            cause=answer.get("cause", ""),
            output=answer.get("output", ""),
        )

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        """End an execution, `ABORTED`; one that has ended already stays as it is."""
        with service_errors():
            client("stepfunctions").stop_execution(
                executionArn=execution_arn, error=error[:_ERROR_LIMIT], cause=cause[:_CAUSE_LIMIT]
            )

    def _send(self, operation: str, **arguments: str) -> bool:
        try:
            with service_errors():
                getattr(client("stepfunctions"), operation)(**arguments)
        except Exception as error:
            if error_code(error) in _CLOSED_TOKEN:
                return False
            raise
        return True

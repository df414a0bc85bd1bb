"""How executions start, stop and end: names, statuses, causes, and the events that tell about them."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import (
    ExecutionAbortedEventDetails,
    ExecutionStatus,
    ExecutionTimedOutEventDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

_EVENT_DATA_LIMIT = 248 * 1024
"""Bytes of input or output that a status-change event still carries."""


class UnsupportedChildStopError(ServiceException):
    code = "ValidationException"

    def __init__(self) -> None:
        super().__init__("the emulator does not stop single children of a Map Run; stop the execution they belong to")


class Lifecycle:
    """Ends executions exactly once and tells EventBridge."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._lock = threading.RLock()

    def started(self, execution: Any) -> None:
        """Mark an execution as running and tell it."""
        execution.exec_status = ExecutionStatus.RUNNING
        self._announce(execution)

    def stop(self, execution: Any, error: str | None, cause: str | None) -> None:
        """Abort a running execution at once; whatever it called goes on."""
        with self._lock:
            if execution.exec_status != ExecutionStatus.RUNNING:
                return
            details = {"executionAbortedEventDetails": ExecutionAbortedEventDetails(error=error, cause=cause)}
            self._end(execution, ExecutionStatus.ABORTED, error, cause)
            self._freeze(execution, HistoryEventType.ExecutionAborted, details)
            environment = execution.exec_worker.env
            if environment is not None:
                environment.set_stop(stop_date=execution.stop_date, cause=cause, error=error)
        self._state.clock.wake()
        self._announce(execution)

    def ended(self, execution: Any, reflect: Any) -> None:
        """Take over how the interpreter ended, unless the execution was stopped before."""
        with self._lock:
            if execution.exec_status != ExecutionStatus.RUNNING:
                return
            reflect()
            if execution.exec_status == ExecutionStatus.TIMED_OUT:
                details = {"executionTimedOutEventDetails": ExecutionTimedOutEventDetails()}
                self._freeze(execution, HistoryEventType.ExecutionTimedOut, details)
            execution.exec_worker.env.event_manager.frozen = True
        self._state.clock.wake()
        self._announce(execution)

    def _end(self, execution: Any, status: ExecutionStatus, error: str | None, cause: str | None) -> None:
        execution.error, execution.cause = error, cause
        execution.stop_date = self._state.clock.now()
        execution.exec_status = status

    def _freeze(self, execution: Any, kind: HistoryEventType, details: dict[str, Any]) -> None:
        environment = execution.exec_worker.env
        if environment is not None:
            environment.event_manager.add_event(
                context=environment.event_history_context, event_type=kind, event_details=details
            )
            environment.event_manager.frozen = True

    def _announce(self, execution: Any) -> None:
        put = self._state.put_service_event
        if put is not None and not self._state.clock.stopped:
            put("aws.states", "Step Functions Execution Status Change", _detail(execution), [execution.exec_arn])


def _detail(execution: Any) -> dict[str, Any]:
    stopped = execution.stop_date
    sent, sent_details = _carried(execution.execution_input)
    succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
    output, output_details = (
        _carried(to_json_str(execution.output, separators=(",", ":"))) if succeeded else (None, None)
    )
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": None if stopped is None else _milliseconds(stopped),
        "input": sent,
        "inputDetails": sent_details,
        "output": output,
        "outputDetails": output_details,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE" if succeeded or stopped is None else "REDRIVABLE",
        "redriveStatusReason": None,
        "error": execution.error,
        "cause": execution.cause,
    }


def _carried(text: str) -> tuple[str | None, dict[str, bool]]:
    included = len(text.encode()) <= _EVENT_DATA_LIMIT
    return (text if included else None), {"included": included}


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)


def patch_executions(lifecycle: Lifecycle, patches: Patches) -> None:
    """Let the interpreter start and end executions through the life cycle."""
    _patch_ends(patches)
    reflect: Any = BaseExecutionWorkerCommunication._reflect_execution_status
    start, start_details, add = Execution.start, Execution.get_start_execution_details, EventManager.add_event

    def start_and_tell(execution: Any) -> None:
        lifecycle.started(execution)
        start(execution)

    def details_with_text_time(execution: Any) -> Any:
        details = start_details(execution)
        if not isinstance(details.start_time, str):
            details.start_time = details.start_time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return details

    def add_unless_frozen(manager: Any, *args: Any, **options: Any) -> int:
        return 0 if getattr(manager, "frozen", False) else add(manager, *args, **options)

    patches.replace(Execution, "start", start_and_tell)
    patches.replace(Execution, "get_start_execution_details", details_with_text_time)
    patches.replace(EventManager, "add_event", add_unless_frozen)
    patches.replace(
        BaseExecutionWorkerCommunication,
        "terminated",
        lambda communication: lifecycle.ended(communication.execution, lambda: reflect(communication)),
    )
    _patch_api(lifecycle, patches)


def _patch_ends(patches: Patches) -> None:
    """Let what was stopped or timed out stay so, whatever its threads still run into."""
    set_error = Environment.set_error

    def set_error_unless_over(environment: Any, error: Any) -> None:
        with environment._state_mutex:
            if not isinstance(environment._program_state, ProgramStopped | ProgramTimedOut):
                set_error(environment, error)

    patches.replace(Environment, "set_error", set_error_unless_over)


def _patch_api(lifecycle: Lifecycle, patches: Patches) -> None:
    start = StepFunctionsParserBackend.start_execution
    describe = StepFunctionResponse.describe_execution

    def start_named(
        backend: Any, state_machine_arn: str, name: str | None = None, execution_input: Any = None, trace: Any = None
    ) -> Any:
        return start(backend, state_machine_arn, name or str(uuid.uuid4()), execution_input, trace)

    def answer_stop(response: Any) -> ActionResult:
        execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
        if "/" in execution.state_machine_arn:
            raise UnsupportedChildStopError
        lifecycle.stop(execution, response._get_param("error"), response._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})

    def answer_describe(response: Any) -> Any:
        answer: Any = describe(response)
        execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
        if execution.stop_date is not None:
            answer.result["stopDate"] = execution.stop_date
        if execution.exec_status == ExecutionStatus.SUCCEEDED:
            answer.result["output"] = to_json_str(execution.output, separators=(",", ":"))
        answer.result["redriveCount"] = 0
        return answer

    patches.replace(StepFunctionsParserBackend, "start_execution", start_named)
    patches.replace(StepFunctionResponse, "stop_execution", answer_stop)
    patches.replace(StepFunctionResponse, "describe_execution", answer_describe)

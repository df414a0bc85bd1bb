"""A child workflow execution of a Map Run: an execution of its own, with its own history and context."""

from __future__ import annotations

import uuid
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from moto.stepfunctions.parser.api import (
    ExecutionStartedEventDetails,
    ExecutionStatus,
    HistoryEventExecutionDataDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import ProgramRunning
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

SIZE_LIMIT: Final = 256 * 1024
"""Bytes of JSON that an execution takes, gives, or passes from state to state."""


class ChildDetails(AWSExecutionDetails):
    """The account, Region and role of a child, and the execution and state machine that it acts for."""

    def __init__(self, parent: Any, execution: str, state_machine: str) -> None:
        super().__init__(account=parent.account, region=parent.region, role_arn=parent.role_arn)
        self.execution, self.state_machine = execution, state_machine


def encoded(value: Any) -> str:
    """Write a value as the service measures it."""
    text: str = to_json_str(value, separators=(",", ":"))
    return text


def fits(value: Any) -> bool:
    """Tell whether a value is within the service's limit of 256 KiB."""
    return len(encoded(value).encode()) <= SIZE_LIMIT


def new_child(parent: Any, machine: Any, map_machine_arn: str, given: Any, now: datetime) -> Any:
    """Make a child that is ready to run; it is stopped with its parent, the environment of the Map state.

    `machine` is moto's state machine, `map_machine_arn` its ARN followed by a slash and the label of the Map state.
    """
    details = parent.aws_execution_details
    name = str(uuid.uuid4())
    child: Any = Execution(
        name=name,
        sm_type=machine.sm_type,
        role_arn=details.role_arn,
        exec_arn=f"{map_machine_arn.replace(':stateMachine:', ':execution:')}:{name}",
        account_id=details.account,
        region_name=details.region,
        state_machine=machine,
        start_date=now,
        cloud_watch_logging_session=None,
        activity_store=parent.activity_store,
        input_data=encoded(given),
    )
    child.state_machine_arn = map_machine_arn
    child.exec_status = ExecutionStatus.RUNNING
    child.exec_worker = SimpleNamespace(env=_environment(parent, child))
    return child


def _environment(parent: Any, child: Any) -> Any:
    owner = parent.states.context_object.context_object_data
    environment: Any = Environment(
        aws_execution_details=ChildDetails(
            parent.aws_execution_details, owner["Execution"]["Id"], owner["StateMachine"]["Id"]
        ),
        execution_type=parent.execution_type,
        context=_context(owner["StateMachine"]["Name"], child),
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store=parent.activity_store,
    )
    environment.callback_pool_manager = parent.callback_pool_manager
    running: Any = ProgramRunning
    environment._program_state = running()  # so that it can be stopped before its first state
    _tell_start(environment, child)
    with parent._state_mutex:
        parent._frames.append(environment)
    return environment


def _context(machine_name: str, child: Any) -> Any:
    """Give the context object of a child; it tells nothing of the Map state or of the parent."""
    started = child.get_start_execution_details()
    label = child.state_machine_arn.rsplit("/", 1)[1]
    return {
        "Execution": {
            "Id": child.exec_arn,
            "Input": started.inpt,
            "Name": child.name,
            "RoleArn": child.role_arn,
            "StartTime": started.start_time,
        },
        "StateMachine": {"Id": child.state_machine_arn, "Name": f"{machine_name}/{label}"},
    }


def _tell_start(environment: Any, child: Any) -> None:
    details = ExecutionStartedEventDetails(
        input=child.execution_input,
        inputDetails=HistoryEventExecutionDataDetails(truncated=False),
        roleArn=child.role_arn,
    )
    environment.event_manager.add_event(
        context=environment.event_history_context,
        event_type=HistoryEventType.ExecutionStarted,
        event_details={"executionStartedEventDetails": details},
        update_source_event_id=False,
    )


def conclude(child: Any) -> None:
    """Take over how the interpreter ended; an output over the limit is a failure."""
    communication: Any = BaseExecutionWorkerCommunication(child)
    communication._reflect_execution_status()
    if child.exec_status == ExecutionStatus.SUCCEEDED and not fits(child.output):
        child.exec_status, child.output = ExecutionStatus.FAILED, None
        child.error = "States.DataLimitExceeded"
        child.cause = f"the output of the child workflow has more than {SIZE_LIMIT} bytes"
    child.exec_worker.env.event_manager.frozen = True


def abort(child: Any, now: datetime) -> None:
    """End a child at once; whatever it called goes on."""
    environment = child.exec_worker.env
    child.exec_status, child.stop_date = ExecutionStatus.ABORTED, now
    environment.event_manager.add_event(
        context=environment.event_history_context, event_type=HistoryEventType.ExecutionAborted
    )
    environment.event_manager.frozen = True
    environment.set_stop(stop_date=now, cause=None, error=None)

"""Distributed Map as Step Functions runs it: moto's own fails never, has no role and starts no executions."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl as item_reader_decl
import moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config.input_type as input_type
from moto.core.exceptions import ServiceException
from moto.stepfunctions.parser.api import HistoryEventType, InvalidDefinition, MapRunStatus
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from nova_constructs.emulator.iam import AccessDeniedError, EvaluationError
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState
from nova_constructs.emulator.stepfunctions import map_definitions
from nova_constructs.emulator.stepfunctions.map_child import fits
from nova_constructs.emulator.stepfunctions.map_children import patch_children
from nova_constructs.emulator.stepfunctions.map_items import ItemReaderError, read_items
from nova_constructs.emulator.stepfunctions.map_run import MapRun, MapRunAborted, TooManyFailedError
from nova_constructs.emulator.stepfunctions.tasks import RoleSessions, owner_of

_TOO_MANY = "The specified tolerated failure threshold was exceeded"


class InvalidDefinitionError(ServiceException):
    code = "InvalidDefinition"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid State Machine Definition: {reason}")


class _InputTypes(enum.Enum):
    JSON = "JSON"
    JSONL = "JSONL"


def patch_distributed_maps(state: EmulatorState, sessions: RoleSessions, patches: Patches) -> None:
    """Let the interpreter run Distributed Maps as the service does, and refuse what it cannot honour."""
    _patch_definitions(patches)
    patch_children(patches)
    maps = _Maps(state, sessions)
    patches.replace(DistributedIterationComponent, "_eval_body", lambda component, env: maps.run(component, env))


def _patch_definitions(patches: Patches) -> None:
    validate, parse = StepFunctionsParserBackend._validate_definition, AmazonStateLanguageParser.parse

    def validate_honoured(definition: str) -> None:
        problems = map_definitions.unhonoured(definition)
        if problems:
            raise InvalidDefinitionError(f"not emulated: {'; '.join(problems)}")
        try:
            validate(definition=definition)
        except InvalidDefinition as error:  # moto's own reaches the caller without its code
            raise InvalidDefinitionError(str(error)) from error

    patches.replace(StepFunctionsParserBackend, "_validate_definition", staticmethod(validate_honoured))
    patches.replace(
        AmazonStateLanguageParser,
        "parse",
        staticmethod(lambda definition: parse(map_definitions.for_grammar(definition))),
    )
    patches.replace(input_type, "InputTypeValue", _InputTypes)
    # The items are read by `read_items`, which needs no transformer of moto's.
    patches.replace(item_reader_decl, "resource_output_transformer_for", lambda input_type: None)  # noqa: ARG005  # moto's signature


@dataclass(frozen=True, slots=True)
class _Maps:
    """Evaluates Distributed Maps."""

    state: EmulatorState
    sessions: RoleSessions

    def run(self, component: Any, env: Any) -> None:
        """Replace what moto pushed for the Map state by the array of its children's outputs."""
        given = env.stack.pop()
        record = given.map_run_record
        self._check_permission(env, record)
        _tell(env, HistoryEventType.MapRunStarted, mapRunStartedEventDetails={"mapRunArn": record.map_run_arn})
        try:
            results = self._results(component, env, given)
        except MapRunAborted:
            record.set_stop(status=MapRunStatus.ABORTED)
            # What the interpreter says from here on would stand after the end in the history.
            env.event_manager = EventManager()
            env.stack.append([])
            return
        except Exception as error:
            record.set_stop(status=MapRunStatus.FAILED)
            _tell_failure(env, error)
            raise
        record.set_stop(status=MapRunStatus.SUCCEEDED)
        _tell(env, HistoryEventType.MapRunSucceeded)
        if not fits(results):
            raise _too_large(env, f"The state/task '{given.state_name}' returned a result")
        env.stack.append(results)

    def _check_permission(self, env: Any, record: Any) -> None:
        """Start a Map Run only with the right to start executions of the state machine itself."""
        execution, machine = owner_of(env)
        role = env.aws_execution_details.role_arn
        try:
            self.sessions.authorize("states:StartExecution", machine, role, execution, machine)
        except (AccessDeniedError, EvaluationError) as error:
            record.set_stop(status=MapRunStatus.FAILED)
            raise _failure(env, "StepFunctions.AccessDeniedException", str(error)) from error

    def _results(self, component: Any, env: Any, given: Any) -> list[Any]:
        items = self._items(env, given)
        backend = stepfunctions_parser_backends[self.state.account][self.state.region]
        run = MapRun(
            clock=self.state.clock,
            environment=env,
            record=given.map_run_record,
            machine=backend.describe_state_machine(owner_of(env)[1]),
            program=component._get_iteration_program(),
            items=items,
            inputs=_inputs(env, given, items),
        )
        given.map_run_record.children = run.children
        try:
            return run.results()
        except TooManyFailedError as error:
            raise _failure(env, "States.ExceedToleratedFailureThreshold", _TOO_MANY) from error

    def _items(self, env: Any, given: Any) -> list[Any]:
        reader = given.item_reader
        if reader is None:
            found: list[Any] = given.input_items
            return found
        reader.reader_config.eval(env=env)
        config = env.stack.pop()
        reader.parargs.eval(env=env)
        parameters = env.stack.pop()
        role = env.aws_execution_details.role_arn
        try:
            s3 = self.sessions.client("s3", role, *owner_of(env))
            kind = reader.reader_config.input_type.input_type_value.value
            return read_items(s3, parameters, kind, config["MaxItemsValue"])
        except (ItemReaderError, AccessDeniedError) as error:
            raise _failure(env, "States.ItemReaderFailed", str(error)) from error


def _inputs(env: Any, given: Any, items: list[Any]) -> Callable[[int], Any]:
    """Give the input of the child of an item: the item, or what the ItemSelector makes of it."""
    state_input = env.stack[-1] if env.stack else env.states.get_input()

    def select(index: int) -> Any:
        value = items[index]
        if given.item_selector is not None:
            frame = env.open_frame()
            try:
                item = {"Item": {"Index": index, "Value": value}}
                frame.states.context_object.context_object_data["Map"] = item
                frame.states.reset(input_value=state_input)
                frame.stack.append(state_input)
                given.item_selector.eval(frame)
                value = frame.stack.pop()
            finally:
                env.delete_frame(frame)
        if not fits(value):
            raise _too_large(env, f"The input of item {index}, in '{given.state_name}', came out")
        return value

    return select


def _tell(env: Any, kind: HistoryEventType, **details: Any) -> None:
    env.event_manager.add_event(context=env.event_history_context, event_type=kind, event_details=details or None)


def _tell_failure(env: Any, error: Exception) -> None:
    pair = error.extract_error_cause_pair() if isinstance(error, FailureEventException) else None
    details = {name: value for name, value in zip(("error", "cause"), pair or (), strict=False) if value}
    _tell(env, HistoryEventType.MapRunFailed, mapRunFailedEventDetails=details)


def _too_large(env: Any, what: str) -> FailureEventException:
    cause = f"{what} with a size exceeding the maximum number of bytes service limit."
    return _failure(env, "States.DataLimitExceeded", cause)


def _failure(env: Any, error: str, cause: str) -> FailureEventException:
    details: Any = {"mapRunFailedEventDetails": {"error": error, "cause": cause}}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=CustomErrorName(error),
            event_type=HistoryEventType.MapRunFailed,
            event_details=details,
        )
    )

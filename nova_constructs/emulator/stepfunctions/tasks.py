"""How a task calls a service: under the machine's role, with the service's own casing and error names."""

from __future__ import annotations

import datetime
import threading
from functools import cache
from typing import Any, cast

import moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name as custom_error_name
import moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk as aws_sdk
import moto.stepfunctions.parser.asl.utils.boto_client as boto_client
from botocore import xform_name
from botocore.exceptions import ClientError, HTTPClientError
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.api import HistoryEventType, LambdaFunctionFailedEventDetails, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState
from nova_constructs.emulator.stepfunctions.map_child import ChildDetails

_UNCATCHABLE_BY_WILDCARD = frozenset({"States.DataLimitExceeded", "States.Runtime"})
_SERVICE_NAMES = {
    "bedrock": "Bedrock",
    "dynamodb": "DynamoDb",
    "kms": "Kms",
    "lambda": "Lambda",
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
}


class RoleSessions:
    """The role sessions of executions, one for each execution and role."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._keys: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._lock = threading.Lock()

    def client(self, service: str, role_arn: str, execution: str, state_machine: str) -> Any:
        """Return a client of a service with the rights of the execution's role."""
        keys = self._session(role_arn, execution, state_machine)
        return client_as(self._state, service, keys, retries=False, checks=False)

    def authorize(self, action: str, resource: str, role_arn: str, execution: str, state_machine: str) -> None:
        """Check what the service does on behalf of an execution without calling an API of the emulator.

        Raises AccessDeniedError or EvaluationError as an API call under the execution's role would.
        """
        credentials.check(self._session(role_arn, execution, state_machine), action, resource)

    def _session(self, role_arn: str, execution: str, state_machine: str) -> credentials.Keys:
        with self._lock:
            keys = self._keys.get((role_arn, execution))
            if keys is None:
                session = execution.rsplit(":", 1)[-1][:64] or "states"
                keys = credentials.for_role(role_arn, "states.amazonaws.com", session, source_arn=state_machine)
                self._keys[role_arn, execution] = keys
        return keys

    def forget(self) -> None:
        """Forget every session."""
        with self._lock:
            self._keys.clear()


def owner_of(env: Any) -> tuple[str, str]:
    """Give the ARNs of the execution and state machine whose role acts; a child's are its parent's."""
    details = env.aws_execution_details
    if isinstance(details, ChildDetails):
        return details.execution, details.state_machine
    data = env.states.context_object.context_object_data
    return data["Execution"]["Id"], data["StateMachine"]["Id"]


def patch_tasks(sessions: RoleSessions, patches: Patches) -> None:
    """Let tasks call services as Step Functions does."""
    _patch_clients(sessions, patches)
    _patch_casing(patches)
    _patch_sizes(patches)
    _patch_errors(patches)


def _patch_clients(sessions: RoleSessions, patches: Patches) -> None:
    evaluate = StateTask._eval_state_credentials

    def of_execution(state: Any, env: Any) -> Any:
        found: Any = evaluate(state, env)
        found.execution, found.state_machine = owner_of(env)
        return found

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001  # one Region
        return sessions.client(
            service, state_credentials.role_arn, state_credentials.execution, state_credentials.state_machine
        )

    patches.replace(StateTask, "_eval_state_credentials", of_execution)
    patches.replace_everywhere("boto_client_for", boto_client.boto_client_for, client_for)


def _patch_casing(patches: Patches) -> None:
    def to_service(
        state: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        model = _operation(
            state._get_boto_service_name(boto_service_name), state._get_boto_service_action(service_action_name)
        )
        if model is not None and model.input_shape is not None:
            state._to_boto_request(parameters, model.input_shape)

    def from_service(
        state: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        model = _operation(
            state._get_boto_service_name(boto_service_name), state._get_boto_service_action(service_action_name)
        )
        if model is not None and model.output_shape is not None:
            state._from_boto_response(response, model.output_shape)
        if isinstance(response, dict):
            plain = _with_text_times(response)
            response.clear()
            response.update(plain)

    patches.replace(StateTaskService, "_normalise_parameters", to_service)
    patches.replace(StateTaskService, "_normalise_response", from_service)


@cache
def _operation(service: str, action: str) -> Any:
    model = get_service_model(service)
    for name in model.operation_names:
        if xform_name(name) == action or name.lower() == action.replace("_", "").lower():
            return model.operation_model(name)
    return None


def _with_text_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_text_times(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_times(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return value


def _patch_sizes(patches: Patches) -> None:
    before = StateTaskService._before_eval_execution

    def check(state: Any, env: Any, resource_runtime_part: Any, raw_parameters: Any, state_credentials: Any) -> None:
        state._verify_size_quota(env=env, value=raw_parameters)
        before(state, env, resource_runtime_part, raw_parameters, state_credentials)

    patches.replace(StateTaskService, "_before_eval_execution", check)


def _patch_errors(patches: Patches) -> None:
    failure, direct = StateTaskServiceLambda._from_error, StateTaskLambda._from_error

    def lambda_failure(state: Any, env: Any, ex: Exception) -> Any:
        name = _lambda_error(ex)
        return failure(state, env, ex) if name is None else _task_failed(state, env, name, str(ex))

    def matches(declared: Any, env: Any) -> None:
        error = env.stack.pop().error_name
        names = {name.error_name for name in declared.error_names}
        wildcard = ("States.ALL" in names and error not in _UNCATCHABLE_BY_WILDCARD) or (
            "States.TaskFailed" in names and error not in _UNCATCHABLE_BY_WILDCARD | {"States.Timeout"}
        )
        env.stack.append(wildcard or error in names)

    def direct_failure(state: Any, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, ClientError | HTTPClientError):
            return direct(state, env, ex)
        error = _lambda_error(ex) or f"Lambda.{cast(ClientError, ex).response['Error']['Code']}"
        return _function_failed(env, error, str(ex))

    patches.replace(StateTaskServiceLambda, "_from_error", lambda_failure)
    patches.replace(StateTaskLambda, "_from_error", direct_failure)
    patches.replace(ErrorEqualsDecl, "_eval_body", matches)
    # A Fail state may re-throw States.* that it takes from a path; only a literal is refused by the service.
    patches.replace(custom_error_name, "ILLEGAL_CUSTOM_ERROR_PREFIX", "\0")
    names = dict(aws_sdk._SERVICE_ERROR_NAMES)
    patches.replace(aws_sdk, "_SERVICE_ERROR_NAMES", {**_SERVICE_NAMES, **names})


def _lambda_error(error: Exception) -> str | None:
    """Return the name under which a state machine sees that Lambda's API could not be used."""
    if isinstance(error, HTTPClientError):
        return "Lambda.SdkClientException"
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        return "Lambda.AWSLambdaException" if status >= 500 and code != "ServiceException" else None
    return None


def _function_failed(env: Any, error: str, cause: str) -> Any:
    details = LambdaFunctionFailedEventDetails(error=error, cause=cause)
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.LambdaFunctionFailed,
        event_details=cast(Any, {"lambdaFunctionFailedEventDetails": details}),
    )


def _task_failed(state: Any, env: Any, error: str, cause: str) -> Any:
    details = TaskFailedEventDetails(
        error=error, cause=cause, resource=state._get_sfn_resource(), resourceType=state._get_sfn_resource_type()
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=cast(Any, {"taskFailedEventDetails": details}),
    )

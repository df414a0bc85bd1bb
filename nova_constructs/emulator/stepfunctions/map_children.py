"""Ask for the children of a Map Run: list them by its ARN, describe one and read its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from nova_constructs.emulator.patches import Patches


class UnknownMapRunError(ServiceException):
    code = "ResourceNotFound"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Resource not found: '{arn}'")


def patch_children(patches: Patches) -> None:
    """Let the API find children by their ARNs and by the ARN of their Map Run."""
    describe, list_all = StepFunctionsParserBackend.describe_execution, StepFunctionResponse.list_executions

    def describe_any(backend: Any, execution_arn: str) -> Any:
        is_of_child = "/" in execution_arn  # machine/label:name
        children = _children(backend) if is_of_child else ()
        found = next((child for child in children if child.exec_arn == execution_arn), None)
        return found or describe(backend, execution_arn)

    def answer_list(response: Any) -> Any:
        arn = response._get_param("mapRunArn")
        return _listed(response, arn) if arn else list_all(response)

    patches.replace(StepFunctionsParserBackend, "describe_execution", describe_any)
    patches.replace(StepFunctionResponse, "list_executions", answer_list)


def _records(backend: Any) -> Iterator[Any]:
    for execution in backend._get_executions():
        environment = execution.exec_worker and execution.exec_worker.env
        if environment is not None:
            yield from environment.map_run_record_pool_manager.get_all()


def _children(backend: Any) -> Iterator[Any]:
    for record in _records(backend):
        yield from getattr(record, "children", ())


def _listed(response: Any, map_run_arn: str) -> Any:
    """Answer with the children of a Map Run, all on one page, the newest first."""
    records = (record for record in _records(response.stepfunction_backend) if record.map_run_arn == map_run_arn)
    record = next(records, None)
    if record is None:
        raise UnknownMapRunError(map_run_arn)
    wanted = response._get_param("statusFilter")
    children = [child for child in reversed(getattr(record, "children", [])) if wanted in (None, child.status)]
    return ActionResult({"executions": [_item(child, map_run_arn) for child in children]})


def _item(child: Any, map_run_arn: str) -> dict[str, Any]:
    item = {
        "executionArn": child.exec_arn,
        "stateMachineArn": child.state_machine_arn,
        "mapRunArn": map_run_arn,
        "name": child.name,
        "status": child.status,
        "startDate": child.start_date,
    }
    return item if child.stop_date is None else {**item, "stopDate": child.stop_date}

"""Write what a function printed to its log group, with the function's own rights; refused logs are lost, as on AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.functions.worker import Worker
from nova_constructs.emulator.state import EmulatorState

# Processes of a function that start at once would all find its group missing, and make it.
_creating = threading.Lock()
_LOST = frozenset({"AccessDeniedException", "ResourceNotFoundException"})


def log_group(function: Any) -> str:
    """Return the log group of a function."""
    configured: Mapping[str, str] = getattr(function, "logging_config", None) or {}
    return configured.get("LogGroup") or f"/aws/lambda/{function.function_name}"


def write_logs(
    state: EmulatorState, keys: tuple[str, str, str], function: Any, worker: Worker, request_id: str, printed: str
) -> None:
    """Write the lines of one invocation to the log stream of its process."""
    lines = [
        f"START RequestId: {request_id} Version: {function.version}",
        *printed.splitlines(),
        f"END RequestId: {request_id}",
    ]
    now = int(state.clock.now().timestamp() * 1000)
    client = client_as(state, "logs", keys)
    place = {"logGroupName": log_group(function), "logStreamName": worker.stream}
    try:
        if not worker.stream_exists:
            with _creating:
                _create_stream(client, place)
            worker.stream_exists = True
        client.put_log_events(**place, logEvents=[{"timestamp": now, "message": line} for line in lines if line])
    except ClientError as error:
        if _code(error) not in _LOST:
            raise


def _create_stream(client: Any, place: Mapping[str, str]) -> None:
    try:
        _make_sure(client.create_log_stream, **place)
    except ClientError as error:
        if _code(error) != "ResourceNotFoundException":
            raise
        _make_sure(client.create_log_group, logGroupName=place["logGroupName"])
        _make_sure(client.create_log_stream, **place)


def _make_sure(create: Callable[..., object], **request: str) -> None:
    """Create what may be there: made by another process, or by a try of this call whose answer was lost."""
    try:
        create(**request)
    except ClientError as error:
        if _code(error) != "ResourceAlreadyExistsException":
            raise


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

"""Write what a function printed to its log group, with the function's own rights; refused logs are lost, as on AWS."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.state import EmulatorState


class FunctionLogs:
    """Writes logs with the session of a function's role."""

    def __init__(self, state: EmulatorState, keys: tuple[str, str, str]) -> None:
        self._state = state
        self._client = client_as(state, "logs", keys)

    def write(self, function: Any, stream: str, request_id: str, printed: str) -> None:
        """Write the lines of one invocation."""
        from nova_constructs.emulator.functions.runtime import log_group

        lines = [
            f"START RequestId: {request_id} Version: {function.version}",
            *printed.splitlines(),
            f"END RequestId: {request_id}",
        ]
        now = int(self._state.clock.now().timestamp() * 1000)
        place = {"logGroupName": log_group(function), "logStreamName": stream}
        events = [{"timestamp": now, "message": line} for line in lines if line]
        try:
            self._put(place, events)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"AccessDeniedException", "ResourceNotFoundException"}:
                raise

    def _put(self, place: dict[str, str], events: list[dict[str, Any]]) -> None:
        if place["logStreamName"] not in _written:
            self._create(place)
            _written.add(place["logStreamName"])
        self._client.put_log_events(**place, logEvents=events)

    def _create(self, place: dict[str, str]) -> None:
        try:
            self._client.create_log_stream(**place)
        except self._client.exceptions.ResourceNotFoundException:
            self._client.create_log_group(logGroupName=place["logGroupName"])
            self._client.create_log_stream(**place)


_written: set[str] = set()

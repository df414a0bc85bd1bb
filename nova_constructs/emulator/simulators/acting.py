"""A simulated service that acts under the role passed to it, call by call, as the real one does."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from nova_constructs.emulator.iam.errors import AccessDeniedError
from nova_constructs.emulator.simulators.state import SimulatorState

_ACTIONS = {"ListObjectsV2": "s3:ListBucket"}
"""IAM actions whose name differs from the operation's."""


class AccessRefusedError(Exception):
    """A call of the service was refused; the message names the IAM action."""


class ActingService:
    """Clients that act under one role, which a service principal has assumed for one resource."""

    def __init__(self, state: SimulatorState, *, role_arn: str, service_principal: str, source_arn: str) -> None:
        self.role_arn = role_arn
        self._state = state
        self._principal = service_principal
        self._source_arn = source_arn
        self._clients: dict[str, Any] = {}

    def assume(self) -> None:
        """Assume the role; raise AccessRefusedError if its trust policy does not let the service in."""
        self._client("sts")

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation by its API name and return its answer; raise AccessRefusedError if it fails."""
        try:
            client = self._client(service)
            method = _method_name(client, operation)
            answer: dict[str, Any] = getattr(client, method)(**parameters)
        except ClientError as error:
            raise AccessRefusedError(self._refusal(service, operation, error)) from error
        return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            try:
                client = self._state.boto_client_as(self.role_arn, self._principal, service, self._source_arn)
            except AccessDeniedError as error:
                raise AccessRefusedError(f"AccessDenied on sts:AssumeRole: {error}") from error
            self._clients[service] = client
        return self._clients[service]

    def _refusal(self, service: str, operation: str, error: ClientError) -> str:
        action = _ACTIONS.get(operation, f"{service}:{operation}")
        details = error.response["Error"]
        return f"{details.get('Code')} on {action}: {details.get('Message')}"


def _method_name(client: Any, operation: str) -> str:
    names: dict[str, str] = client.meta.method_to_api_mapping
    return next(method for method, api in names.items() if api == operation)

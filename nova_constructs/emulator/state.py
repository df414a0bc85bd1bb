"""What the parts of one emulator share; each part has `install(state)` that returns a callable undoing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nova_constructs.emulator.clock import SimulatedClock

OPERATOR_ACCESS_KEY = "AKIAOPERATOR00000000"
OPERATOR_SECRET_KEY = "operator-secret-key-of-the-emulator-0000"

Undo = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedResponse:
    """What a caller gets instead of the service's answer: an AWS error, or a dropped connection (`drop`)."""

    code: str = "InternalFailure"
    message: str = "injected by a fault"
    status: int = 500
    drop: bool = False


class RequestFaults(Protocol):
    """Faults applied to API requests, asked once before and once after each operation."""

    def on_request(self, service: str, operation: str, phase: Literal["before", "after"]) -> InjectedResponse | None:
        """Run the callbacks of the phase and return the answer to inject, if any.

        A response injected before keeps the operation from happening; one injected after replaces its answer.
        `service` is boto3's service name (`stepfunctions`), `operation` the name of the API (`StartExecution`).
        """

    def clear(self) -> None:
        """Forget all faults."""


class ServiceEvents(Protocol):
    """Puts an event of an AWS service on the default bus."""

    def __call__(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None: ...


def _no_events(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
    """Drop an event: EventBridge is not installed."""


def _no_metrics(namespace: str, name: str, dimensions: Mapping[str, str], value: float) -> None:
    """Drop a value: alarms are not installed."""


@dataclass(slots=True, kw_only=True)
class EmulatorState:
    """Everything shared by the parts of the running emulator; the endpoint is known once the server listens."""

    account: str
    region: str
    clock: SimulatedClock
    faults: Any
    simulation: Any
    endpoint: str = ""
    calls: Any = field(default_factory=list)
    resource_policies: Any = None
    deliveries: Any = field(default_factory=list)
    put_service_event: ServiceEvents = _no_events
    put_metric: Callable[[str, str, Mapping[str, str], float], None] = _no_metrics
    """Measures a value of a service's own metric."""
    _resets: list[Callable[[], object]] = field(default_factory=list)
    _halts: list[Callable[[], object]] = field(default_factory=list)
    _sessions: dict[tuple[str, ...], tuple[str, str, str]] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """Return the port of the endpoint."""
        return int(self.endpoint.rsplit(":", 1)[1])

    def boto_client_as(self, role_arn: str, service_principal: str, service: str, source_arn: str) -> Any:
        """Return a client that acts under a role which a service has assumed; refused as the role's trust says.

        It makes every call once. The session is kept, as services do, until something is deployed.
        """
        from nova_constructs.emulator.aws import client_as
        from nova_constructs.emulator.iam import credentials

        key = (role_arn, service_principal, service, source_arn)
        if key not in self._sessions:
            session = service_principal.split(".")[0].title()
            self._sessions[key] = credentials.for_role(role_arn, service_principal, session, source_arn)
        return client_as(self, service, self._sessions[key], retries=False)

    def forget_sessions(self) -> None:
        """Let services assume their roles anew: policies may have changed."""
        self._sessions.clear()

    def on_halt(self, function: Callable[[], object]) -> None:
        """Run a function to end running work, before anything is taken away."""
        self._halts.append(function)

    def on_reset(self, function: Callable[[], object]) -> None:
        """Run a function whenever the emulator has forgotten its resources."""
        self._resets.append(function)

    def halt(self) -> None:
        """End all running work."""
        for function in self._halts:
            function()

    def reset(self) -> None:
        """Let every part start anew."""
        self.forget_sessions()
        for function in self._resets:
            function()

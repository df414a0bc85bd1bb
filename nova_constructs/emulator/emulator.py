"""The embedded AWS: one local server that the real template, code and policies run on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nova_constructs.emulator import deploy
from nova_constructs.emulator.aws import forget_clients, operator_client
from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.deploy import StackDeployment
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, EmulatorState, Undo

if TYPE_CHECKING:
    from nova_constructs.emulator.kubernetes.cluster import HyperPodClusters

_running = threading.Lock()
_POLL_SECONDS = 0.02
_QUIET_SECONDS = 0.1


class EmulatorError(Exception):
    """The emulator cannot do what was asked; the message says what to change."""


class Emulator:
    """One embedded AWS account and Region on 127.0.0.1; at most one runs per process."""

    def __init__(
        self,
        *,
        port: int = 0,
        speed: float = 600.0,
        account: str = "123456789012",
        region: str = "us-east-1",
        simulation: Simulation | None = None,
    ) -> None:
        """Prepare an emulator; `port` 0 takes a free one, `speed` is simulated seconds per idle second."""
        from nova_constructs.emulator.simulators.faults import Faults

        self._port = port
        self._undo: list[Undo] = []
        self._hyperpod: HyperPodClusters | None = None
        self.state = EmulatorState(
            account=account,
            region=region,
            clock=SimulatedClock(speed),
            faults=Faults(),
            simulation=simulation or Simulation(),
        )

    @property
    def endpoint(self) -> str:
        """Return the URL that clients use, such as http://localhost:4566."""
        return self.state.endpoint

    @property
    def clock(self) -> SimulatedClock:
        """Return the clock of everything that is emulated."""
        return self.state.clock

    @property
    def faults(self) -> Any:
        """Return the faults to inject."""
        return self.state.faults

    @property
    def calls(self) -> Any:
        """Return the recorder of every API call and its IAM decision."""
        return self.state.calls

    @property
    def hyperpod(self) -> HyperPodClusters:
        """Return the HyperPod clusters; nothing of Kubernetes is loaded or listens before the first is made."""
        if self._hyperpod is None:
            from nova_constructs.emulator.kubernetes.cluster import HyperPodClusters

            self._hyperpod = HyperPodClusters(self.state)
            self.state.on_halt(self._hyperpod.stop)
        return self._hyperpod

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that point any AWS client at this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": OPERATOR_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": OPERATOR_SECRET_KEY,
            "AWS_DEFAULT_REGION": self.state.region,
            "AWS_REGION": self.state.region,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def deliveries(self) -> Any:
        """Return the log of every delivery of EventBridge, oldest first."""
        return self.state.deliveries

    def client(self, service: str) -> Any:
        """Return a boto3 client with the rights of the account's operator."""
        return operator_client(self.state, service)

    def start(self) -> None:
        """Listen and take over moto; raises EmulatorError if the port is taken or another emulator runs."""
        if not _running.acquire(blocking=False):
            raise EmulatorError("another emulator runs in this process; stop it first")
        self._undo.append(_running.release)
        try:
            self._install()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every thread and process of the emulator and restore moto; safe to call twice."""
        if self._undo:
            self.state.halt()
        while self._undo:
            self._undo.pop()()

    def reset(self) -> None:
        """Forget every resource, execution, fault and recorded call; clock and endpoint stay."""
        self.state.halt()
        self.clock.cancel_timers()
        self.faults.clear()
        _empty_moto()
        self.state.reset()

    def deploy(self, assembly: str | Path, stack_name: str | None = None) -> StackDeployment:
        """Publish the assets of a synthesized assembly and create or update its stack.

        Raises UnsupportedTemplate with everything the emulator would not honour, DeploymentError for an assembly that
        is incomplete, and botocore's ClientError if CloudFormation refuses.
        """
        self.state.forget_sessions()
        return deploy.deploy(self.state, Path(assembly), stack_name)

    def destroy(self, stack_name: str) -> None:
        """Delete a stack; retained resources stay."""
        deploy.destroy(self.state, stack_name)

    def wait_for_execution(self, arn: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait, at most `timeout` real seconds, until an execution has ended and return its description."""
        deadline = time.monotonic() + timeout
        while True:
            description: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
            if description["status"] != "RUNNING":
                return description
            if time.monotonic() > deadline:
                raise TimeoutError(f"{arn} still runs after {timeout} s")
            time.sleep(_POLL_SECONDS)

    def settle(self, timeout: float = 30.0) -> None:
        """Wait, at most `timeout` real seconds, until no request, function or delivery is under way."""
        deadline = time.monotonic() + timeout
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_SECONDS:
            if self.clock.is_busy:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the emulator is still busy after {timeout} s")
            time.sleep(_POLL_SECONDS / 4)

    def _install(self) -> None:
        from nova_constructs.emulator import cloudformation, events, functions, server, simulators, stepfunctions
        from nova_constructs.emulator.iam import guard

        _empty_moto()
        try:
            listener = server.listen(self._port)
        except server.PortInUseError as error:
            raise EmulatorError(error.strerror) from error
        self._undo += [_empty_moto, forget_clients, server.install(self.state, listener), self.clock.stop]
        for part in (guard, simulators, events, functions, stepfunctions, cloudformation):
            self._undo.append(part.install(self.state))


def _empty_moto() -> None:
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    BackendDict.reset()
    reset_model_data()

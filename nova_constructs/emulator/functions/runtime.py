"""Run functions: warm processes by version, role sessions, limits and logs."""

from __future__ import annotations

import json
import threading
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException

from nova_constructs.emulator.functions.code import CodeStore
from nova_constructs.emulator.functions.logs import log_group, write_logs
from nova_constructs.emulator.functions.processes import Processes, Start
from nova_constructs.emulator.functions.worker import Outcome, Worker
from nova_constructs.emulator.iam import AccessDeniedError, credentials
from nova_constructs.emulator.state import EmulatorState

_LARGEST_RESPONSE = 6_291_556
_SHARED_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"}
_Keys = tuple[str, str, str]


class TooManyRequestsError(ServiceException):
    code = "TooManyRequestsException"

    def __init__(self) -> None:
        super().__init__("Rate Exceeded.")


class HaltedError(ServiceException):
    code = "ServiceException"


class RoleNotAssumableError(ServiceException):
    code = "AccessDeniedException"


class Runtime:
    """The processes of all functions."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._code = CodeStore()
        self._processes = Processes()
        self._lock = threading.Lock()
        self._idle: dict[str, list[Worker]] = defaultdict(list)
        self._busy: dict[str, list[Worker]] = defaultdict(list)
        self._sessions: dict[tuple[str, str], _Keys] = {}
        self._halted = False

    def invoke(self, function: Any, event: Any) -> Outcome:
        """Run a function once; raises TooManyRequestsError over its reserved concurrency."""
        if self._halted:
            raise HaltedError("the emulator stops")
        request_id = str(uuid.uuid4())
        keys = self._keys(function)
        crashes = self._state.faults.on_invocation(function.function_name, event)
        begun = self._state.clock.monotonic()
        try:
            worker = self._take(function, keys)
        except TooManyRequestsError:
            self._measure(function, Throttles=1)
            raise
        if crashes:
            worker.signal()
        try:
            outcome = worker.invoke(self._request(function, event, request_id, worker), float(function.timeout))
        finally:
            self._give_back(function, worker)
        write_logs(self._state, keys, function, worker, request_id, outcome.printed)
        limited = _limited(outcome)
        took = 1000 * (self._state.clock.monotonic() - begun)
        self._measure(function, Invocations=1, Errors=0 if limited.error is None else 1, Duration=took)
        return limited

    def _measure(self, function: Any, **values: float) -> None:
        """Tell the metrics of AWS Lambda, as CloudWatch has them of each function."""
        for name, value in values.items():
            self._state.put_metric("AWS/Lambda", name, {"FunctionName": function.function_name}, value)

    def stop(self) -> None:
        """Kill every process, remove the code, and refuse invocations until `resume`."""
        with self._lock:
            self._halted = True
            idle = [worker for group in self._idle.values() for worker in group]
            busy = [worker for group in self._busy.values() for worker in group]
            self._idle.clear()
            self._busy.clear()
            self._sessions.clear()
        for worker in busy:
            worker.signal()  # whoever waits for its answer cleans up
        for worker in idle:
            worker.kill()
        self._processes.stop()
        self._code.clear()

    def prepare(self) -> None:
        """Get ready, in the background, to start processes."""
        with self._lock:
            if not self._halted:
                self._processes.prepare(_SHARED_ENVIRONMENT)

    def resume(self) -> None:
        """Take invocations again."""
        self._halted = False

    def _take(self, function: Any, keys: _Keys) -> Worker:
        pool = _pool(function)
        with self._lock:
            reserved = function.reserved_concurrency
            if reserved is not None and len(self._busy[function.function_name]) >= int(reserved):
                raise TooManyRequestsError
            worker = next((found for found in self._idle[pool] if found.alive), None)
            self._idle[pool] = [found for found in self._idle[pool] if found.alive and found is not worker]
        if worker is None:
            worker = self._started(function, keys)
        with self._lock:
            if not self._halted:
                self._busy[function.function_name].append(worker)
                return worker
        worker.kill()
        raise HaltedError("the emulator stops")

    def _give_back(self, function: Any, worker: Worker) -> None:
        with self._lock:
            group = self._busy[function.function_name]
            if worker in group:
                group.remove(worker)
                if worker.alive:
                    self._idle[_pool(function)].append(worker)
                    return
        worker.kill()

    def _started(self, function: Any, keys: _Keys) -> Worker:
        try:
            return self._start(function, keys)
        except OSError as error:
            if self._halted:  # its code was removed under it
                raise HaltedError("the emulator stops") from error
            raise

    def _start(self, function: Any, keys: _Keys) -> Worker:
        stream = f"{self._state.clock.now():%Y/%m/%d}/[{_version(function)}]{uuid.uuid4().hex}"
        code = self._code.folder(function.code_sha_256, function.code_bytes)
        start = Start(
            code=code,
            layers=self._layers(function),
            environment=self._environment(function, code, keys, stream),
            offset=self._state.clock.offset(),
        )
        return Worker(self._processes, start, stream)

    def _layers(self, function: Any) -> list[Path]:
        from moto.awslambda.models import lambda_backends

        backend = lambda_backends[self._state.account][self._state.region]
        found: list[Any] = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        paths = [self._code.layer(layer.code_sha_256, layer.code_bytes) for layer in found]
        return [path for path in paths if path is not None]

    def _keys(self, function: Any) -> _Keys:
        with self._lock:
            found = self._sessions.get((function.role, function.function_name))
        if found is None:
            try:
                found = credentials.for_role(
                    function.role, "lambda.amazonaws.com", function.function_name, function.function_arn
                )
            except AccessDeniedError as error:
                message = f"The role defined for the function cannot be assumed by Lambda. {error}"
                raise RoleNotAssumableError(message) from error
            with self._lock:
                self._sessions[function.role, function.function_name] = found
        return found

    def _environment(self, function: Any, code: Path, keys: _Keys, stream: str) -> dict[str, str]:
        region = self._state.region
        return {
            **{name: str(value) for name, value in (function.environment_vars or {}).items()},
            **_SHARED_ENVIRONMENT,
            "LAMBDA_TASK_ROOT": str(code),
            "_HANDLER": function.handler,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_SESSION_TOKEN": keys[2],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": _version(function),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function),
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self._state.endpoint,
        }

    def _request(self, function: Any, event: Any, request_id: str, worker: Worker) -> dict[str, Any]:
        context = {
            "aws_request_id": request_id,
            "function_name": function.function_name,
            "function_version": _version(function),
            "invoked_function_arn": function.function_arn,
            "memory_limit_in_mb": str(function.memory_size),
            "log_group_name": log_group(function),
            "log_stream_name": worker.stream,
            "timeout": float(function.timeout),
        }
        return {"event": event, "context": context, "offset": self._state.clock.offset()}


def _version(function: Any) -> str:
    return str(function.version)


def _pool(function: Any) -> str:
    """Return what two invocations must share to use the same process."""
    variables = function.environment_vars or {}
    layers = [layer["Arn"] for layer in function.layers]
    facts = (function.function_arn, function.code_sha_256, function.role, function.handler, variables, layers)
    return json.dumps(facts, sort_keys=True)


def _limited(outcome: Outcome) -> Outcome:
    if outcome.result is None or len(outcome.result.encode()) <= _LARGEST_RESPONSE:
        return outcome
    message = f"Response payload size exceeded maximum allowed payload size ({_LARGEST_RESPONSE} bytes)."
    return Outcome(
        error={"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}, printed=outcome.printed
    )

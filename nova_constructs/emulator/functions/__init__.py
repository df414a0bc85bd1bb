"""AWS Lambda: the real code of the assets, in processes of the host's Python, under each function's own role."""

from __future__ import annotations

import base64
import json
from typing import Any

from moto.awslambda.models import LambdaFunction, LambdaStorage

from nova_constructs.emulator.functions.asynchronous import AsyncInvocations
from nova_constructs.emulator.functions.logs import log_group
from nova_constructs.emulator.functions.runtime import Runtime
from nova_constructs.emulator.functions.streams import StreamReaders
from nova_constructs.emulator.functions.worker import Outcome
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState, Undo

_LOG_TAIL = 4096


def install(state: EmulatorState) -> Undo:
    """Let moto's functions run; undoing it kills every process."""
    patches = Patches()
    runtime = Runtime(state)
    background = AsyncInvocations(state, runtime)
    readers = StreamReaders(state, runtime)
    readers.install(patches)
    patches.replace(LambdaFunction, "invoke", _invoker(runtime, background))
    _patch_configuration(patches, runtime)
    _patch_versions(patches)
    state.on_halt(runtime.stop)
    state.on_reset(runtime.resume)
    state.on_reset(readers.forget)

    def undo() -> None:
        runtime.stop()
        background.stop()
        readers.stop()
        patches.undo()

    return undo


def _invoker(runtime: Runtime, background: AsyncInvocations) -> Any:
    def invoke(function: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        """Stand in for moto's method, which starts a container."""
        event = json.loads(body) if body else {}
        kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            background.send(function, event)
            return b""
        outcome = runtime.invoke(function, event)
        tail = outcome.printed.encode()[-_LOG_TAIL:]
        response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
        response_headers["x-amz-executed-version"] = str(function.version)
        return _body(outcome, response_headers)

    return invoke


def _body(outcome: Outcome, response_headers: Any) -> bytes:
    if outcome.error is None:
        return (outcome.result or "null").encode()
    response_headers["x-amz-function-error"] = "Unhandled"
    return json.dumps(outcome.error).encode()


def _patch_configuration(patches: Patches, runtime: Runtime) -> None:
    """Keep the settings that moto drops, logging and the dead-letter queue; the first function readies the runtime."""
    made, update, describe = (
        LambdaFunction.__init__,
        LambdaFunction.update_configuration,
        LambdaFunction.get_configuration,
    )

    def make(function: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
        made(function, account_id, spec, region, version)
        runtime.prepare()
        function.logging_config = spec.get("LoggingConfig")
        function.dead_letter_config = spec.get("DeadLetterConfig")
        function.logs_group_name = log_group(function)

    def change(function: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        function.logging_config = config_updates.get("LoggingConfig", function.logging_config)
        function.dead_letter_config = config_updates.get("DeadLetterConfig", function.dead_letter_config)
        function.logs_group_name = log_group(function)
        return dict(update(function, config_updates))

    def configuration(function: Any, on_create: bool = False) -> dict[str, Any]:
        described = dict(describe(function, on_create))
        described["LoggingConfig"] = {"LogFormat": "Text", "LogGroup": log_group(function)} | (
            function.logging_config or {}
        )
        if function.dead_letter_config:
            described["DeadLetterConfig"] = function.dead_letter_config
        return described

    patches.replace(LambdaFunction, "__init__", make)
    patches.replace(LambdaFunction, "update_configuration", change)
    patches.replace(LambdaFunction, "get_configuration", configuration)


def _patch_versions(patches: Patches) -> None:
    """Never give the number of a deleted version to a new one."""
    publish = LambdaStorage.publish_version

    def publish_next(storage: Any, name_or_arn: str, description: str = "") -> Any:
        published: Any = publish(storage, name_or_arn, description)
        known = storage._functions[published.function_name].setdefault("known_versions", [])
        if not any(version is published for version in known):
            highest = max((int(version.version) for version in known), default=0)
            del storage._arns[published.function_arn]
            published.set_version(highest + 1)
            storage._arns[published.function_arn] = published
            known.append(published)
        return published

    patches.replace(LambdaStorage, "publish_version", publish_next)

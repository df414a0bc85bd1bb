"""Runs inside the process of a function: imports the handler, then serves invocations, one JSON object a line.

Started isolated (no site directory, no PYTHONPATH), so that our own package can only come from the function's code.
Uses nothing but the standard library.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TextIO

Handler = Callable[[Any, Any], Any]
_CLOCK_MODULE = "lambda_handlers.protocol.clock"


class FollowedClock:
    """Tells the time that the host gave with the invocation, going on at the speed of real time."""

    offset = 0.0

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)


def main(arguments: list[str]) -> None:
    """Serve invocations until the host closes the pipe; `arguments` is one JSON object."""
    options = json.loads(arguments[1])
    with os.fdopen(options["read"]) as requests, os.fdopen(options["write"], "w") as answers:
        serve(options, requests, answers)


def serve(options: Mapping[str, Any], requests: TextIO, answers: TextIO) -> None:
    """Import the handler that the environment names, then answer invocations until the requests end."""
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *options["layers"]]
    sys.path += options["site"]
    clock = FollowedClock()
    clock.offset = options["offset"]
    handler, failure = _load(os.environ["_HANDLER"], clock)
    for line in requests:
        request = json.loads(line)
        clock.offset = request["offset"]
        _answer(answers, {"error": failure} if handler is None else _invoke(handler, request))
        if handler is None:
            sys.exit(1)


def _answer(answers: TextIO, answer: Mapping[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def _load(name: str, clock: FollowedClock) -> tuple[Handler | None, dict[str, Any]]:
    module_name, _, function_name = name.rpartition(".")
    try:
        _install_clock(clock)
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return None, _init_error("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        return None, _init_error("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:
        traceback.print_exc()
        return None, _error(error, "")
    handler = getattr(module, function_name, None)
    if handler is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return None, _init_error("Runtime.HandlerNotFound", message)
    return handler, {}


def _install_clock(clock: FollowedClock) -> None:
    package = os.path.join(os.environ["LAMBDA_TASK_ROOT"], *_CLOCK_MODULE.split(".")) + ".py"  # noqa: PTH118
    if os.path.exists(package):  # noqa: PTH110  # pathlib would slow every cold start
        importlib.import_module(_CLOCK_MODULE).install(clock)


def _invoke(handler: Handler, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        result = handler(request["event"], _context(request["context"]))
    except SystemExit as stop:
        os._exit(stop.code if isinstance(stop.code, int) else 1)
    except BaseException as error:
        traceback.print_exc()
        return {"error": _error(error, request["context"]["aws_request_id"])}
    try:
        return {"result": json.dumps(result)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return {"error": {**_init_error("Runtime.MarshalError", message), "stackTrace": []}}


def _context(given: Mapping[str, Any]) -> SimpleNamespace:
    deadline = time.monotonic() + given["timeout"]
    return SimpleNamespace(
        **{name: value for name, value in given.items() if name != "timeout"},
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.monotonic()) * 1000)),
    )


def _init_error(kind: str, message: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": []}


def _error(error: BaseException, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],
    }


if __name__ == "__main__":
    main(sys.argv)

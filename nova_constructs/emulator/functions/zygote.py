"""Runs in a process of its own that has imported what most functions import, and forks one process per cold start.

Started isolated, as bootstrap.py is. It never sees the environment of a function: the fork reads that itself, from the
pipe of its invocations. When the host closes the control socket, by its end too, every fork ends with this process.
Uses nothing but the standard library, and forks only what has no threads.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
from types import ModuleType
from typing import Any

_IMPORTS = ("boto3", "boto3.session", "botocore.client", "botocore.httpsession", "orjson", "yaml")
_SERVICES = ("dynamodb", "s3", "lambda", "stepfunctions", "sagemaker", "bedrock")
_DESCRIPTORS = 4
"""Of a fork: its requests, its answers, the file it prints to, and where its id and its end are told."""
_HIGHEST_DESCRIPTOR = 1 << 16


def main(arguments: list[str]) -> None:
    """Fork on request until the host closes the control socket; `arguments` is one JSON object."""
    options = json.loads(arguments[1])
    bootstrap = _loaded(options["bootstrap"])
    _import_from(options["site"])
    gc.collect()
    gc.freeze()  # else the first collection of each fork would copy every page
    with socket.socket(fileno=options["control"]) as control:
        control.sendall(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})).encode() + b"\n")
        descriptors = Forks(control).run()
    if descriptors is not None:
        _become_function(bootstrap, descriptors)


def _loaded(path: str) -> ModuleType:
    """Load a file as a module that no import can find."""
    spec = importlib.util.spec_from_file_location("bootstrap", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018  # the path ends in .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _import_from(site: list[str]) -> None:
    before = list(sys.path)
    sys.path += site
    for name in _IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        _read_models()
    sys.path[:] = before  # a fork puts the function's code first


def _read_models() -> None:
    """Read the service models that most functions read; each fork gets each of them once, as if from its file."""
    from botocore.loaders import JSONFileLoader, Loader

    read = JSONFileLoader.load_file
    models: dict[str, Any] = {}

    def keep(loader: Any, file_path: str) -> Any:
        models[file_path] = read(loader, file_path)
        return models[file_path]

    def give(loader: Any, file_path: str) -> Any:
        found = models.pop(file_path, None)
        return read(loader, file_path) if found is None else found

    JSONFileLoader.load_file = keep
    loader = Loader()
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for service in _SERVICES:
        for kind in ("service-2", "endpoint-rule-set-1"):
            loader.load_service_model(service, kind)
    JSONFileLoader.load_file = give


class Forks:
    """The processes forked so far, and where to tell the end of each."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._told: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def run(self) -> list[int] | None:
        """Return the descriptors of a fork in that fork, and None in this process once the host has gone."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 1 << 12)
                self._reap()
            if self._control.fileno() in ready:
                descriptors = self._asked()
                if not descriptors:
                    self._end()
                    return None
                if self._forked(descriptors):
                    return descriptors

    def _asked(self) -> list[int]:
        with contextlib.suppress(ConnectionError):
            return socket.recv_fds(self._control, 1, _DESCRIPTORS)[1]
        return []

    def _forked(self, descriptors: list[int]) -> bool:
        """Tell whether this is the fork."""
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return True
        *given, told = descriptors
        for descriptor in given:
            os.close(descriptor)
        self._told[child] = told
        return False

    def _reap(self) -> None:
        for child in list(self._told):
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._finish(child)

    def _finish(self, child: int) -> None:
        # Until it is reaped nothing else can have its id, so this ends what it started and nothing else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = self._told.pop(child)
        with contextlib.suppress(BrokenPipeError):
            os.write(told, b"ended %d\n" % status)
        os.close(told)

    def _end(self) -> None:
        for child in list(self._told):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            self._finish(child)


def _become_function(bootstrap: ModuleType, descriptors: list[int]) -> None:
    read, write, printed, told = descriptors
    os.setsid()
    os.write(told, b"began %d\n" % os.getpid())
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    _close_all_but(read, write)
    with os.fdopen(read) as requests, os.fdopen(write, "w") as answers:
        options = json.loads(requests.readline())
        os.environ.clear()
        os.environ.update(options["environment"])
        os.chdir(options["code"])
        sys.argv[:] = [str(bootstrap.__file__)]
        bootstrap.serve(options, requests, answers)


def _close_all_but(*kept: int) -> None:
    begin = 3
    for descriptor in sorted(kept):
        os.closerange(begin, descriptor)
        begin = descriptor + 1
    os.closerange(begin, _HIGHEST_DESCRIPTOR)


if __name__ == "__main__":
    main(sys.argv)

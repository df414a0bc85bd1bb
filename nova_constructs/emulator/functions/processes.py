"""Start the processes of functions: forked from a warm interpreter where that changes nothing, else new ones."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import site
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

_HERE = Path(__file__).parent
_BOOTSTRAP, _ZYGOTE = _HERE / "bootstrap.py", _HERE / "zygote.py"
# macOS has libraries that must not be used after a fork.
_CAN_FORK = sys.platform == "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a function's process needs: its code, its environment, and how far its clock is ahead of real time."""

    code: Path
    layers: Sequence[Path]
    environment: Mapping[str, str]
    offset: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipes:
    """The host's ends of a process's pipes."""

    requests: int
    answers: int


class Process(Protocol):
    """A started process, as subprocess.Popen has it."""

    @property
    def pid(self) -> int:
        """Return its id, which is that of its group too."""

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""

    def wait(self) -> int:
        """Wait for its end; returns the exit status, or the negative number of a signal."""


def start_new(start: Start, printed: IO[bytes]) -> tuple[Process, Pipes]:
    """Start a new interpreter; raises OSError."""
    (read, requests), (answers, write) = os.pipe(), os.pipe()
    options = {"read": read, "write": write, **_options(start)}
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_BOOTSTRAP), json.dumps(options)],
            pass_fds=(read, write),
            env=dict(start.environment),
            cwd=start.code,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError:
        _close(requests, answers)
        raise
    finally:
        _close(read, write)
    return process, Pipes(requests=requests, answers=answers)


class Forked:
    """A process that the warm interpreter forked, known by what it and its parent tell through a pipe."""

    def __init__(self, told: int) -> None:
        self._lock = threading.Lock()
        self._told = os.fdopen(told, "rb", buffering=0)
        self._status: int | None = None
        word, _, number = self._told.readline().partition(b" ")
        if word != b"began":
            self._told.close()
            raise ChildProcessError("the process of a function ended as it began")
        self.pid = int(number)

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        with self._lock:
            return self._end() if self._status is not None or self._is_told() else None

    def wait(self) -> int:
        """Wait for its end; returns the exit status, or the negative number of a signal."""
        with self._lock:
            return self._end()

    def _is_told(self) -> bool:
        return bool(select.select([self._told], [], [], 0)[0])

    def _end(self) -> int:
        if self._status is None:
            number = self._told.readline().partition(b" ")[2]
            self._status = int(number) if number else -signal.SIGKILL  # its parent ended, and it with it
            self._told.close()
        return self._status


class Zygote:
    """An interpreter that has imported what most functions import, and forks their processes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it with the part of the environment that all functions share; it gets ready on its own."""
        self._lock = threading.Lock()
        self._imported: frozenset[str] | None = None
        self._control, theirs = socket.socketpair()
        options = {"control": theirs.fileno(), "bootstrap": str(_BOOTSTRAP), "site": _host_packages()}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_ZYGOTE), json.dumps(options)],
                pass_fds=(theirs.fileno(),),
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def suits(self, start: Start) -> bool:
        """Tell whether a fork runs the same code as a new interpreter: nothing that is imported comes with it."""
        return self._ready().isdisjoint(_importable([start.code, *start.layers]))

    def fork(self, start: Start, printed: IO[bytes]) -> tuple[Process, Pipes]:
        """Fork a process; raises OSError."""
        (read, requests), (answers, write), (told, tell) = os.pipe(), os.pipe(), os.pipe()
        first = {"code": str(start.code), "environment": dict(start.environment), **_options(start)}
        try:
            with self._lock:
                socket.send_fds(self._control, [b"f"], [read, write, printed.fileno(), tell])
        except OSError:
            _close(requests, answers, told)
            raise
        finally:
            _close(read, write, tell)
        pipes = Pipes(requests=requests, answers=answers)
        try:
            process = Forked(told)
            write_all(requests, json.dumps(first).encode() + b"\n")
        except OSError:
            _close(requests, answers)
            raise
        return process, pipes

    def stop(self) -> None:
        """End it with every process that it forked."""
        with self._lock:
            self._control.close()
        self._process.wait()

    def _ready(self) -> frozenset[str]:
        """Return the top-level names that it has imported; raises OSError if it could not start."""
        with self._lock:
            if self._imported is None:
                with self._control.makefile("rb") as told:
                    names = told.readline()
                if not names:
                    raise ChildProcessError("the interpreter for functions did not start")
                self._imported = frozenset(json.loads(names))
            return self._imported


class Processes:
    """Starts processes by the quickest way that a function cannot tell from a new interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Get ready in the background, unless that was done."""
        with self._lock:
            if _CAN_FORK and self._zygote is None:
                self._zygote = Zygote(environment)

    def start(self, start: Start, printed: IO[bytes]) -> tuple[Process, Pipes]:
        """Start a process; raises OSError."""
        zygote = self._zygote
        if zygote is not None:
            with contextlib.suppress(OSError):
                if zygote.suits(start):
                    return zygote.fork(start, printed)
        return start_new(start, printed)

    def stop(self) -> None:
        """End what `prepare` started and every process forked from it."""
        with self._lock:
            zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything to a pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _options(start: Start) -> dict[str, object]:
    return {"layers": [str(layer) for layer in start.layers], "site": _host_packages(), "offset": start.offset}


def _importable(folders: Iterable[Path]) -> Iterable[str]:
    return {entry.name.partition(".")[0] for folder in folders if folder.is_dir() for entry in folder.iterdir()}


def _host_packages() -> list[str]:
    """Return where the host keeps third-party packages; they come after the function's own code."""
    return [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

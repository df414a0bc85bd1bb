"""One warm process of a function."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_constructs.emulator.functions.processes import Processes, Start, write_all

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an invocation gave: a JSON text, or an error object; and what it printed."""

    result: str | None = None
    error: Mapping[str, Any] | None = None
    printed: str = ""


class Worker:
    """A process that has imported a handler and takes invocations one after the other."""

    def __init__(self, processes: Processes, start: Start, stream: str) -> None:
        self.stream = stream
        self.stream_exists = False
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        try:
            self._process, pipes = processes.start(start, self._printed)
        except OSError:
            self._printed.close()
            raise
        self._requests, self._answers = pipes.requests, pipes.answers

    @property
    def alive(self) -> bool:
        """Tell whether the process can take another invocation."""
        return self._process.poll() is None

    def invoke(self, request: Mapping[str, Any], timeout: float) -> Outcome:
        """Run one invocation; a process that takes too long or ends is gone afterwards."""
        begin = self._printed.seek(0, os.SEEK_END)
        request_id = request["context"]["aws_request_id"]
        try:
            write_all(self._requests, json.dumps(request).encode() + b"\n")
            answer = self._read_answer(time.monotonic() + timeout)
        except BrokenPipeError:
            answer = b""
        printed = self._read_printed(begin)
        if answer is None:
            self.kill()
            message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            return Outcome(error={"errorType": "Sandbox.Timedout", "errorMessage": message}, printed=printed)
        if not answer:
            return Outcome(error=self._exit_error(request_id), printed=printed)
        return Outcome(printed=printed, **json.loads(answer))

    def signal(self) -> None:
        """End the process with everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and give its files back; nobody may wait for its answer."""
        self.signal()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for descriptor in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._requests = self._answers = -1
        self._printed.close()

    def _read_answer(self, deadline: float) -> bytes | None:
        """Return the answer's line, nothing if the process ended, or None at the deadline."""
        received = bytearray()
        while not received.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return None
            chunk = os.read(self._answers, _CHUNK)
            if not chunk:
                return b""
            received += chunk
        return bytes(received)

    def _read_printed(self, begin: int) -> str:
        self._printed.seek(begin)
        return self._printed.read().decode(errors="replace")

    def _exit_error(self, request_id: str) -> dict[str, str]:
        status = self._process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal: {signal.Signals(-status).name.lower()[3:]}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        return {"errorType": "Runtime.ExitError", "errorMessage": message}

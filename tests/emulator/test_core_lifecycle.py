"""Starting and stopping: clear errors, and nothing left behind."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
import threading
import weakref
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator, EmulatorError
from nova_constructs.emulator.aws import KEPT, client_as
from tests.emulator.core_support import Assembly, start


def _leftovers() -> set[str]:
    return {str(path) for path in Path(tempfile.gettempdir()).glob("nova-emulator-*")}


def test_a_port_in_use_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        emulator = Emulator(port=port)
        with pytest.raises(EmulatorError, match=f"port {port} is in use; choose another one"):
            emulator.start()
    with Emulator(port=port) as running:
        assert running.endpoint == f"http://localhost:{port}"


def test_stopping_leaves_no_thread_process_file_or_variable(tmp_path):
    threads, files, variables = set(threading.enumerate()), _leftovers(), dict(os.environ)
    children = _children()  # another test of this process may have started some
    assembly = Assembly(tmp_path)
    assembly.function("Slow", "import time\ndef handler(event, context): time.sleep(60)", Timeout=100)
    assembly.machine(
        "Machine",
        {
            "StartAt": "Call",
            "States": {
                "Call": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": "${Slow}"},
                    "Next": "Wait",
                },
                "Wait": {"Type": "Wait", "Seconds": 10_000_000, "End": True},
            },
        },
    )
    emulator = Emulator()
    emulator.start()
    outputs = emulator.deploy(assembly.write()).outputs
    start(emulator, outputs["MachineArn"])
    emulator.client("lambda").invoke(FunctionName=_function(emulator), InvocationType="Event", Payload=b"{}")
    emulator.stop()
    emulator.stop()
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= threads
    assert _leftovers() <= files
    assert dict(os.environ) == variables
    assert set(_children()) <= set(children)


def _function(emulator) -> str:
    return emulator.client("lambda").list_functions()["Functions"][0]["FunctionName"]


def _children() -> list[int]:
    """Return the processes that this one has started and that still run (Linux)."""
    children = Path(f"/proc/{os.getpid()}/task")
    if not children.is_dir():
        return []
    return [int(pid) for task in children.iterdir() for pid in (task / "children").read_text().split()]


def test_clients_of_sessions_that_ended_are_let_go() -> None:
    with Emulator() as emulator:
        first = weakref.ref(client_as(emulator.state, "sts", ("AKIA", "secret", "first")))
        operator = emulator.client("sts")
        for number in range(KEPT):
            client_as(emulator.state, "sts", ("AKIA", "secret", str(number)))
            assert emulator.client("sts") is operator
        gc.collect()
        assert first() is None

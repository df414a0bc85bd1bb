"""A process that was forked for a function cannot be told from a new interpreter, and ends when it has to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.functions.processes import Processes, Start
from tests.emulator.core_support import Assembly, eventually, invoke

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="functions are forked on Linux only")

FACTS = """
import sys
before = sorted(sys.modules)
import os
def handler(event, context):
    return {
        "parent": os.getppid(), "group": os.getpgrp(), "pid": os.getpid(), "session": os.getsid(0),
        "variables": dict(os.environ), "folder": os.getcwd(), "path": sys.path, "preloaded": "boto3" in before,
        "open": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        "main": sys.argv[0], "flags": list(sys.flags),
        "streams": [sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering, sys.stderr.errors],
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE)],
        "random": random.random(),
    }
import random, signal
"""
OWN_BOTO3 = {"index.py": "import boto3\ndef handler(event, context): return boto3.VALUE", "boto3.py": "VALUE = 'mine'"}
LEAVES_A_CHILD = """
import os, subprocess
def handler(event, context):
    if event.get("exit"): os._exit(7)
    return subprocess.Popen(["sleep", "60"]).pid
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    assembly = Assembly(tmp_path_factory.mktemp("assembly"))
    for name, secret in (("First", "hush-first"), ("Second", "hush-second")):
        assembly.function(name, FACTS, FunctionName=name, Environment={"Variables": {f"{name.upper()}_KEY": secret}})
    assembly.function("Mine", "", FunctionName="Mine", Code=assembly.code(OWN_BOTO3))
    assembly.function("Leaves", LEAVES_A_CHILD, FunctionName="Leaves")
    with Emulator(speed=3600) as running:
        running.deploy(assembly.write())
        yield running


def _facts(emulator, name: str) -> dict:
    return invoke(emulator, name)[1]


def test_both_functions_come_from_one_warm_interpreter_and_lead_sessions_of_their_own(emulator):
    first, second = _facts(emulator, "First"), _facts(emulator, "Second")
    assert first["preloaded"] is True
    assert first["parent"] == second["parent"] != os.getpid()
    assert first["pid"] != second["pid"]
    assert first["pid"] == first["group"] == first["session"]
    assert first["random"] != second["random"]


def test_no_function_sees_anything_of_another(emulator):
    first, second = _facts(emulator, "First"), _facts(emulator, "Second")
    assert first["variables"]["FIRST_KEY"] == "hush-first"
    assert "hush-first" not in str(second)
    assert "FIRST_KEY" not in second["variables"]
    assert first["variables"]["AWS_SESSION_TOKEN"] != second["variables"]["AWS_SESSION_TOKEN"]


def test_a_forked_process_is_like_a_new_one(emulator, tmp_path):
    forked = _facts(emulator, "First")
    (tmp_path / "index.py").write_text(FACTS)
    new = _new_interpreter(tmp_path, forked["variables"] | {"LAMBDA_TASK_ROOT": str(tmp_path)})
    assert forked["preloaded"] is not new["preloaded"]
    for fact in ("main", "flags", "streams", "signals"):
        assert forked[fact] == new[fact], fact
    assert len(forked["open"]) == len(new["open"])
    assert forked["path"][1:] == new["path"][1:]
    assert forked["path"][0] == forked["folder"] == forked["variables"]["LAMBDA_TASK_ROOT"]
    assert forked["variables"].keys() == new["variables"].keys() - {"LC_CTYPE"}


def _new_interpreter(folder: Path, variables: dict[str, str]) -> dict:
    from nova_constructs.emulator.functions.worker import Worker

    start = Start(code=folder, layers=[], environment=variables, offset=0.0)
    worker = Worker(Processes(), start, "stream")
    try:
        outcome = worker.invoke({"event": {}, "context": {"aws_request_id": "1", "timeout": 9}, "offset": 0.0}, 9)
    finally:
        worker.kill()
    assert outcome.error is None, outcome
    return json.loads(outcome.result)


def test_a_function_that_brings_its_own_copy_of_a_library_gets_that_copy(emulator):
    assert invoke(emulator, "Mine")[1] == "mine"


def test_what_a_function_started_ends_with_its_process(emulator):
    child = invoke(emulator, "Leaves")[1]
    assert _runs(child)
    _, payload = invoke(emulator, "Leaves", {"exit": True})
    assert payload["errorMessage"].endswith("Runtime exited with error: exit status 7")
    eventually(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _start(folder: Path, source: str, processes: Processes):
    (folder / "index.py").write_text(source)
    variables = {"LAMBDA_TASK_ROOT": str(folder), "_HANDLER": "index.handler"}
    with tempfile.TemporaryFile() as printed:
        return processes.start(Start(code=folder, layers=[], environment=variables, offset=0.0), printed)


def test_a_function_still_starts_when_the_warm_interpreter_has_ended(tmp_path):
    processes = Processes()
    processes.prepare({"PATH": "/usr/bin:/bin"})
    os.kill(processes._zygote._process.pid, signal.SIGKILL)
    process, pipes = _start(tmp_path, "def handler(event, context): pass", processes)
    assert isinstance(process, subprocess.Popen)
    os.close(pipes.requests)
    assert process.wait() == 0
    os.close(pipes.answers)
    processes.stop()


def test_stopping_ends_every_process(tmp_path):
    processes = Processes()
    processes.prepare({"PATH": "/usr/bin:/bin"})
    process, pipes = _start(tmp_path, "import time\ntime.sleep(60)", processes)
    assert process.poll() is None
    processes.stop()
    assert process.wait() == -signal.SIGKILL
    assert not _runs(process.pid)
    for descriptor in (pipes.requests, pipes.answers):
        os.close(descriptor)


def test_every_process_ends_with_a_host_that_is_killed(tmp_path):
    host = textwrap.dedent("""
        import sys, tempfile, time
        from pathlib import Path
        from nova_constructs.emulator.functions.processes import Processes, Start
        folder = Path(sys.argv[1])
        (folder / "index.py").write_text("import time\\ntime.sleep(60)")
        processes = Processes()
        processes.prepare({"PATH": "/usr/bin:/bin"})
        variables = {"LAMBDA_TASK_ROOT": str(folder), "_HANDLER": "index.handler"}
        start = Start(code=folder, layers=[], environment=variables, offset=0.0)
        process, _ = processes.start(start, tempfile.TemporaryFile())
        print(processes._zygote._process.pid, process.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", host, str(tmp_path)], stdout=subprocess.PIPE) as running:
        pids = [int(pid) for pid in running.stdout.readline().split()]
        assert len(pids) == 2
        assert all(_runs(pid) for pid in pids)
        running.kill()
    eventually(lambda: not any(_runs(pid) for pid in pids))

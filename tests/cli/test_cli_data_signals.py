"""Signals end the data commands as Ctrl-C does: nothing unfinished stays behind, and no process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nova_constructs.cli.interrupts import breaking_in

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the processes in /proc")

ROW = b'{"question": "What is it?", "answer": "It is what it is."}\n'
# Whoever started the tests may have had these ignored (nohup, a job in the background), which is inherited.
RUN = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
from nova_constructs.cli.root import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `nova data prepare` on data that takes some seconds; the caller gets it at work."""
    (tmp_path / "in.jsonl").write_bytes(ROW * 1_500_000)
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        target = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA", "--output", str(tmp_path / "a" / "out"))
        command = [sys.executable, "-c", RUN, "data", "prepare", str(tmp_path / "in.jsonl"), *target, *options]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        wait_until(lambda: any((tmp_path / "a" / "out").rglob("*.partial")))
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.communicate()


def wait_until(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def workers(process: subprocess.Popen[bytes]) -> list[int]:
    found = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_behind(
    started: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = started("--json")
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, json.loads(out)["error"], b"Traceback" in err) == (code, "Interrupted", False)
    assert not (tmp_path / "a").exists()


def test_a_signal_ends_every_process(started: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = started("--processes", "2")
    wait_until(lambda: workers(process))
    [worker] = workers(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, is_alive(worker)) == (143, False), err
    assert not (tmp_path / "a").exists()


def test_a_process_that_lost_its_parent_ends(started: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = started("--processes", "2")
    wait_until(lambda: workers(process))
    [worker] = workers(process)
    process.kill()
    process.communicate(timeout=20)
    wait_until(lambda: not is_alive(worker))


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with breaking_in():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)

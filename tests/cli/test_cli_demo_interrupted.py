"""A signal at any moment of the demo leaves no process and no file. Looks at /proc, so runs on Linux only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by /proc"),
]

MARK = "NOVA_DEMO_TEST"


class Demo:
    """A `nova` process whose children and temporary files can be told from all others."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from nova_constructs.cli import main; main()", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(folder), MARK: self.mark},
            # Its own group, as a terminal gives it: a Ctrl-C there reaches every process of the group.
            start_new_session=True,
        )

    def until(self, text: str) -> None:
        """Read stderr up to a line that starts with the text."""
        assert self.process.stderr
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if line.strip().startswith(text):
                return
        pytest.fail(f"nova ended before it said {text!r}:\n{''.join(seen)}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def left(self) -> list[str]:
        """Return what is left behind: processes by command line, files by name."""
        for _ in range(40):
            found = [*self._processes(), *(path.name for path in self.folder.iterdir())]
            if not found:
                return []
            time.sleep(0.05)
        return found

    def _processes(self) -> Iterator[str]:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


@pytest.mark.parametrize(
    ("moment", "delay", "number", "code"),
    [
        ("Synthesizing", 0.0, signal.SIGINT, 130),
        ("Synthesizing", 2.5, signal.SIGTERM, 143),
        ("Synthesizing", 1.0, signal.SIGINT, 130),
        ("Deploying", 0.5, signal.SIGINT, 130),
        ("Run ", 0.0, signal.SIGTERM, 143),
        ("training:", 0.0, signal.SIGINT, 130),
    ],
)
def test_a_signal_leaves_nothing(tmp_path: Path, moment: str, delay: float, number: int, code: int) -> None:
    demo = Demo(tmp_path, "demo", "--json")
    demo.until(moment)
    time.sleep(delay)

    os.killpg(demo.process.pid, number)

    ended, out, err = demo.end()
    assert (ended, out) == (code, ""), err
    assert "Traceback" not in err
    assert demo.left() == []


def test_signals_in_quick_succession_leave_nothing_either(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "demo", "--json")
    demo.until("Run ")

    for _ in range(5):
        os.killpg(demo.process.pid, signal.SIGINT)
        time.sleep(0.02)

    assert demo.end()[0] == 130
    assert demo.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_stops_cleanly(tmp_path: Path, number: int) -> None:
    emulate = Demo(tmp_path, "emulate", "--json")
    emulate.until("The emulator listens")

    os.killpg(emulate.process.pid, number)

    code, out, err = emulate.end()
    assert (code, out.count("\n")) == (0, 1), err
    assert "Traceback" not in err
    assert emulate.left() == []

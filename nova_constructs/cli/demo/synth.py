"""Synthesizes the demo's app in a process of its own, so that `nova` never imports aws_cdk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nova_constructs.cli.demo.checks import DemoRequest
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.interrupts import Interrupts

_APP = "nova_constructs.app"
_GRACE_SECONDS = 3.0
_TAIL_LINES = 20


@contextmanager
def synthesis(request: DemoRequest, folder: Path, interrupts: Interrupts) -> Iterator[Callable[[], Path]]:
    """Write the demo's `customizations.yaml` and synthesize it beside what the block does.

    The value is a function that waits for the cloud assembly and returns its folder; it raises CommandError with the
    end of the process's stderr if synthesis fails, InterruptError on a signal. No process is left after the block.
    """
    settings = folder / "customizations.yaml"
    # JSON is YAML, and needs no library to write.
    settings.write_text(json.dumps(request.customizations(), indent=2), encoding="utf-8")
    assembly, log = folder / "assembly", folder / "synth.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", _APP, str(settings), "--output", str(assembly)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # CDK's own check of templates takes as long as the synthesis, and the emulator checks the template anyway.
            env={**os.environ, "JSII_NODE": str(request.node), "CDK_VALIDATION": "false"},
            # A group of its own: a Ctrl-C of the terminal reaches only nova, which then ends the whole group.
            start_new_session=True,
        )

    def wait() -> Path:
        while process.poll() is None:
            interrupts.wait(0.05)
        if process.returncode != 0:
            raise CommandError(f"synthesis failed with exit code {process.returncode}:\n{_tail(log)}")
        return assembly

    try:
        yield wait
    except BaseException:
        interrupts.end()
        raise
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
    # Node is a child of the child, and may outlive it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])

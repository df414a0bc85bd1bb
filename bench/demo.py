"""How long the demo takes as a user sees it, after installation."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

from bench.figures import ROOT, Figure
from bench.options import Options
from bench.timing import timed

TITLE = "Demo"
NOTES = ""
_COMMAND = (sys.executable, "-c", "from nova_constructs.cli import main; main()", "demo", "--json")


def measure(options: Options) -> Iterator[Figure]:
    """Run the demo and require that it succeeds."""
    median = statistics.median(timed(_succeed) for _ in range(1 if options.quick else 3))
    yield Figure(
        what="demo on the emulator, after install", figure=f"{median:.1f} s", target="≤ 25 s", met=median <= 25
    )


def _succeed() -> None:
    done = subprocess.run(_COMMAND, check=True, capture_output=True, text=True, cwd=ROOT)
    assert json.loads(done.stdout)["status"] == "SUCCEEDED"

"""Measure and print every figure, then write them to docs/figures.md.

Ratios are of commands run in turn, pair by pair, in this one run; an absolute time says more about the machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from nova_constructs.handler_assets import handler_code, third_party_code

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures.md"
PAIRS = 5
NOTES = """
Both apps spend about 1.7 s of the synth in CDK's built-in template validation; ours spends about a second more there,
and the rest in some 1,100 calls from Python to CDK's Node.js process. On a busy machine the ratio was 2.2 to 2.7.
"""
Figure = tuple[str, str, str, bool]
"""What was measured, the figure, the target, and whether it is met."""
FUNCTIONS = sorted(path.stem for path in (ROOT / "lambda_handlers").glob("*.py") if path.stem != "__init__")


def main() -> None:
    """Print the figures and keep them."""
    lines = ["# Figures", "", f"`make bench` on Python {platform.python_version()}, {os.cpu_count()} cores.", ""]
    lines += ["| what | figure | target | |", "|---|---|---|---|"]
    for measure in (synth, imports, sizes, demo):
        for what, figure, target, met in measure():
            verdict = "met" if met else "missed"
            print(f"{what}: {figure} (target {target}: {verdict})", flush=True)
            lines.append(f"| {what} | {figure} | {target} | {verdict} |")
    FIGURES.write_text("\n".join(lines) + "\n" + NOTES)


def seconds(command: Sequence[str]) -> float:
    """Return how long a command takes as a whole process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def synth() -> list[Figure]:
    """Compare the synth of one customization with that of a one-bucket app, in turn, caches warm."""
    with tempfile.TemporaryDirectory() as folder:
        settings = str(ROOT / "customizations.yaml")
        ours = [sys.executable, "-m", "nova_constructs.app", settings, "--output", f"{folder}/ours"]
        theirs = [sys.executable, str(ROOT / "bench" / "one_bucket_app.py"), f"{folder}/theirs"]
        seconds(ours), seconds(theirs)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in pairs)
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [("synth against a one-bucket app", f"{ratio:.2f}x ({ours_s:.1f} s / {theirs_s:.1f} s)", "≤ 2x", ratio <= 2)]


def imports() -> list[Figure]:
    """Measure the import of every handler in a new process, less the start of Python itself."""
    found = {}
    for name in FUNCTIONS:
        bare, full = [], []
        for _ in range(PAIRS):
            bare.append(seconds([sys.executable, "-c", "pass"]))
            full.append(seconds([sys.executable, "-c", f"import lambda_handlers.{name}"]))
        found[name] = statistics.median(full) - statistics.median(bare)
    slowest = max(found, key=lambda name: found[name])
    figure = f"{found[slowest]:.2f} s ({slowest})"
    return [(f"import of a handler, slowest of {len(found)}", figure, "≤ 0.35 s", found[slowest] <= 0.35)]


def sizes() -> list[Figure]:
    """Measure the zips that are deployed."""
    found = {"code of every function": handler_code().path, "third-party layer": third_party_code().path}
    measured = {what: zipped(path) / 1e6 for what, path in found.items()}
    return [(f"zip, {what}", f"{size:.2f} MB", "≤ 10 MB", size <= 10) for what, size in measured.items()]


def zipped(folder: Path) -> int:
    """Return the size of a folder as a deflated zip, in bytes."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder))
        return Path(target.name).stat().st_size


def demo() -> list[Figure]:
    """Measure the demo as a user sees it, after installation."""
    command = [sys.executable, "-c", "from nova_constructs.cli import main; main()", "demo", "--json"]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
        assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    median = statistics.median(times)
    return [("demo on the emulator, after install", f"{median:.1f} s", "≤ 25 s", median <= 25)]


if __name__ == "__main__":
    main()

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
FUNCTIONS = sorted(path.stem for path in (ROOT / "lambda_handlers").glob("*.py") if path.stem != "__init__")


def main() -> None:
    """Print the figures and keep them."""
    lines = ["# Figures", "", f"`make bench` on Python {platform.python_version()}, {os.cpu_count()} cores.", ""]
    lines += ["| what | figure | target |", "|---|---|---|"]
    for what, figure, target in [*synth(), *imports(), *sizes(), *demo()]:
        print(f"{what}: {figure} (target {target})", flush=True)
        lines.append(f"| {what} | {figure} | {target} |")
    FIGURES.write_text("\n".join(lines) + "\n")


def seconds(command: Sequence[str]) -> float:
    """Return how long a command takes as a whole process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def synth() -> list[tuple[str, str, str]]:
    """Compare the synth of one customization with that of a one-bucket app, in turn, caches warm."""
    with tempfile.TemporaryDirectory() as folder:
        settings = str(ROOT / "customizations.yaml")
        ours = [sys.executable, "-m", "nova_constructs.app", settings, "--output", f"{folder}/ours"]
        theirs = [sys.executable, str(ROOT / "bench" / "one_bucket_app.py"), f"{folder}/theirs"]
        seconds(ours), seconds(theirs)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in pairs)
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [("synth against a one-bucket app", f"{ratio:.2f}x ({ours_s:.1f} s / {theirs_s:.1f} s)", "≤ 2x")]


def imports() -> list[tuple[str, str, str]]:
    """Measure the import of every handler in a new process, less the start of Python itself."""
    found = {}
    for name in FUNCTIONS:
        bare, full = [], []
        for _ in range(PAIRS):
            bare.append(seconds([sys.executable, "-c", "pass"]))
            full.append(seconds([sys.executable, "-c", f"import lambda_handlers.{name}"]))
        found[name] = statistics.median(full) - statistics.median(bare)
    slowest = max(found, key=lambda name: found[name])
    return [("import of a handler, slowest of " + str(len(found)), f"{found[slowest]:.2f} s ({slowest})", "≤ 0.35 s")]


def sizes() -> list[tuple[str, str, str]]:
    """Measure the zips that are deployed."""
    found = {"code of every function": handler_code().path, "third-party layer": third_party_code().path}
    return [(f"zip, {what}", f"{zipped(path) / 1e6:.2f} MB", "≤ 10 MB") for what, path in found.items()]


def zipped(folder: Path) -> int:
    """Return the size of a folder as a deflated zip, in bytes."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder))
        return Path(target.name).stat().st_size


def demo() -> list[tuple[str, str, str]]:
    """Measure the demo as a user sees it, after installation."""
    command = [sys.executable, "-c", "from nova_constructs.cli import main; main()", "demo", "--json"]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
        assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    return [("demo on the emulator, after install", f"{statistics.median(times):.1f} s", "≤ 25 s")]


if __name__ == "__main__":
    main()

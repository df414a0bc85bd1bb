"""What a function costs before it does anything: its import and its zip."""

from __future__ import annotations

import statistics
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import ROOT, Figure
from bench.options import Options
from bench.timing import seconds

TITLE = "Functions"
NOTES = ""
FUNCTIONS = sorted(path.stem for path in (ROOT / "lambda_handlers").glob("*.py") if path.stem != "__init__")


def measure(options: Options) -> Iterator[Figure]:
    """Measure the import of every handler in a new process, less the start of Python itself, then the zips."""
    yield _slowest_import(options.pairs)
    from nova_constructs.handler_assets import handler_code, third_party_code

    found = {"code of every function": handler_code().path, "third-party layer": third_party_code().path}
    for what, path in found.items():
        size = _zipped(Path(path)) / 1e6
        yield Figure(what=f"zip, {what}", figure=f"{size:.2f} MB", target="≤ 10 MB", met=size <= 10)


def _slowest_import(pairs: int) -> Figure:
    found = {}
    for name in FUNCTIONS:
        bare, full = [], []
        for _ in range(pairs):
            bare.append(seconds([sys.executable, "-c", "pass"]))
            full.append(seconds([sys.executable, "-c", f"import lambda_handlers.{name}"]))
        found[name] = statistics.median(full) - statistics.median(bare)
    slowest = max(found, key=lambda name: found[name])
    return Figure(
        what=f"import of a handler, slowest of {len(found)}",
        figure=f"{found[slowest]:.2f} s ({slowest})",
        target="≤ 0.35 s",
        met=found[slowest] <= 0.35,
    )


def _zipped(folder: Path) -> int:
    """Return the size of a folder as a deflated zip, in bytes."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(folder))
        return Path(target.name).stat().st_size

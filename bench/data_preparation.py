"""How near preparation comes to a bare loop over the same file, and what it needs of memory and time as files grow."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import floors
from bench.figures import ROOT, Figure
from bench.options import Options
from bench.text_rows import Row, converse_line, csv_record, flat_line, write_rows
from bench.timing import in_turn, median_ratio, medians, one_core, timed
from lambda_handlers.datasets.files import prepare_files
from lambda_handlers.datasets.preparation import Preparation

TITLE = "Data preparation"
NOTES = """
Rates are ours. The floor is a loop that parses and dumps each line with orjson, hashes (SHA-256) what it reads and what
it writes, and writes it; for CSV it is `for row in csv.reader(open(file, newline=""))`. Both take the same file, in
turn, on one core, and the ratio is the median of the rounds. Rows are text with quotes, line ends and other scripts, no
two alike; the files are made anew in the temporary folder (`TMPDIR`), where the full run wants 9 GB.

To put the seed SDK beside it, give its interpreter. It loads, transforms, validates and saves the file that we prepare
with one process; the time to import it is left out.

```console
$ python3.12 -m venv seed
$ seed/bin/pip install amzn-nova-customization-sdk==1.0.72 sagemaker==2.254.1
$ python -m bench data_preparation --sdk-python seed/bin/python
```
"""
MB = 1_000_000
SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA")
_ROOM = 4.5  # the input, its rows as they are made, the outputs, and what is kept about each row


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """The bytes of each input."""

    rates: int
    processes: int
    small: int
    middle: int
    large: int


FULL = Sizes(rates=100 * MB, processes=300 * MB, small=10 * MB, middle=100 * MB, large=2000 * MB)
QUICK = Sizes(rates=5 * MB, processes=60 * MB, small=2 * MB, middle=10 * MB, large=40 * MB)


def measure(options: Options) -> Iterator[Figure]:
    """Measure everything; what cannot be measured here says why and does not keep the rest from it."""
    sizes = QUICK if options.quick else FULL
    for what, encode, row_bytes, target in (
        ("flat JSONL, rows of 1.4 KB", flat_line, 1400, 0.45),
        ("flat JSONL, rows of 0.5 KB", flat_line, 500, 0.25),
        ("Converse JSONL, rows of 1.4 KB", converse_line, 1400, 0.45),
        ("Converse JSONL, rows of 0.5 KB", converse_line, 500, 0.25),
    ):
        yield _against(floors.parse_dump_hash, what, encode, row_bytes, target, sizes.rates, options.pairs)
    for row_bytes in (1400, 500):
        what = f"CSV, rows of {row_bytes / 1000:.1f} KB, against csv.reader"
        yield _against(floors.read_csv, what, csv_record, row_bytes, 0.5, sizes.rates, options.pairs)
    yield _two_processes(sizes.processes, 2 if options.quick else 3)
    yield from _growth(sizes, options.pairs)
    if options.sdk_python:
        yield _against_sdk(options.sdk_python, sizes.small, options.pairs)


def _against(
    floor: Callable[[Path, Path], None],
    what: str,
    encode: Callable[[Row], bytes],
    row_bytes: int,
    target: float,
    size: int,
    pairs: int,
) -> Figure:
    with _folder() as folder, one_core():
        source = folder / ("rows.csv" if encode is csv_record else "rows.jsonl")
        rows = write_rows(source, size=size, row_bytes=row_bytes, encode=encode)
        taken = in_turn(
            pairs,
            lambda: floor(source, folder / "floor.jsonl"),
            lambda: prepare_files(str(source), folder / "out", SFT),
        )
        ratio, ours = median_ratio(taken), medians(taken)[1]
        spread = f"{min(a / b for a, b in taken):.2f} to {max(a / b for a, b in taken):.2f}"
        figure = f"{ratio:.2f}x ({spread}; {_rate(rows, ours)}, {source.stat().st_size / ours / MB:.0f} MB/s)"
    return Figure(what=what, figure=figure, target=f"≥ {target}x", met=ratio >= target)


def _two_processes(size: int, pairs: int) -> Figure:
    what = f"two processes against one, {_size(size)}"
    if (os.cpu_count() or 1) < 2:
        return Figure(what=what, figure="not measured: this machine has one core", target="≥ 1.7x")
    with _folder() as folder:
        source = folder / "rows.jsonl"
        write_rows(source, size=size, row_bytes=1400)
        taken = in_turn(
            pairs,
            *(lambda n=n: prepare_files(str(source), folder / str(n), SFT, processes=n) for n in (1, 2)),
        )
    one, two = medians(taken)
    ratio = median_ratio(taken)
    return Figure(what=what, figure=f"{ratio:.2f}x ({one:.1f} s / {two:.1f} s)", target="≥ 1.7x", met=ratio >= 1.7)


def _growth(sizes: Sizes, pairs: int) -> Iterator[Figure]:
    """Measure memory with all operations on, then rates, at three sizes of file with rows of 0.5 KB."""
    free, wanted = shutil.disk_usage(tempfile.gettempdir()).free, int(sizes.large * _ROOM)
    measured = (sizes.small, sizes.middle, sizes.large)
    if free < wanted:
        yield Figure(
            what=f"memory and rates at {_size(sizes.large)}",
            figure=f"not measured: that needs {_size(wanted)} free in {tempfile.gettempdir()}, {_size(free)} are",
            target="≤ 200 MB, ≥ 0.9x",
        )
        measured = measured[:-1]
    plain: dict[int, list[float]] = {size: [] for size in measured}
    full: dict[int, float] = {}
    with _folder() as folder, one_core():
        rows = {size: write_rows(folder / f"{size}.jsonl", size=size, row_bytes=500) for size in measured}
        for size in measured[1:]:
            told = _child(folder / f"{size}.jsonl", folder / "out")
            full[size] = rows[size] / told["seconds"]
            yield _memory(size, told["peak"])
        # The small ones before and after the large one, so that a machine that changes its mind shows.
        for size in (*measured[:-1] * pairs, measured[-1], *measured[:-1] * pairs):
            seconds = timed(lambda size=size: prepare_files(str(folder / f"{size}.jsonl"), folder / "out", SFT))
            plain[size].append(rows[size] / seconds)
            shutil.rmtree(folder / "out")
    yield _flat("rate", {size: statistics.median(rates) for size, rates in plain.items()})
    if len(full) > 1:
        yield _flat("rate with split, dedupe and leakage", full)


def _memory(size: int, peak: int) -> Figure:
    return Figure(
        what=f"peak memory with split, dedupe and leakage, {_size(size)}",
        figure=f"{peak / MB:.0f} MB",
        target="≤ 200 MB",
        met=peak <= 200 * MB,
    )


def _flat(what: str, rates: dict[int, float]) -> Figure:
    (smallest, first), (largest, last) = min(rates.items()), max(rates.items())
    shown = ", ".join(f"{_rate(rate, 1)} at {_size(size)}" for size, rate in sorted(rates.items()))
    return Figure(
        what=f"{what}, {_size(largest)} against {_size(smallest)}",
        figure=f"{last / first:.2f}x ({shown})",
        target="≥ 0.9x",
        met=last / first >= 0.9,
    )


def _against_sdk(interpreter: Path, size: int, pairs: int) -> Figure:
    what = f"against the seed SDK, {_size(size)}"
    with _folder() as folder, one_core():
        source = folder / "rows.jsonl"
        rows = write_rows(source, size=size, row_bytes=1400)
        command = [str(interpreter), str(ROOT / "bench" / "sdk_child.py"), str(source), str(folder / "sdk.jsonl")]
        taken = []
        for _ in range(pairs):
            ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
            if ran.returncode:
                reason = (ran.stderr.strip().splitlines() or ["no message"])[-1]
                return Figure(what=what, figure=f"not measured: {reason}")
            told = json.loads(ran.stdout.splitlines()[-1])
            if told["rows"] != rows:
                return Figure(what=what, figure=f"not measured: it made {told['rows']} of {rows} rows")
            taken.append((told["seconds"], timed(lambda: prepare_files(str(source), folder / "out", SFT))))
    sdk, ours = medians(taken)
    ratio = median_ratio(taken)
    return Figure(
        what=what, figure=f"{ratio:.1f}x ({_rate(rows, ours)} / {_rate(rows, sdk)})", target="≥ 10x", met=ratio >= 10
    )


def _child(source: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.prepare_child", str(source), str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    shutil.rmtree(folder)
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nova-bench-") as folder:
        yield Path(folder)


def _rate(rows: float, seconds: float) -> str:
    return f"{rows / seconds / 1000:,.0f} thousand rows/s"


def _size(count: int) -> str:
    return f"{count / 1000 / MB:.0f} GB" if count >= 1000 * MB else f"{count / MB:.0f} MB"

"""Log lines and training metrics on stdout: for people, for a pipe, as JSON."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable
from typing import Any

from lambda_handlers.jobs.logs import LogLine, TrainingStep
from nova_constructs.cli import output, times

StageOf = Callable[[str], str | None]
Printer = Callable[[Any], None]

_BREAK = re.compile(r"\r\n|[\r\n]")
# Colours of a terminal: containers write them, and they mean nothing here.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COLUMNS = ("step", "loss", "learning_rate", "reward", "step_seconds")
_WIDTHS = (8, 12, 14, 12, 13)


def line_printer(stage_of: StageOf, *, as_json: bool) -> Printer:
    """Return what prints a LogLine: as one JSON object per line, or with time and origin before every line of it."""

    def for_people(line: LogLine) -> None:
        stage = stage_of(line.job)
        origin = output.harmless(f"{stage}/{line.node}" if stage else line.node)
        for text in _BREAK.split(line.message.rstrip()):
            sys.stdout.write(f"{times.instant(line.time)}  {origin}  {_plain(text)}\n")

    def as_object(line: LogLine) -> None:
        _print_object(
            {
                "time": line.time.isoformat(timespec="milliseconds"),
                "stage": stage_of(line.job),
                "job": line.job,
                "node": line.node,
                "stream": line.stream,
                "message": line.message,
            }
        )

    return as_object if as_json else for_people


def metrics_printer(stage_of: StageOf, *, as_json: bool) -> Printer:
    """Return what prints a TrainingStep: as JSON, as columns on a terminal, or as CSV in a pipe, with a heading."""
    if as_json:
        return lambda step: _print_object(_described(step, stage_of))
    return _columns(stage_of) if sys.stdout.isatty() else _csv(stage_of)


def _columns(stage_of: StageOf) -> Printer:
    headings: list[str] = ["".join(map(str.rjust, map(str.upper, _COLUMNS), _WIDTHS))]

    def show(step: TrainingStep) -> None:
        while headings:
            sys.stdout.write(f"{headings.pop()}  {'TIME':<19}  JOB\n")
        cells = (_cell(getattr(step, name)).rjust(width) for name, width in zip(_COLUMNS, _WIDTHS, strict=True))
        name = output.harmless(stage_of(step.job) or step.job)
        sys.stdout.write(f"{''.join(cells)}  {times.instant(step.time)}  {name}\n")

    return show


def _csv(stage_of: StageOf) -> Printer:
    writer: list[csv.DictWriter[str]] = []

    def show(step: TrainingStep) -> None:
        row = _described(step, stage_of)
        if not writer:
            writer.append(csv.DictWriter(sys.stdout, fieldnames=list(row), lineterminator="\n"))
            writer[0].writeheader()
        writer[0].writerow(row)

    return show


def _described(step: TrainingStep, stage_of: StageOf) -> dict[str, Any]:
    values = {name: _number(getattr(step, name)) for name in _COLUMNS}
    time = step.time.isoformat(timespec="milliseconds")
    return {"time": time, "stage": stage_of(step.job), "job": step.job, **values}


def _number(value: float | None) -> float | str | None:
    # JSON has no number for a loss that is not one, and that is the loss one looks for.
    return value if value is None or math.isfinite(value) else str(value)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _plain(text: str) -> str:
    return output.harmless(_COLOUR.sub("", text).replace("\t", "    "))


def _print_object(record: dict[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False)
    # JSON leaves some control characters as they are; ASCII leaves none.
    sys.stdout.write((text if text.isprintable() else json.dumps(record)) + "\n")

"""Clocks: whole processes, and things run in turn on one core."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bench.figures import ROOT


def seconds(command: Sequence[str]) -> float:
    """Return how long a command takes as a whole process."""
    return timed(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT))


def timed(work: Callable[[], object]) -> float:
    """Return how long a call takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(rounds: int, *works: Callable[[], object]) -> list[tuple[float, ...]]:
    """Time each of the works once per round, one after the other; the first round only warms up and is left out."""
    taken = [tuple(timed(work) for work in works) for _ in range(rounds + 1)]
    return taken[1:]


def median_ratio(pairs: Sequence[tuple[float, ...]]) -> float:
    """Return the median, over the rounds, of the first time divided by the second."""
    return statistics.median(pair[0] / pair[1] for pair in pairs)


def medians(rounds: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the median time of each work."""
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and those it starts on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

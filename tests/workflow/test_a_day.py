"""Hours of random uploads and random faults: in the end every upload is accounted for, and nothing is left over.

The seed is printed; NOVA_DAY_SEED sets it. What happens when is the seed's, what it meets is a matter of threads. The
few hours have always the same seed, the day a new one each time.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.day import Day, Settings, synthesize
from tests.workflow.day_faults import RandomFaults
from tests.workflow.harness import SPEED, until

SMALL = Settings(
    hours=4, customizations=[("full", "SKIP"), ("train", "QUEUE"), ("prepare", "SKIP")], uploads=0.75, faults=8
)
DAY = Settings(
    hours=24,
    customizations=[
        *(("full", "SKIP"), ("rejected", "SKIP"), ("train", "SKIP"), ("train", "SKIP"), ("train", "QUEUE")),
        *(("train", "QUEUE_LATEST"), ("prepare", "SKIP"), ("prepare", "QUEUE"), ("prepare", "PARALLEL")),
        ("prepare", "SKIP"),
    ],
    uploads=0.4,
    faults=8,
    reconcile_minutes=15,
)


def live(settings: Settings, folder: Path, default_seed: int) -> None:
    seed = int(os.environ.get("NOVA_DAY_SEED") or default_seed)
    print(f"\nNOVA_DAY_SEED={seed}")
    begun = time.monotonic()
    assembly = synthesize(folder, settings)  # before the clock begins, which would be days ahead
    with Emulator(speed=SPEED) as emulator:
        day = Day(emulator=emulator, settings=settings, rng=random.Random(seed), assembly=assembly)
        faults = RandomFaults(day, random.Random(seed + 1))
        deployed = time.monotonic()
        day.pass_hours(faults)
        fired = dict(emulator.faults.fired)
        emulator.faults.clear()
        day.come_to_rest()
        outcomes = day.outcomes()
        runs = sum(len(day.executions(workflow)) for workflow in day.workflows)
        figures = {
            "seed": seed,
            "hours": settings.hours,
            "customizations": len(day.workflows),
            "uploads": len(day.uploads),
            "outcomes": dict(sorted(outcomes.items())),
            "runs": runs,
            "ways": dict(sorted(day.done.items())),
            "faults injected": sum(faults.injected.values()),
            "by kind": dict(sorted(faults.injected.items())),
            "struck": fired,
            "seconds to deploy": round(deployed - begun),
            "seconds": round(time.monotonic() - begun),
            "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(figures, indent=1))
        until(lambda: not day.live_jobs() or None, lambda: f"the end of {day.live_jobs()}")
        assert day.unfinished() == {}
        assert sum(outcomes.values()) == len(day.uploads)
        assert day.denied == []
        until(lambda: not alarms(emulator) or None, lambda: f"alarms that stay: {alarms(emulator)}")


def alarms(emulator: Emulator) -> list[str]:
    """Return the alarms that are not OK: of the reconcilers and the dead-letter queues, by what is measured."""
    found = emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [each["AlarmName"] for each in found if each["StateValue"] != "OK"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_some_hours_with_random_uploads_and_faults(tmp_path: Path) -> None:
    live(SMALL, tmp_path, 20261122)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_day_of_ten_customizations(tmp_path: Path) -> None:
    live(DAY, tmp_path, random.SystemRandom().randrange(2**32))

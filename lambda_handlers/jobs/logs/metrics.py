"""Training metrics from log lines: loss, learning rate and reward of each step.

The forms are those of lines of Nova training jobs that AWS published (docs/logs.md says where, and what is assumed):

    [..] [INFO] Training epoch 0, iteration 8/9 | lr: 5.6e-06 | global_step: 8 | reduced_train_loss: 0.0013 | ...
    [..] [INFO] #015Epoch 1: : 3it [00:32, 10.68s/it, reduced_train_loss=2.66e-5, global_step=6.000, ...]
    [..] [INFO] (TaskRunner pid=1) step:295 - actor/lr:1e-05 - training/global_step:295 - critic/rewards/mean:0.83 ...
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from lambda_handlers.jobs.logs.lines import LogLine

_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "global_step": "step",
        "training/global_step": "step",
        "reduced_train_loss": "loss",
        "lr": "learning_rate",
        "actor/lr": "learning_rate",
        "critic/rewards/mean": "reward",
        "train_rm_score": "reward",
        "train_step_timing in s": "step_seconds",
    }
)
_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
_PAIR = re.compile(rf"(?<![\w/])({'|'.join(_FIELDS)})[=:]\s*({_NUMBER})(?![\w.])", re.IGNORECASE)
# A bar that is drawn again and again is one event with carriage returns, which SageMaker's agent writes as #015.
_REDRAWN = re.compile(r"\r|\n|#015")
_MEASURED = ("loss", "learning_rate", "reward")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingStep:
    """Hold what one step of a training reported; what its lines do not say is None, and a loss may be nan."""

    job: str
    time: datetime
    """When the step was first reported, aware, in UTC."""
    step: int
    loss: float | None = None
    learning_rate: float | None = None
    reward: float | None = None
    step_seconds: float | None = None


def training_metrics(lines: Iterable[LogLine]) -> Iterator[TrainingStep]:
    """Yield one record per reported step of each job, in the order of the lines, in constant memory.

    Lines that follow one another about the same step are taken together. Where several nodes report, the first that
    does speaks for the job. A training that starts again after a fault reports its steps again.
    """
    nodes: dict[str, str] = {}
    open_steps: dict[str, TrainingStep] = {}
    for line in lines:
        found = parse_message(line.message)
        if not found or nodes.setdefault(line.job, line.node) != line.node:
            continue
        for values in found:
            step = TrainingStep(job=line.job, time=line.time, **values)
            before = open_steps.get(line.job)
            if before is not None and before.step == step.step:
                open_steps[line.job] = _together(before, step)
                continue
            if before is not None:
                yield before
            open_steps[line.job] = step
    yield from sorted(open_steps.values(), key=lambda step: step.time)


def parse_message(message: str) -> list[dict[str, Any]]:
    """Return the metrics of each step that a message reports: `step` and some of the fields of TrainingStep.

    A message that names no step, or a step without loss, learning rate or reward, reports none.
    """
    if "step" not in message:
        return []
    parts = (_values(part) for part in _REDRAWN.split(message))
    return [values for values in parts if "step" in values and any(name in values for name in _MEASURED)]


def _values(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, number in _PAIR.findall(text):
        values.setdefault(_FIELDS[name.lower()], float(number))
    step = values.pop("step", math.nan)
    return {"step": int(step), **values} if math.isfinite(step) else {}


def _together(before: TrainingStep, after: TrainingStep) -> TrainingStep:
    fields = ("loss", "learning_rate", "reward", "step_seconds")
    return replace(before, **{name: getattr(after, name) for name in fields if getattr(before, name) is None})

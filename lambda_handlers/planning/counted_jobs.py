"""The jobs that the bound of a run's cost counts: every one that the run may start, at synth as in the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.planning.modes import Mode
from lambda_handlers.training.stages import training_stage

Baseline = tuple[str, str | None, str]
"""Task, subtask, and the model that is measured beside the candidate: `production` or `base`."""


def counted_jobs(config: Mapping[str, Any], mode: Mode, baselines: Iterable[Baseline]) -> dict[str, Mapping[str, Any]]:
    """Return the settings of every job that a run in this mode may start, by its stage.

    `baselines` are what the gate compares with. Each counts, though the scores of production may be known from an
    earlier run: whether they are is not known before.
    """
    return dict(_jobs(config, mode, baselines))


def _jobs(config: Mapping[str, Any], mode: Mode, baselines: Iterable[Baseline]) -> Iterator[tuple[str, Any]]:
    if mode.trains:
        yield "training", config["training"]
        for stage in config.get("further_training") or ():
            yield training_stage(stage["name"]), stage["training"]
    if mode.evaluates:
        evaluations = {(each["task"], each.get("subtask")): each for each in config.get("evaluation") or ()}
        for settings in evaluations.values():
            yield stage_name(settings), settings
        for task, subtask, model in sorted(baselines, key=str):
            # A subtask without an evaluation of its own is measured with its whole task.
            settings = evaluations.get((task, subtask)) or evaluations.get((task, None))
            if settings:
                yield f"{stage_name(settings)}-{model}", settings

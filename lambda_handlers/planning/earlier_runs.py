"""What an earlier run of the customization trained, from its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handlers.catalog.checkpoints import checkpoint_platform
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.protocol.ledger import RUN_CLOSED, LedgerEvent, read
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.training.checkpoint import CHECKPOINT_RESOLVED
from lambda_handlers.training.stages import TRAINING, training_stage


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierRun:
    """Name the checkpoint that a run ended up with, the platform it can be used on, and the settings it was made by.

    `stage` is the training stage that left it, `untrained` are those after it, which the run did not get to the end of.
    """

    run_id: str
    checkpoint: str
    platform: str
    stage: str
    untrained: tuple[str, ...]
    config: Mapping[str, Any]


def find_run(events: ItemStore, run_id: str, *, key: str) -> EarlierRun:
    """Return what a run trained; of several training stages, what the last one left.

    Raises InvalidRequest, under the input's `key`, if there is no such run, or it has no checkpoint.
    """
    recorded = read(events, run_id)
    if not recorded:
        raise InvalidRequest(
            f"{key}: there is no run {run_id} of this customization; `nova run list` shows those there are."
        )
    resolved = [event.detail for event in recorded if event.type == CHECKPOINT_RESOLVED]
    started = [event.detail for event in recorded if event.type == "run_started"]
    if not resolved or not started:
        raise InvalidRequest(f"{key}: run {run_id} has no checkpoint: {_why(recorded)}.")
    last, config = resolved[-1], started[-1]["config"]
    stage = training_stage(last.get("stage"))
    planned = [TRAINING, *(training_stage(each["name"]) for each in config.get("further_training") or ())]
    return EarlierRun(
        run_id=run_id,
        checkpoint=str(last["uri"]),
        platform=str(last["platform"]),
        stage=stage,
        untrained=tuple(planned[planned.index(stage) + 1 :]) if stage in planned else (),
        config=config,
    )


def find_production(events: ItemStore, run_id: str, *, key: str) -> EarlierRun:
    """Return what trained the model in production, which the run brought there: the run itself, or an earlier one.

    Raises InvalidRequest, under the input's `key`, if its checkpoint is not known: so it is of a model package.
    """
    started = [event.detail for event in read(events, run_id) if event.type == "run_started"]
    model = (started[-1]["plan"].get("model") or {}) if started else {}
    if model.get("run_id"):
        return find_run(events, str(model["run_id"]), key=key)
    if model.get("kind") == "package":
        raise InvalidRequest(
            f"{key}: run {run_id} deployed the model package {model['model_path']}, which jobs cannot load: compare "
            "with the base model, or deploy a checkpoint."
        )
    if model.get("kind") == "checkpoint":
        checkpoint, config = str(model["model_path"]), started[-1]["config"]
        platform = checkpoint_platform(checkpoint) or config["training"]["platform"]
        return EarlierRun(
            run_id=run_id, checkpoint=checkpoint, platform=str(platform), stage=TRAINING, untrained=(), config=config
        )
    return find_run(events, run_id, key=key)


def _why(recorded: Sequence[LedgerEvent]) -> str:
    """Say why a run left no checkpoint."""
    mode = next((event.detail["plan"].get("mode", "full") for event in recorded if "plan" in event.detail), "full")
    ending = next((event.detail for event in recorded if event.type == RUN_CLOSED), None)
    if ending is None:
        return "its training has not ended yet"
    if ending["status"] == "SUCCEEDED":
        return f"it ran in mode {mode}, which trains nothing"
    error = f" with {ending['error']}" if ending.get("error") else ""
    return f"it ended {ending['status']}{error} before its training had succeeded"

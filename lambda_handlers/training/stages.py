"""What the training stages of a run are called."""

from __future__ import annotations

from typing import Final

TRAINING: Final = "training"


def training_stage(name: str | None) -> str:
    """Return the stage of a training job: `training`, or for a further stage of that name `training-NAME`."""
    return f"{TRAINING}-{name}" if name else TRAINING

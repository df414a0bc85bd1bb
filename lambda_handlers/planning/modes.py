"""What a run does in each mode of the execution input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """Say which parts of the workflow a mode has, and which model it is about.

    `needs_model` tells that the input has to name a model, since the run makes none. `infers` is batch inference: a run
    of its own, or in a whole run a stage, where the customization has data for it.
    """

    name: str
    prepares: bool = False
    trains: bool = False
    evaluates: bool = False
    deploys: bool = False
    infers: bool = False
    needs_model: bool = False

    @property
    def reads_dataset(self) -> bool:
        """Whether the input names data."""
        return self.prepares or self.infers

    @property
    def measures_or_asks(self) -> bool:
        """Whether it is about a model that may be any: the base model or production, too."""
        return self.needs_model and not self.deploys


FULL: Final = Mode(name="full", prepares=True, trains=True, evaluates=True, deploys=True, infers=True)
PREPARE: Final = Mode(name="prepare", prepares=True)
TRAIN: Final = Mode(name="train", prepares=True, trains=True)
EVALUATE: Final = Mode(name="evaluate", evaluates=True, needs_model=True)
BATCH_INFERENCE: Final = Mode(name="batch_inference", infers=True, needs_model=True)
DEPLOY: Final = Mode(name="deploy", deploys=True, needs_model=True)

MODES: Final[Mapping[str, Mode]] = MappingProxyType(
    {mode.name: mode for mode in (FULL, PREPARE, TRAIN, EVALUATE, BATCH_INFERENCE, DEPLOY)}
)
"""The modes that run."""

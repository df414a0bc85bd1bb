"""The ways of customizing a model, and how the hub and a training job name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from lambda_handlers.catalog.lookup import find


class Technique(StrEnum):
    """Name what is done to a model; the values are those of the instance tables."""

    CPT = "CPT"
    SFT = "SFT"
    RFT = "RFT"
    EVALUATION = "EVALUATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMethod:
    """Describe one method.

    `lora` is None where the distinction between low rank and full rank does not exist. `hub_technique` is the hub's
    word (RLVR for reinforcement fine-tuning), None for evaluation. `data_type` is the S3DataType of the data channels.
    """

    name: str
    technique: Technique
    lora: bool | None
    hub_technique: str | None
    data_type: str

    @property
    def trains(self) -> bool:
        """Return whether the method makes a model: all do but EVALUATION."""
        return self.technique is not Technique.EVALUATION

    @property
    def full_rank(self) -> bool:
        """Return whether the method changes every weight of the model; continued pre-training does."""
        return self.trains and not self.lora

    def function_problems(self, *, has_reward: bool) -> list[str]:
        """Return why a reward function, or its absence, does not go with the method."""
        if has_reward and self.technique is not Technique.RFT:
            return [f"reward_function is given, which {self.name} does not use: leave it out"]
        if self.technique is Technique.RFT and not has_reward:
            return [f"{self.name} needs a reward_function: give the ARN of the Lambda function that scores answers"]
        return []


def _method(name: str, technique: Technique, lora: bool | None, hub: str | None, data_type: str) -> TrainingMethod:
    return TrainingMethod(name=name, technique=technique, lora=lora, hub_technique=hub, data_type=data_type)


_METHODS = (
    _method("CPT", Technique.CPT, None, "CPT", "S3Prefix"),
    _method("SFT_LORA", Technique.SFT, True, "SFT", "Converse"),
    _method("SFT_FULL", Technique.SFT, False, "SFT", "Converse"),
    _method("RFT_LORA", Technique.RFT, True, "RLVR", "S3Prefix"),
    _method("RFT_FULL", Technique.RFT, False, "RLVR", "S3Prefix"),
    _method("EVALUATION", Technique.EVALUATION, None, None, "S3Prefix"),
)

METHODS: Mapping[str, TrainingMethod] = MappingProxyType({method.name: method for method in _METHODS})


def method(name: str) -> TrainingMethod:
    """Return the method called `name`, such as SFT_LORA, or raise UnknownNameError."""
    return find("method", name, METHODS)

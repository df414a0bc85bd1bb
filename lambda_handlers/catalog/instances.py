"""The instance types and counts that the Nova Customization SDK documents, row by row.

Sources disagree about counts (the SDK's README, the recipe metadata and the Nova user guide each list others), so these
tables give warnings; the hub entry of a recipe decides at run time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from lambda_handlers.catalog.methods import Technique, method
from lambda_handlers.catalog.models import model
from lambda_handlers.catalog.platforms import Platform, platform


class Work(StrEnum):
    """Name what a job does: train by the customization's method, or evaluate a model."""

    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOption:
    """Name one instance type and the instance counts it may be used with."""

    type: str
    counts: tuple[int, ...]


_Key = tuple[Platform, Technique, str, bool | None]
"""Platform, technique, model and rank: True for LoRA, False for full rank, None where there is no such distinction."""

EVALUATION_COUNTS = (1, 2, 4, 8, 16)


def _option(instance_type: str, *counts: int) -> InstanceOption:
    return InstanceOption(type=instance_type, counts=counts)


_G5_12, _G5_48 = _option("ml.g5.12xlarge", 1), _option("ml.g5.48xlarge", 1)
_G6_12, _G6_48 = _option("ml.g6.12xlarge", 1), _option("ml.g6.48xlarge", 1)


def _p4d(*counts: int) -> InstanceOption:
    return _option("ml.p4d.24xlarge", *counts)


def _p5(*counts: int) -> InstanceOption:
    return _option("ml.p5.48xlarge", *counts)


def _p5en(*counts: int) -> InstanceOption:
    return _option("ml.p5en.48xlarge", *counts)


def _both_ranks(
    where: Platform, technique: Technique, model_name: str, *options: InstanceOption
) -> dict[_Key, tuple[InstanceOption, ...]]:
    return {(where, technique, model_name, lora): options for lora in (True, False)}


def _evaluation(model_name: str, *sizes: str) -> dict[_Key, tuple[InstanceOption, ...]]:
    options = tuple(_option(f"ml.{size}xlarge", *EVALUATION_COUNTS) for size in sizes)
    return {(where, Technique.EVALUATION, model_name, None): options for where in Platform}


_SMTJ_SFT: dict[_Key, tuple[InstanceOption, ...]] = {
    (Platform.SMTJ, Technique.SFT, "NOVA_MICRO", True): (_G5_12, _G5_48, _G6_12, _G6_48, _p4d(2, 4), _p5(2, 4)),
    (Platform.SMTJ, Technique.SFT, "NOVA_MICRO", False): (_G5_48, _G6_48, _p4d(2, 4), _p5(2, 4)),
    (Platform.SMTJ, Technique.SFT, "NOVA_LITE", True): (_G5_12, _G5_48, _G6_12, _G6_48, _p4d(4, 8, 16), _p5(4, 8, 16)),
    (Platform.SMTJ, Technique.SFT, "NOVA_LITE", False): (_p4d(4, 8, 16), _p5(4, 8, 16)),
    **_both_ranks(Platform.SMTJ, Technique.SFT, "NOVA_LITE_2", _p5(4, 8, 16), _p5en(4, 8, 16)),
    (Platform.SMTJ, Technique.SFT, "NOVA_PRO", True): (_p4d(6, 12, 24), _p5(6, 12, 48)),
    (Platform.SMTJ, Technique.SFT, "NOVA_PRO", False): (_p5(3, 6, 12, 24),),
}

_SMTJ_RFT = _both_ranks(Platform.SMTJ, Technique.RFT, "NOVA_LITE_2", _p5(4), _p5en(4))

_SMHP_CPT: dict[_Key, tuple[InstanceOption, ...]] = {
    (Platform.SMHP, Technique.CPT, "NOVA_MICRO", None): (_p5(2, 4, 8, 16, 32),),
    (Platform.SMHP, Technique.CPT, "NOVA_LITE", None): (_p5(4, 8, 16, 32),),
    (Platform.SMHP, Technique.CPT, "NOVA_LITE_2", None): (_p5(4, 8, 16, 32),),
    (Platform.SMHP, Technique.CPT, "NOVA_PRO", None): (_p5(6, 12, 24),),
}

_SMHP_SFT: dict[_Key, tuple[InstanceOption, ...]] = {
    **_both_ranks(Platform.SMHP, Technique.SFT, "NOVA_MICRO", _p5(2, 4, 8)),
    **_both_ranks(Platform.SMHP, Technique.SFT, "NOVA_LITE", _p5(4, 8, 16)),
    **_both_ranks(Platform.SMHP, Technique.SFT, "NOVA_LITE_2", _p5(4, 8, 16), _p5en(4, 8, 16)),
    **_both_ranks(Platform.SMHP, Technique.SFT, "NOVA_PRO", _p5(6, 12, 48)),
}

_SMHP_RFT = _both_ranks(Platform.SMHP, Technique.RFT, "NOVA_LITE_2", _p5(2, 4, 8, 16))

_MICRO_G5, _MICRO_G6 = ("g5.4", "g5.8", "g5.12", "g5.16", "g5.24"), ("g6.4", "g6.8", "g6.12", "g6.16", "g6.24", "g6.48")

_EVALUATION: dict[_Key, tuple[InstanceOption, ...]] = {
    **_evaluation("NOVA_MICRO", *_MICRO_G5, *_MICRO_G6, "p5.48"),
    **_evaluation("NOVA_LITE", "g5.12", "g5.24", "g6.12", "g6.24", "g6.48", "p5.48"),
    **_evaluation("NOVA_LITE_2", "p4d.24", "p5.48"),
    **_evaluation("NOVA_PRO", "p5.48"),
}

TABLES: Mapping[_Key, tuple[InstanceOption, ...]] = MappingProxyType(
    {**_SMTJ_SFT, **_SMTJ_RFT, **_SMHP_CPT, **_SMHP_SFT, **_SMHP_RFT, **_EVALUATION}
)


def allowed(work: Work, model_name: str, method_name: str, platform_name: str) -> tuple[InstanceOption, ...]:
    """Return the documented instance types and counts; empty where no table covers the combination.

    Raises:
        UnknownNameError: The catalog has no such model, method or platform.
    """
    chosen, how, where = model(model_name), method(method_name), platform(platform_name)
    if work is Work.EVALUATION or not how.trains:
        return TABLES[(where, Technique.EVALUATION, chosen.name, None)]
    return TABLES.get((where, how.technique, chosen.name, how.lora), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Count what a pod asks an instance for: its GPUs and its Elastic Fabric Adapter interfaces."""

    gpus: int
    efa_interfaces: int


_DEVICES: Mapping[str, Devices] = MappingProxyType(
    {
        f"ml.{size}": Devices(gpus=gpus, efa_interfaces=interfaces)
        for size, gpus, interfaces in (
            ("g5.4xlarge", 1, 0),
            ("g5.8xlarge", 1, 1),
            ("g5.12xlarge", 4, 1),
            ("g5.16xlarge", 1, 1),
            ("g5.24xlarge", 4, 1),
            ("g5.48xlarge", 8, 1),
            ("g6.4xlarge", 1, 0),
            ("g6.8xlarge", 1, 1),
            ("g6.12xlarge", 4, 1),
            ("g6.16xlarge", 1, 1),
            ("g6.24xlarge", 4, 1),
            ("g6.48xlarge", 8, 1),
            ("p4d.24xlarge", 8, 4),
            ("p5.48xlarge", 8, 32),
            ("p5en.48xlarge", 8, 16),
        )
    }
)
"""Source: EC2 User Guide, accelerated computing instances, "GPUs" and "Network cards" with EFA."""


def devices(instance_type: str) -> Devices | None:
    """Return the devices of an instance type, or None where they are not known."""
    return _DEVICES.get(instance_type)


_LOCAL_STORAGE = re.compile(r"ml\.(\w+d(n|en)?|g[56]\w?|gr6|p[56]\w*|trn\d\w?|i\d\w*)\.\w+")
"""Instance families with disks of their own: a `d` among the letters, or built in.

Source: EC2 User Guide, "Instance store volumes"; the rule for keys: SageMaker API reference, ResourceConfig.
"""


def has_local_storage(instance_type: str) -> bool:
    """Return whether an instance type has local disks, encrypted by its hardware: it takes no key for volumes."""
    return _LOCAL_STORAGE.fullmatch(instance_type) is not None


def check(
    work: Work, model_name: str, method_name: str, platform_name: str, *, instance_type: str, instance_count: int
) -> list[str]:
    """Return why the documented tables do not list this instance type and count, in words for a warning."""
    options = {option.type: option.counts for option in allowed(work, model_name, method_name, platform_name)}
    what = f"{model(model_name).name} {work.value} on {platform(platform_name).value}"
    if instance_type not in options:
        listed = ", ".join(options) or "none"
        return [f"{instance_type} is not documented for {what}; documented instance types: {listed}."]
    if instance_count in options[instance_type]:
        return []
    counts = ", ".join(map(str, options[instance_type]))
    return [f"{instance_count} x {instance_type} is not documented for {what}; documented counts: {counts}."]

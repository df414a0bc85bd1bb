"""How long simulated work takes and how good its models are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

JobHook = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the request that made a job; returns the settings of `Simulation` that differ for this job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Durations in simulated seconds, and the quality of models between 0 and 1.

    `instance_quota` is how many instances of each type Service Quotas allows; `quotas` has other values by quota name.
    """

    training_seconds: float = 3600.0
    evaluation_seconds: float = 1200.0
    import_seconds: float = 1500.0
    deployment_seconds: float = 900.0
    quality: float = 0.8
    instance_quota: float = 64.0
    quotas: Mapping[str, float] = field(default_factory=dict)
    hooks: tuple[JobHook, ...] = field(default=())

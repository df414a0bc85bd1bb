"""How a new deployment is watched after it became production, and taken back if an alarm goes off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Token

from lambda_handlers.deployment.smoke import QUESTION

ALARM_ARN: Final = re.compile(r"arn:[\w-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+")
_LONGEST_MINUTES: Final = 7 * 24 * 60
LONGEST_SETTING: Final = 3000
"""Bytes that prompts may have: a function's environment takes 4 KB in all (AWS Lambda, "Lambda quotas")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bake:
    """The time after a promotion within which an alarm that goes off rolls the pointer back.

    `minutes` (1 to 10,080) count from the move of the pointer; what is watched are `alarms` of your own (ARNs, of the
    stack's account and Region) and, unless `canary` is false, an alarm on a canary: every `every_minutes` (default 1)
    of the bake it asks what the pointer shows the `prompt`, and goes off after `failures` (default 2) of these in a
    row without an answer or, where `latency_seconds` is given, when as many in a row took longer on the average.
    """

    minutes: int
    alarms: Sequence[str] = ()
    canary: bool = True
    prompt: str = QUESTION
    every_minutes: int = 1
    failures: int = 2
    latency_seconds: float | None = None

    def problems(self) -> Iterable[str]:
        """Yield what is wrong with it."""
        if not 1 <= self.minutes <= _LONGEST_MINUTES:
            yield f"deployment.bake.minutes is {self.minutes}: use 1 to {_LONGEST_MINUTES}"
        for arn in self.alarms:
            if not Token.is_unresolved(arn) and not ALARM_ARN.fullmatch(arn):
                yield (
                    f"deployment.bake.alarms has {arn!r}: use the ARN of an alarm, such as "
                    "arn:aws:cloudwatch:us-east-1:111122223333:alarm:Errors"
                )
        if not self.canary and not self.alarms:
            yield "deployment.bake has neither canary nor alarms: nothing would be watched"
        if self.canary:
            yield from self._canary_problems()

    def _canary_problems(self) -> Iterable[str]:
        if not self.prompt.strip():
            yield "deployment.bake.prompt is empty: give a question"
        if (size := len(self.prompt.encode())) > LONGEST_SETTING:
            yield f"deployment.bake.prompt has {size} bytes: use at most {LONGEST_SETTING}"
        for name in ("every_minutes", "failures"):
            if getattr(self, name) < 1:
                yield f"deployment.bake.{name} is {getattr(self, name)}: use 1 or more"
        if self.latency_seconds is not None and self.latency_seconds <= 0:
            yield f"deployment.bake.latency_seconds is {self.latency_seconds:g}: use more than 0"
        if min(self.every_minutes, self.failures, self.minutes) >= 1 and self.needed_minutes > self.minutes:
            yield (
                f"deployment.bake.minutes is {self.minutes}, and {self.failures} failures every {self.every_minutes} "
                "minutes take longer: the canary's alarm could not go off in time"
            )

    @property
    def needed_minutes(self) -> int:
        """How long the canary's alarm takes to go off at the least."""
        return self.every_minutes * self.failures

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Bake:
        """Return the bake that a settings file describes."""
        return cls(**settings)

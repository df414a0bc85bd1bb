"""Other instances for a job that gets none of those it asks for first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambda_handlers.jobs.driver import Instances

MOST_ALTERNATIVES: Final = 4
"""Five choices in all, as many as CreateTrainingJob takes in ResourceConfig.InstancePreferences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceChoice:
    """Instances that a job may run on: a type, such as ml.p5en.48xlarge, and how many of it (1 or more)."""

    instance_type: str
    instance_count: int

    def __str__(self) -> str:
        """Return them in the words of messages and records, `4 x ml.p5en.48xlarge`."""
        return str(Instances(type=self.instance_type, count=self.instance_count))

    def config(self) -> dict[str, Any]:
        """Return the choice as the functions read it."""
        return asdict(self)


def alternative_problems(first: InstanceChoice, alternatives: Sequence[InstanceChoice]) -> Iterable[str]:
    """Yield what cannot work of the alternatives to the instances that a job asks for first."""
    if len(alternatives) > MOST_ALTERNATIVES:
        yield f"alternatives has {len(alternatives)} entries: use at most {MOST_ALTERNATIVES}"
    seen = {first}
    for each in alternatives:
        if each.instance_count < 1:
            yield f"alternatives has {each}: use an instance_count of 1 or more"
        if each in seen:
            yield f"alternatives names {each} a second time: every choice is tried again by itself, once is enough"
        seen.add(each)

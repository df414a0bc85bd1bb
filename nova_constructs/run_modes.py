"""Conditions on the mode of a run, which the plan puts at `$.plan.mode`."""

from __future__ import annotations

from collections.abc import Callable

from aws_cdk import aws_stepfunctions as sfn

from lambda_handlers.planning.modes import MODES, Mode


def in_modes(has_part: Callable[[Mode], bool]) -> sfn.Condition:
    """Return the condition that the run's mode is one of those that have a part of the workflow."""
    modes = [sfn.Condition.string_equals("$.plan.mode", mode.name) for mode in MODES.values() if has_part(mode)]
    return modes[0] if len(modes) == 1 else sfn.Condition.or_(*modes)

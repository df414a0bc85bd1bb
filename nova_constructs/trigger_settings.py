"""The triggers of a settings file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration

from nova_constructs.customization import NovaCustomization
from nova_constructs.dataset_arrives import DatasetArrives
from nova_constructs.settings import SettingsError
from nova_constructs.trigger import Trigger
from nova_constructs.triggers import AfterSuccess, OnAlarm, OnEvent, OnSchedule

_KINDS: Mapping[str, type[Any]] = {
    "dataset": DatasetArrives,
    "schedule": OnSchedule,
    "alarm": OnAlarm,
    "event": OnEvent,
    "success": AfterSuccess,
}
_ANYWHERE = ("mode", "force", "request")
_TAKES: Mapping[str, tuple[str, ...]] = {
    "dataset": ("prefix", "suffix", "marker", "quiet_seconds", "longest_minutes", "most_objects"),
    "schedule": ("schedule", "time_zone", "dataset"),
    "alarm": ("alarm_arn", "cool_down_hours", "dataset"),
    "event": ("pattern", "dataset_path", "cool_down_hours", "dataset"),
    "success": ("of", "from_checkpoint", "dataset"),
}
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "schedule": ("schedule",),
    "alarm": ("alarm_arn",),
    "event": ("pattern",),
    "success": ("of",),
}
_DURATIONS = {
    "quiet_seconds": ("quiet", 1),
    "longest_minutes": ("longest", 60),
    "cool_down_hours": ("cool_down", 3600),
}
Made = Mapping[tuple[str, str], NovaCustomization]
"""The customizations of a file by stack and name."""


def trigger_from_settings(settings: Mapping[str, Any], stack: str, made: Made) -> tuple[str, Trigger]:
    """Return name and trigger of an entry; raise SettingsError with every key that it does not take or lacks."""
    name, kind = settings["name"], settings["on"]
    given = {key: value for key, value in settings.items() if key not in ("name", "on")}
    takes = (*_TAKES[kind], *_ANYWHERE)
    problems = [f"{key} is not for on: {kind}; allowed: {', '.join(takes)}" for key in given if key not in takes]
    problems += [f"{key} is missing, which on: {kind} needs" for key in _NEEDS.get(kind, ()) if key not in given]
    if "of" in given and not problems:
        given["of"] = _other(given["of"], stack, made, problems)
    if problems:
        raise SettingsError("\n".join([f"trigger {name} cannot be used:", *(f"  - {each}" for each in problems)]))
    for key, (prop, seconds) in _DURATIONS.items():
        if key in given:
            given[prop] = Duration.seconds(round(given.pop(key) * seconds))
    if "alarm_arn" in given:
        given["alarm"] = given.pop("alarm_arn")
    return name, _KINDS[kind](**given)


def _other(of: str, stack: str, made: Made, problems: list[str]) -> NovaCustomization | None:
    """Return the customization of this name, that of the same stack first."""
    found = [each for (_, name), each in made.items() if name == of]
    if (stack, of) in made:
        return made[stack, of]
    if len(found) != 1:
        known = ", ".join(sorted({name for _, name in made}))
        problems.append(f"of is {of!r}, which {len(found) or 'no'} customizations are named; allowed: {known}")
        return None
    return found[0]

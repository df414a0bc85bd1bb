"""Criteria out of settings: unknown kinds and keys are refused, all problems in one error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final

from lambda_handlers.evaluation.gate.criteria import (
    BetterThanBase,
    Criterion,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    NotWorseThanProduction,
)
from lambda_handlers.protocol.errors import InvalidRequest

KINDS: Final[Mapping[str, type[Criterion]]] = {
    each.kind: each for each in (Floor, NotWorseThanProduction, BetterThanBase, MinimumSamples, GeneralAbilityFloor)
}


def read_criteria(settings: Iterable[Any]) -> list[Criterion]:
    """Return criteria of any kind, `floor` where none is named; raise InvalidRequest with every problem at once."""
    problems: list[str] = []
    found = [_criterion(each, f"criterion {number}", problems) for number, each in enumerate(settings, start=1)]
    if problems:
        raise InvalidRequest("The criteria of the gate cannot be used.", problems=problems)
    return [each for each in found if each]


def _criterion(settings: Any, where: str, problems: list[str]) -> Criterion | None:
    wrong = list(_shape_problems(settings, where))
    if wrong:
        problems += wrong
        return None
    made = KINDS[settings.get("kind", Floor.kind)](**{name: settings[name] for name in settings if name != "kind"})
    problems += [f"{where}: {problem}" for problem in made.problems()]
    return made


def _shape_problems(settings: Any, where: str) -> Iterable[str]:
    if not isinstance(settings, Mapping):
        yield f"{where} is {settings!r}: give task and floor, for instance"
        return
    kind = settings.get("kind", Floor.kind)
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"{where} has the kind {kind!r}: use {', '.join(KINDS)}"
        return
    known = {field.name: field.default is MISSING for field in fields(KINDS[kind])}
    yield from _key_problems(settings, known, f"{where} ({kind})")
    for name in ("task", "subtask", "metric", "against"):
        if name in known and settings.get(name) is not None and not isinstance(settings[name], str):
            yield f"{where} ({kind}) has the {name} {settings[name]!r}: use a name"


def _key_problems(settings: Mapping[str, Any], known: Mapping[str, bool], where: str) -> Iterable[str]:
    unknown = sorted(str(name) for name in settings if name not in known and name != "kind")
    if unknown:
        yield f"{where} has unknown keys {', '.join(unknown)}: use {', '.join(known)}"
    missing = [name for name, required in known.items() if required and settings.get(name) is None]
    if missing:
        yield f"{where} lacks {', '.join(missing)}"


def needed_baselines(criteria: Sequence[Criterion]) -> set[tuple[str, str | None, str]]:
    """Return which evaluations other models need too: task, subtask, and `production` or `base`."""
    return {(each.task, each.subtask, each.baseline) for each in criteria if each.baseline}

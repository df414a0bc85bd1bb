"""What of a trigger can be known to fail at synth is refused when it is added."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from constructs import Construct

from nova_constructs.checks import ConfigurationError
from nova_constructs.trigger import Trigger
from nova_constructs.triggers import AfterSuccess

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}")
OWN_PARTS = ("Arrivals", "Receive", "FailedCalls", "RunEnded")
"""Names of the intake's own parts, beside which the triggers stand."""


def check_trigger(scope: Construct, name: str, trigger: Trigger, known: Container[str]) -> None:
    """Raise ConfigurationError for a trigger that cannot work in the customization `scope`."""
    problems = [f"trigger {name!r}: {problem}" for problem in _problems(scope, name, trigger, known)]
    if problems:
        raise ConfigurationError(scope.node.path, problems)


def _problems(scope: Construct, name: str, trigger: Trigger, known: Container[str]) -> Iterable[str]:
    if not _NAME.fullmatch(name) or name in OWN_PARTS:
        yield f"use a name of a letter, then letters and digits, at most 40; none of {', '.join(OWN_PARTS)}"
    if name in known:
        yield "there is one of this name already: give each its own"
    if isinstance(trigger, AfterSuccess) and trigger.of.node.path == scope.node.path:
        yield "of is the customization itself, which would run without end: name another"
    yield from trigger.problems()

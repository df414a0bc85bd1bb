"""Wildcards, ARN patterns and policy variables, as the IAM user guide describes them (policy elements reference)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from nova_constructs.emulator.iam.errors import EvaluationError

Lookup = Callable[[str], str | None]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}
_ARN_PARTS = 6
# Stands for a literal `*`, `?` or text that came out of a variable: private-use characters never occur in ARNs.
_ESCAPED = {"*": "\ue000", "?": "\ue001"}


@lru_cache(maxsize=4096)
def _glob(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(_regex(pattern, any_run=".*", any_one="."), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _regex(pattern: str, *, any_run: str, any_one: str) -> str:
    back = {"*": any_run, "?": any_one, _ESCAPED["*"]: r"\*", _ESCAPED["?"]: r"\?"}
    return "".join(back.get(char) or re.escape(char) for char in pattern)


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Tell whether a value matches a pattern with `*` (any run of characters) and `?` (any one)."""
    return _glob(pattern, ignore_case).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _resource(pattern: str) -> re.Pattern[str]:
    """Compile a Resource element: a `*` in the middle of a segment stays in it, one at its end may run past colons."""
    if pattern == "*":
        return re.compile(".*", re.DOTALL)
    if not pattern.startswith("arn:"):
        raise EvaluationError(f"resource {pattern!r} is neither an ARN nor *")
    segments = pattern.split(":", _ARN_PARTS - 1)
    heads = [_segment(segment) for segment in segments[:-1]]
    return re.compile(":".join([*heads, _regex(segments[-1], any_run=".*", any_one=".")]), re.DOTALL)


def _segment(segment: str) -> str:
    if segment.endswith("*"):
        return _regex(segment[:-1], any_run="[^:]*", any_one="[^:]") + ".*"
    return _regex(segment, any_run="[^:]*", any_one="[^:]")


def matches_resource(pattern: str, arn: str) -> bool:
    """Tell whether an ARN (or `*`, for actions without a resource) is covered by a Resource element."""
    return _resource(pattern).fullmatch(arn) is not None


def matches_arn(pattern: str, value: str) -> bool:
    """Tell whether an ARN matches an Arn condition: each of its six parts by itself, wildcards allowed."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    if len(wanted) != _ARN_PARTS or len(given) != _ARN_PARTS:
        return False
    return all(matches(part, have) for part, have in zip(wanted, given, strict=True))


def substitute(text: str, lookup: Lookup) -> str | None:
    """Fill in policy variables such as `${aws:PrincipalTag/team, 'none'}`; None when one has no value."""
    if "${" not in text:
        return text
    missing = False

    def fill(found: re.Match[str]) -> str:
        nonlocal missing
        value = _variable(found.group(1), lookup)
        missing = missing or value is None
        return "" if value is None else "".join(_ESCAPED.get(char, char) for char in value)

    filled = _VARIABLE.sub(fill, text)
    return None if missing else filled


def literal(text: str) -> str:
    """Take back the escapes that `substitute` put in, for operators that know no wildcards."""
    return text.replace(_ESCAPED["*"], "*").replace(_ESCAPED["?"], "?")


def _variable(expression: str, lookup: Lookup) -> str | None:
    if expression in _LITERALS:
        return _LITERALS[expression]
    name, comma, default = expression.partition(",")
    value = lookup(name.strip())
    return default.strip().strip("'") if value is None and comma else value

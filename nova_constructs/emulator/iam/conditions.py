"""Condition blocks: every test must hold; what an absent key means depends on the operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nova_constructs.emulator.iam.context import Context, Value
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.matching import substitute
from nova_constructs.emulator.iam.operators import OPERATORS, Operator

_IF_EXISTS: Final = "IfExists"
_ALL, _ANY = "ForAllValues", "ForAnyValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTest:
    """One key of one operator, such as `ForAnyValue:StringLike {"aws:TagKeys": ["nova-*"]}`; operator None is Null."""

    operator: Operator | None
    qualifier: str | None
    if_exists: bool
    key: str
    wanted: tuple[str, ...]
    substitutes: bool

    def holds(self, context: Context) -> bool:
        """Tell whether the request satisfies this test.

        Raises EvaluationError where AWS leaves the outcome open, such as a plain operator on a list.
        """
        value = context.get(self.key)
        if self.operator is None:
            return any((want == "true") == (not value) for want in self.wanted)
        if self.qualifier:
            return self._holds_for_set(self.operator, value, context)
        if value is None:
            return self.if_exists or self.operator.negated
        if isinstance(value, tuple):
            name = self.operator.name
            raise EvaluationError(f"{name} on {self.key}, which holds a list, needs ForAllValues or ForAnyValue")
        return self._one(self.operator, value, context)

    def _holds_for_set(self, operator: Operator, value: Value | None, context: Context) -> bool:
        if not value:
            return self.qualifier == _ALL or self.if_exists
        members = value if isinstance(value, tuple) else (value,)
        results = (self._one(operator, member, context) for member in members)
        return all(results) if self.qualifier == _ALL else any(results)

    def _one(self, operator: Operator, given: str, context: Context) -> bool:
        found = any(operator.compare(wanted, given) for wanted in self._values(operator, context))
        return found != operator.negated

    def _values(self, operator: Operator, context: Context) -> Iterator[str]:
        for value in self.wanted:
            filled = substitute(value, context.text) if self.substitutes and operator.takes_variables else value
            if filled is not None:
                yield filled
            elif operator.negated:
                raise EvaluationError(f"{operator.name} on {self.key} has a variable without a value: {value}")


def parse_conditions(block: Any, *, substitutes: bool) -> tuple[ConditionTest, ...]:
    """Read a Condition block; raises EvaluationError for an operator or a shape that IAM does not have."""
    if block is None:
        return ()
    if not isinstance(block, Mapping):
        raise EvaluationError(f"Condition is not an object: {block!r}")
    return tuple(_tests(block, substitutes))


def _tests(block: Mapping[str, Any], substitutes: bool) -> Iterator[ConditionTest]:
    for name, keys in block.items():
        operator, qualifier, if_exists = _operator(name)
        if not isinstance(keys, Mapping) or not keys:
            raise EvaluationError(f"condition {name} names no keys")
        for key, values in keys.items():
            yield ConditionTest(
                operator=operator,
                qualifier=qualifier,
                if_exists=if_exists,
                key=key,
                wanted=_null_values(key, values) if operator is None else _strings(key, values),
                substitutes=substitutes,
            )


def _operator(name: str) -> tuple[Operator | None, str | None, bool]:
    qualifier, colon, plain = name.rpartition(":")
    if colon and qualifier not in (_ALL, _ANY):
        raise EvaluationError(f"unknown condition operator {name}")
    if name == "Null":
        return None, None, False
    operator = OPERATORS.get(plain.removesuffix(_IF_EXISTS))
    if operator is None:
        raise EvaluationError(f"unknown condition operator {name}")
    return operator, qualifier or None, plain.endswith(_IF_EXISTS)


def _strings(key: str, values: Any) -> tuple[str, ...]:
    listed = values if isinstance(values, list) else [values]
    if not listed or not all(isinstance(value, str | bool | int | float) for value in listed):
        raise EvaluationError(f"condition key {key} is compared with {values!r}")
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)


def _null_values(key: str, values: Any) -> tuple[str, ...]:
    wanted = tuple(value.lower() for value in _strings(key, values))
    if any(value not in ("true", "false") for value in wanted):
        raise EvaluationError(f"Null on {key} takes true or false, not {values!r}")
    return wanted

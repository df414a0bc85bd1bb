"""The condition operators of IAM, each a comparison of one policy value with one value of the request."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.matching import literal, matches, matches_arn

Compare = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """How one operator compares: `wanted` from the policy with `given` from the request."""

    name: str
    compare: Compare
    negated: bool = False
    takes_variables: bool = False


def _equal(wanted: str, given: str) -> bool:
    return literal(wanted) == given


def _equal_ignoring_case(wanted: str, given: str) -> bool:
    return literal(wanted).casefold() == given.casefold()


def _boolean(wanted: str, given: str) -> bool:
    if literal(wanted).lower() not in ("true", "false"):
        raise EvaluationError(f"Bool compares with {wanted!r}, which is neither true nor false")
    return literal(wanted).lower() == given.lower()


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise EvaluationError(f"{text!r} is not a number") from None


def _instant(text: str) -> datetime:
    """Read an ISO 8601 date or seconds since 1970, the two forms that IAM takes."""
    try:
        if text.replace(".", "", 1).isdigit() and len(text) > len("2026"):
            return datetime.fromtimestamp(float(text), UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise EvaluationError(f"{text!r} is not a date") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _address(wanted: str, given: str) -> bool:
    try:
        return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        raise EvaluationError(f"cannot compare the addresses {wanted!r} and {given!r}") from None


def _bytes(wanted: str, given: str) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(given, validate=True)
    except binascii.Error:
        raise EvaluationError(f"{wanted!r} or {given!r} is not base64") from None


def _numeric(test: Callable[[Decimal, Decimal], bool]) -> Compare:
    return lambda wanted, given: test(_number(given), _number(wanted))


def _dated(test: Callable[[datetime, datetime], bool]) -> Compare:
    return lambda wanted, given: test(_instant(given), _instant(wanted))


def _pair(name: str, opposite: str, compare: Compare, *, takes_variables: bool = False) -> list[Operator]:
    return [
        Operator(name=name, compare=compare, takes_variables=takes_variables),
        Operator(name=opposite, compare=compare, negated=True, takes_variables=takes_variables),
    ]


OPERATORS: Final = {
    operator.name: operator
    for operator in (
        *_pair("StringEquals", "StringNotEquals", _equal, takes_variables=True),
        *_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _equal_ignoring_case, takes_variables=True),
        *_pair("StringLike", "StringNotLike", matches, takes_variables=True),
        *_pair("ArnEquals", "ArnNotEquals", matches_arn, takes_variables=True),
        *_pair("ArnLike", "ArnNotLike", matches_arn, takes_variables=True),
        *_pair("IpAddress", "NotIpAddress", _address),
        *_pair("NumericEquals", "NumericNotEquals", _numeric(lambda given, wanted: given == wanted)),
        *_pair("DateEquals", "DateNotEquals", _dated(lambda given, wanted: given == wanted)),
        Operator(name="Bool", compare=_boolean, takes_variables=True),
        Operator(name="BinaryEquals", compare=_bytes),
        Operator(name="NumericLessThan", compare=_numeric(lambda given, wanted: given < wanted)),
        Operator(name="NumericLessThanEquals", compare=_numeric(lambda given, wanted: given <= wanted)),
        Operator(name="NumericGreaterThan", compare=_numeric(lambda given, wanted: given > wanted)),
        Operator(name="NumericGreaterThanEquals", compare=_numeric(lambda given, wanted: given >= wanted)),
        Operator(name="DateLessThan", compare=_dated(lambda given, wanted: given < wanted)),
        Operator(name="DateLessThanEquals", compare=_dated(lambda given, wanted: given <= wanted)),
        Operator(name="DateGreaterThan", compare=_dated(lambda given, wanted: given > wanted)),
        Operator(name="DateGreaterThanEquals", compare=_dated(lambda given, wanted: given >= wanted)),
    )
}

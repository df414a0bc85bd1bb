"""The tables of the CloudWatch user guide ("Configuring how CloudWatch alarms treat missing data"), row by row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_constructs.emulator.alarms.definition import Definition, Measure
from nova_constructs.emulator.alarms.expressions import Expression, ExpressionError
from nova_constructs.emulator.alarms.judging import ALARM, INSUFFICIENT_DATA, OK, Rule
from nova_constructs.emulator.alarms.metrics import Key, Metrics

VALUES = {"-": None, "0": 0.0, "X": 1.0}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
RETAIN = "retain"
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "- - - - 0": (OK, OK, OK, OK),
    "- - - - -": (INSUFFICIENT_DATA, RETAIN, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAIN, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAIN, ALARM, OK),
}
ROWS = [
    (needed, points, treatment, expected)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, row in table.items()
    for treatment, expected in zip(TREATMENTS, row, strict=True)
]


def state_after(points: str, before: str = OK, **changes: object) -> str:
    settings = {"comparison": "GreaterThanThreshold", "threshold": 0.5, "periods": 3, "needed": 3, **changes}
    return Rule(**settings).judge([VALUES[each] for each in points.split()], before)  # type: ignore[arg-type]


@pytest.mark.parametrize(("needed", "points", "treatment", "expected"), ROWS)
def test_missing_data_as_in_the_user_guide(needed: int, points: str, treatment: str, expected: str) -> None:
    for before in (OK, ALARM, INSUFFICIENT_DATA):
        wanted = before if expected == RETAIN else expected
        assert state_after(points, before, needed=needed, missing=treatment) == wanted


def test_too_few_values_that_are_too_young_change_nothing() -> None:
    assert state_after("- - - - X") == OK
    assert state_after("- - - - X", ALARM) == ALARM


@pytest.mark.parametrize(
    ("comparison", "at_threshold"),
    [
        ("GreaterThanOrEqualToThreshold", ALARM),
        ("GreaterThanThreshold", OK),
        ("LessThanOrEqualToThreshold", ALARM),
        ("LessThanThreshold", OK),
    ],
)
def test_what_is_at_the_threshold(comparison: str, at_threshold: str) -> None:
    assert state_after("X X X X X", comparison=comparison, threshold=1) == at_threshold
    beyond = 0 if comparison.startswith("Greater") else 2
    assert state_after("X X X X X", comparison=comparison, threshold=beyond) == ALARM


def test_metric_math() -> None:
    expression = Expression("FILL(calls, 0) - 2 * (FILL(errors, 1) + -late) / 4")
    assert expression.names == {"calls", "errors", "late"}
    assert expression.value({"calls": 8, "errors": 3, "late": 1}) == 7
    assert expression.value({"calls": None, "errors": None, "late": 1}) == 0
    assert expression.value({"calls": 8, "errors": 3, "late": None}) is None
    assert Expression("a / b").value({"a": 1, "b": 0}) is None


def test_fill_has_nothing_to_fill_where_there_is_no_data_at_all() -> None:
    metrics = Metrics(lambda: datetime.fromtimestamp(1205, UTC))
    calls = Measure(key=Key("Mine", "Calls", frozenset({("Of", "one")})), statistic="Sum")
    rule = Rule(comparison="LessThanThreshold", threshold=1, periods=1, needed=1)
    asked = Definition(measures={"calls": calls}, expression=Expression("FILL(calls, 0)"), period=300, rule=rule)
    assert asked.values(metrics, 1500) == [None, None, None]
    metrics.put("Mine", "Calls", {"Of": "one"}, 2)
    metrics.put("Mine", "Calls", {"Of": "one"}, 3)
    metrics.put("Mine", "Calls", {"Of": "another"}, 7)
    assert asked.values(metrics, 1500) == [0, 0, 5]


@pytest.mark.parametrize("text", ["RATE(m)", "FILL(m, REPEAT)", "m ** 2", "m >", "IF(m > 1, 1, 0)"])
def test_metric_math_that_is_not_emulated_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="metric math"):
        Expression(text)

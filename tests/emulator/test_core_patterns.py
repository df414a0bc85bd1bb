from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_constructs.emulator.events.expressions import ScheduleExpressionError, next_due
from nova_constructs.emulator.events.inputs import target_input
from nova_constructs.emulator.events.patterns import UnknownMatcherError, matches

EVENT = {
    "id": "1",
    "source": "aws.s3",
    "time": "2026-11-22T10:00:00Z",
    "detail": {"key": "in/data.jsonl", "size": 10, "tags": ["a", "b"], "empty": None, "on": True},
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"source": ["aws.s3", "aws.ec2"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"detail": {"key": [{"prefix": "in/"}]}}, True),
        ({"detail": {"key": [{"prefix": "out/"}]}}, False),
        ({"detail": {"key": [{"prefix": {"equals-ignore-case": "IN/"}}]}}, True),
        ({"detail": {"key": [{"suffix": ".jsonl"}]}}, True),
        ({"detail": {"key": [{"wildcard": "in/*.jsonl"}]}}, True),
        ({"detail": {"key": [{"wildcard": "in/*.csv"}]}}, False),
        ({"detail": {"key": [{"anything-but": ["x"]}]}}, True),
        ({"detail": {"key": [{"anything-but": {"prefix": "in/"}}]}}, False),
        ({"detail": {"size": [{"numeric": [">", 5, "<=", 10]}]}}, True),
        ({"detail": {"size": [{"numeric": [">", 10]}]}}, False),
        ({"detail": {"size": ["10"]}}, False),
        ({"detail": {"on": [1]}}, False),
        ({"detail": {"on": [True]}}, True),
        ({"detail": {"tags": ["b"]}}, True),
        ({"detail": {"tags": ["c"]}}, False),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"key": [{"exists": False}]}}, False),
        ({"detail": {"empty": [None]}}, True),
        ({"detail": {"missing": [{"anything-but": ["x"]}]}}, False),
        ({"$or": [{"source": ["no"]}, {"detail": {"size": [10]}}]}, True),
        ({"nothing": {"below": ["x"]}}, False),
    ],
)
def test_patterns(wanted, expected):
    assert matches(wanted, EVENT) is expected


def test_an_unknown_matcher_is_an_error():
    with pytest.raises(UnknownMatcherError, match="cidr"):
        matches({"source": [{"cidr": "10.0.0.0/8"}]}, EVENT)


def test_a_template_quotes_texts_and_keeps_numbers():
    transformer = {
        "InputPathsMap": {
            "key": "$.detail.key",
            "size": "$.detail.size",
            "none": "$.detail.nothing",
            "tag": "$.detail.tags[1]",
        },
        "InputTemplate": (
            '{"k": <key>, "say": "<key> of <size>", "n": <size>, "x": <none>, "t": <tag>,'
            ' "r": "<aws.events.rule-name>"}'
        ),
    }
    assert target_input({"InputTransformer": transformer}, EVENT, "arn:aws:events:r:a:rule/mine") == (
        '{"k": "in/data.jsonl", "say": "in/data.jsonl of 10", "n": 10, "x": "", "t": "b", "r": "mine"}'
    )


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(5 minutes)", "2026-11-22T10:35:30"),
        ("rate(1 day)", "2026-11-23T10:30:30"),
        ("at(2026-12-01T00:00:00)", "2026-12-01T00:00:00"),
        ("cron(0 3 * * ? *)", "2026-11-23T03:00:00"),
        ("cron(0/15 * * * ? *)", "2026-11-22T10:45:00"),
        ("cron(31 10 * * ? *)", "2026-11-22T10:31:00"),
        ("cron(0 8 ? * MON-FRI *)", "2026-11-23T08:00:00"),
        ("cron(0 8 ? * 6L *)", "2026-11-27T08:00:00"),
        ("cron(0 8 ? * 2#1 *)", "2026-12-07T08:00:00"),
        ("cron(0 0 L * ? *)", "2026-11-30T00:00:00"),
        ("cron(0 0 1 JAN ? 2028)", "2028-01-01T00:00:00"),
    ],
)
def test_the_next_time_of_a_schedule(expression, due):
    after = datetime(2026, 11, 22, 10, 30, 30, tzinfo=UTC)
    assert next_due(expression, after) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_schedule_keeps_its_time_zone():
    after = datetime(2026, 7, 1, tzinfo=UTC)
    assert next_due("cron(0 9 * * ? *)", after, "Europe/Berlin") == datetime(2026, 7, 1, 7, tzinfo=UTC)


def test_a_time_that_has_passed_never_comes():
    after = datetime(2026, 7, 1, tzinfo=UTC)
    assert next_due("at(2026-01-01T00:00:00)", after) is None
    assert next_due("cron(0 0 1 1 ? 2020)", after) is None


@pytest.mark.parametrize("wrong", ["rate(5)", "cron(* * *)", "every day", "rate(0.5 hours)"])
def test_other_texts_are_no_schedules(wrong):
    with pytest.raises(ScheduleExpressionError):
        next_due(wrong, datetime(2026, 7, 1, tzinfo=UTC))

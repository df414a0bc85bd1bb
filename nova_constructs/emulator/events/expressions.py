"""Schedule expressions: rate(...), cron(...) and at(...), and when they are due next."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\(([^)]+)\)")
_MONTHS = {name.upper(): str(number) for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: str(number) for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_SEARCHED_DAYS = 366 * 5


class ScheduleExpressionError(ValueError):
    """The expression is not one that EventBridge takes."""


def next_due(expression: str, after: datetime, timezone: str = "UTC") -> datetime | None:
    """Return the next instant of a schedule after another one, or None if there is none."""
    found = _RATE.fullmatch(expression)
    if found:
        return after + timedelta(**{f"{found[2]}s": int(found[1])})
    zone = ZoneInfo(timezone)
    found = _AT.fullmatch(expression)
    if found:
        due = datetime.fromisoformat(found[1]).replace(tzinfo=zone).astimezone(UTC)
        return due if due > after else None
    found = _CRON.fullmatch(expression)
    if found is None:
        raise ScheduleExpressionError(f"{expression} is no schedule expression: use rate(...), cron(...) or at(...)")
    return _next_cron(found[1], after, zone)


def _next_cron(fields: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    parts = fields.split()
    if len(parts) != 6:
        raise ScheduleExpressionError(f"cron({fields}) needs six fields: minute hour day month weekday year")
    minutes, hours = _numbers(parts[0], 0, 59), _numbers(parts[1], 0, 23)
    local = after.astimezone(zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for days in range(_SEARCHED_DAYS):
        day = (local + timedelta(days=days)).replace(hour=0, minute=0) if days else local
        if not _day_fits(parts, day):
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                due = day.replace(hour=hour, minute=minute)
                if due >= local:
                    return due.astimezone(UTC)
    return None


def _day_fits(parts: list[str], day: datetime) -> bool:
    _, _, days, months, weekdays, years = parts
    if day.month not in _numbers(_named(months, _MONTHS), 1, 12) or day.year not in _numbers(years, 1970, 2199):
        return False
    if days not in {"?", "*"}:
        return _month_day_fits(days, day)
    return weekdays in {"?", "*"} or _weekday_fits(_named(weekdays, _DAYS), day)


def _month_day_fits(days: str, day: datetime) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if days == "L":
        return day.day == last
    return day.day in _numbers(days, 1, 31)


def _weekday_fits(weekdays: str, day: datetime) -> bool:
    number = day.isoweekday() % 7 + 1
    if "#" in weekdays:
        weekday, week = weekdays.split("#")
        return number == int(weekday) and (day.day - 1) // 7 + 1 == int(week)
    if weekdays.endswith("L"):
        last = calendar.monthrange(day.year, day.month)[1]
        return number == int(weekdays[:-1] or "7") and day.day + 7 > last
    return number in _numbers(weekdays, 1, 7)


def _named(field: str, names: Mapping[str, str]) -> str:
    for name, number in names.items():
        field = re.sub(name, number, field, flags=re.IGNORECASE)
    return field


def _numbers(field: str, low: int, high: int) -> set[int]:
    """Return the values of a field made of numbers, ranges, lists and steps."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in {"*", "?"}:
            first, last = low, high
        elif "-" in span:
            first, last = (int(end) for end in span.split("-"))
        else:
            first, last = int(span), high if step else int(span)
        found.update(range(first, last + 1, int(step or 1)))
    return found

"""Durations and instants as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta


def duration(seconds: float) -> str:
    """Return seconds as `42 s`, `20 min 00 s`, `1 h 05 min` or `2 d 03 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def between(start: datetime, end: datetime) -> str:
    """Return the duration from start to end."""
    return duration((end - start) / timedelta(seconds=1))


def instant(moment: datetime) -> str:
    """Return an instant in the local time zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")

"""`--since`: an age such as 10m, or an instant."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from nova_constructs.cli.errors import BadInputError

_AGE = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(text: str, now: datetime) -> datetime:
    """Return the aware instant that `10m` (before now) or `2026-11-22T10:00` (local time unless it says) stands for.

    Raises BadInputError for anything else.
    """
    if age := _AGE.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError, OSError):
        raise BadInputError(
            "--since is neither an age nor a time",
            received=text,
            allowed="an age in s, m, h or d, such as 10m; or a time, such as 2026-11-22T10:00 or 2026-11-22T10:00Z",
            do="try --since 1h",
        ) from None
    return moment

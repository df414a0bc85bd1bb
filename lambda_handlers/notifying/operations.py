"""What is told of the workflow itself: its alarms go off where no run can say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.notifying.notice import ERROR, OPERATION, Notice, Place, Told

ALARM_EVENT: Final = "CloudWatch Alarm State Change"


def notice_of_alarm(event: Mapping[str, Any], place: Place) -> Notice:
    """Return what is told of an alarm that went off, from CloudWatch's event, whose id it has."""
    detail = event["detail"]
    name, reason = str(detail["alarmName"]), str(detail["state"].get("reason") or "")
    what = (detail.get("configuration") or {}).get("description") or name
    told = Told(
        event="alarm",
        kind=OPERATION,
        heading="Alarm",
        severity=ERROR,
        sentence=f"{what} ({place.customization})",
        facts={"status": "ALARM", "alarm": name, "reason": reason},
        lines=[f"Alarm:  {name}", f"Reason: {reason}"],
    )
    return Notice(id=str(event["id"]), at=str(event["time"]), run=None, place=place, told=told)

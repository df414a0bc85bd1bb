"""Tell people and programs what was decided: called with each decision that the ledger's table has taken."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.notifying.decisions import notice_of
from lambda_handlers.notifying.notice import Place
from lambda_handlers.notifying.operations import ALARM_EVENT, notice_of_alarm
from lambda_handlers.notifying.sending import Sender
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import event_of
from lambda_handlers.protocol.store import decode


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send what is to be told of records of the table's stream, or of an alarm's event; return how many messages."""
    place = Place(
        customization=os.environ["CUSTOMIZATION"], stack=os.environ["STACK_NAME"], name=os.environ["CUSTOMIZATION_NAME"]
    )
    if event.get("detail-type") == ALARM_EVENT:
        notices = [notice_of_alarm(event, place)]
    else:
        written = [event_of(decode(record["dynamodb"]["NewImage"])) for record in event["Records"]]
        notices = [notice for each in written if (notice := notice_of(each, place))]
    sender = Sender(sns=client("sns"), events=client("events"), topic_arn=os.environ["TOPIC_ARN"])
    for notice in notices:
        sender.send(notice)
    return {"told": len(notices)}

"""Send messages: to the topic, and as events to the default bus."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.notifying.notice import SOURCE, Notice
from lambda_handlers.protocol.errors import TransientServiceError, service_errors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Tells the subscribers of a topic and the rules of the default bus (sns:Publish, events:PutEvents)."""

    sns: Any
    events: Any
    topic_arn: str

    def send(self, notice: Notice) -> None:
        """Send a message both ways, and raise what failed once both were tried; sent again, it has the same id."""
        failures: list[Exception] = []
        for way in (self._publish, self._put):
            try:
                with service_errors():
                    way(notice)
            except Exception as error:
                _log.exception("%s of run %s (id %s) could not be told yet", notice.told.event, notice.run, notice.id)
                failures.append(error)
        if failures:
            raise failures[0]

    def _publish(self, notice: Notice) -> None:
        self.sns.publish(TopicArn=self.topic_arn, **message_of(notice))

    def _put(self, notice: Notice) -> None:
        answer = self.events.put_events(Entries=[entry_of(notice)])
        if answer.get("FailedEntryCount"):
            [entry] = answer["Entries"]
            why = f"{entry.get('ErrorCode')} {entry.get('ErrorMessage')}"
            raise TransientServiceError(f"EventBridge did not take the event: {why}")


def message_of(notice: Notice) -> dict[str, Any]:
    """Return the arguments of sns:Publish but the topic: mailboxes get the text, everything else gets JSON."""
    document = json.dumps(notice.as_dict(), ensure_ascii=False)
    return {
        "Subject": notice.subject,
        "MessageStructure": "json",
        "Message": json.dumps({"default": document, "email": notice.text}, ensure_ascii=False),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in notice.attributes.items()
        },
    }


def entry_of(notice: Notice) -> Mapping[str, Any]:
    """Return the entry of events:PutEvents."""
    return {
        "Source": SOURCE,
        "DetailType": notice.told.kind,
        "Detail": json.dumps(notice.as_dict(), ensure_ascii=False),
    }

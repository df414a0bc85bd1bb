"""Both ways are tried whatever becomes of one, and what failed is told to Lambda, which tries again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers import announce
from lambda_handlers.notifying.sending import Sender
from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.names import canonical
from tests.notifying.notifying_support import DETAILS, noticed, recorded


class Service:
    """Remembers what it was told; fails as often as asked."""

    def __init__(self, failing: int = 0, refusing: int = 0) -> None:
        self.told: list[Any] = []
        self.failing, self.refusing = failing, refusing

    def publish(self, **message: Any) -> dict[str, Any]:
        return self._take(message)

    def put_events(self, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if self.refusing:
            self.refusing -= 1
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "not now"}]}
        return self._take(Entries[0]) | {"FailedEntryCount": 0}

    def _take(self, told: Any) -> dict[str, Any]:
        if self.failing:
            self.failing -= 1
            raise RuntimeError("does not answer")
        self.told.append(told)
        return {}


def sender(sns: Service, events: Service) -> Sender:
    return Sender(sns=sns, events=events, topic_arn="arn:topic")


def test_one_decision_is_one_message_and_one_event_of_one_id() -> None:
    sns, events = Service(), Service()
    sender(sns, events).send(noticed("deployed"))
    [message], [entry] = sns.told, events.told
    assert message["TopicArn"] == "arn:topic"
    assert (entry["Source"], entry["DetailType"]) == ("nova.customization", "Nova Customization Production Change")
    assert json.loads(entry["Detail"]) == json.loads(json.loads(message["Message"])["default"])


@pytest.mark.parametrize(
    ("sns", "events", "error"),
    [
        (Service(failing=1), Service(), RuntimeError),
        (Service(), Service(failing=1), RuntimeError),
        (Service(), Service(refusing=1), TransientServiceError),
    ],
    ids=["topic", "bus", "entry"],
)
def test_what_fails_keeps_the_other_from_nothing_and_is_sent_again_with_the_same_id(
    sns: Service, events: Service, error: type[Exception]
) -> None:
    notice = noticed("deployed")
    with pytest.raises(error):
        sender(sns, events).send(notice)
    assert len(sns.told) + len(events.told) == 1
    sender(sns, events).send(notice)
    told = [json.loads(each["Detail"]) for each in events.told]
    told += [json.loads(json.loads(each["Message"])["default"]) for each in sns.told]
    assert [each["id"] for each in told] == [notice.id] * 3


def test_the_function_reads_items_as_the_stream_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    services = {"sns": Service(), "events": Service()}
    monkeypatch.setattr(announce, "client", services.__getitem__)
    for name, value in {
        "TOPIC_ARN": "arn:topic",
        "CUSTOMIZATION": "Nova-Demo/Demo",
        "STACK_NAME": "Nova-Demo",
        "CUSTOMIZATION_NAME": "Demo",
    }.items():
        monkeypatch.setenv(name, value)
    event = recorded(*DETAILS["run_started"])
    item = {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in {**event.as_dict(), "detail": canonical(event.detail), "version": 1}.items()
    }
    assert announce.handler({"Records": [{"dynamodb": {"NewImage": item}}]}, None) == {"told": 1}
    assert json.loads(services["events"].told[0]["Detail"])["id"] == event.hash

"""Deliver in the background: retries on the emulator's clock, then the dead-letter queue, and a log of it all."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from nova_constructs.emulator.events.targets import (
    SCHEDULER,
    Sender,
    UnsupportedTargetError,
    call_target,
    dead_letter_client,
    queue_url,
)
from nova_constructs.emulator.iam import AccessDeniedError, EvaluationError
from nova_constructs.emulator.state import EmulatorState

_WORKERS = 4
_DEFAULT_ATTEMPTS = 185
_DEFAULT_AGE_SECONDS = 86_400
_LONGEST_PAUSE_SECONDS = 300.0
_RETRIED = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "ServiceException", "InternalFailure", "InternalServerError"}
)

_REFUSALS = (ClientError, BotoCoreError, UnsupportedTargetError, AccessDeniedError, EvaluationError)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event for one target; `error` tells why the last attempt failed, `result` what the last one made."""

    sender: Sender
    target: Mapping[str, Any]
    payload: str
    born: float
    event_id: str = ""
    attempts: int = 0
    result: str = ""
    error: str = ""
    dead_letter: bool = False
    release: Any = field(default=None, repr=False)


class Deliveries:
    """Workers that deliver, and the log of what they did."""

    def __init__(self, state: EmulatorState) -> None:
        self.log: list[Delivery] = []
        self._state = state
        self._queue: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"emulator-delivery-{number}", daemon=True)
            for number in range(_WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, sender: Sender, target: Mapping[str, Any], payload: str, event_id: str = "") -> None:
        """Deliver soon; the clock keeps real time until the first attempt is over."""
        born = self._state.clock.monotonic()
        delivery = Delivery(sender=sender, target=target, payload=payload, born=born, event_id=event_id)
        self.log.append(delivery)
        self._enqueue(delivery)

    def stop(self) -> None:
        """Finish what is queued and end the workers."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=5)

    def _enqueue(self, delivery: Delivery) -> None:
        delivery.release = self._state.clock.hold()
        self._queue.put(delivery)

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            try:
                self._attempt(delivery)
            finally:
                delivery.release()

    def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            delivery.result = call_target(self._state, delivery.sender, delivery.target, delivery.payload)
            delivery.error = ""
        except _REFUSALS as error:
            delivery.error = str(error)
            code = _code(error)
            if not self._retry(delivery, code):
                self._bury(delivery, code)

    def _retry(self, delivery: Delivery, code: str) -> bool:
        if code not in _RETRIED or self._state.clock.stopped:
            return False
        policy = delivery.target.get("RetryPolicy", {})
        pause = min(2.0**delivery.attempts, _LONGEST_PAUSE_SECONDS)
        age = self._state.clock.monotonic() + pause - delivery.born
        if delivery.attempts > policy.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS):
            return False
        if age > policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS):
            return False
        self._state.clock.call_later(pause, lambda: self._enqueue(delivery))
        return True

    def _bury(self, delivery: Delivery, code: str) -> None:
        queue_arn = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        if not queue_arn:
            return
        facts = {
            "SCHEDULE_ARN" if delivery.sender.principal == SCHEDULER else "RULE_ARN": delivery.sender.arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": code,
            "ERROR_MESSAGE": delivery.error or code,
        }
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in facts.items()}
        try:
            client = dead_letter_client(self._state, delivery.sender, delivery.target, queue_arn)
            client.send_message(
                QueueUrl=queue_url(self._state, queue_arn), MessageBody=delivery.payload, MessageAttributes=attributes
            )
            delivery.dead_letter = True
        except _REFUSALS as error:
            delivery.error = f"{delivery.error}; dead-letter queue: {error}"


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return "NO_PERMISSIONS" if isinstance(error, AccessDeniedError) else "InternalServerError"

"""Asynchronous invocation: in the background, retried twice on the emulator's clock, then the failure destination."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from nova_constructs.emulator.events.targets import queue_url
from nova_constructs.emulator.functions.runtime import HaltedError, Runtime, TooManyRequestsError
from nova_constructs.emulator.functions.worker import Outcome
from nova_constructs.emulator.state import EmulatorState

_WORKERS = 4
_PAUSES = (60.0, 120.0)
"""Seconds before the first and the second retry of a function error (Lambda developer guide)."""
_THROTTLED_PAUSE = 1.0
_OLDEST_SECONDS = 21_600


@dataclass(slots=True, kw_only=True)
class _Job:
    function: Any
    event: Any
    born: float
    errors: int = 0
    release: Any = None


class AsyncInvocations:
    """Workers that run queued events."""

    def __init__(self, state: EmulatorState, runtime: Runtime) -> None:
        self._state = state
        self._runtime = runtime
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"emulator-async-{number}", daemon=True)
            for number in range(_WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, function: Any, event: Any) -> None:
        """Run a function soon."""
        self._enqueue(_Job(function=function, event=event, born=self._state.clock.monotonic()))

    def stop(self) -> None:
        """End the workers; call it once no process runs any more."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=5)

    def _enqueue(self, job: _Job) -> None:
        job.release = self._state.clock.hold()
        self._queue.put(job)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                self._run(job)
            except Exception as error:
                thread = threading.current_thread()
                threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
            finally:
                job.release()

    def _run(self, job: _Job) -> None:
        if self._state.clock.stopped:
            return
        try:
            outcome = self._runtime.invoke(job.function, job.event)
        except TooManyRequestsError:
            self._again(job, _THROTTLED_PAUSE, Outcome(error={"errorType": "TooManyRequestsException"}))
            return
        except HaltedError:
            return
        if outcome.error is None:
            self._report(job, "OnSuccess", outcome)
            return
        job.errors += 1
        retries = int(_settings(job.function).get("MaximumRetryAttempts", len(_PAUSES)))
        if job.errors > retries:
            self._give_up(job, outcome)
        else:
            self._again(job, _PAUSES[job.errors - 1], outcome)

    def _again(self, job: _Job, pause: float, outcome: Outcome) -> None:
        oldest = int(_settings(job.function).get("MaximumEventAgeInSeconds", _OLDEST_SECONDS))
        if self._state.clock.monotonic() + pause - job.born > oldest:
            self._give_up(job, outcome)
        else:
            self._state.clock.call_later(pause, lambda: self._enqueue(job))

    def _give_up(self, job: _Job, outcome: Outcome) -> None:
        self._report(job, "OnFailure", outcome)
        dead_letters = (getattr(job.function, "dead_letter_config", None) or {}).get("TargetArn")
        if dead_letters:
            self._send(job.function, dead_letters, json.dumps(job.event))

    def _report(self, job: _Job, condition: str, outcome: Outcome) -> None:
        destination = _settings(job.function).get("DestinationConfig", {}).get(condition, {}).get("Destination")
        if not destination:
            return
        failed = outcome.error is not None
        body = {
            "version": "1.0",
            "timestamp": self._state.clock.now().isoformat(),
            "requestContext": {
                "functionArn": f"{job.function.function_arn}:{job.function.version}",
                "condition": "RetriesExhausted" if failed else "Success",
                "approximateInvokeCount": job.errors if failed else job.errors + 1,
            },
            "requestPayload": job.event,
            "responsePayload": outcome.error if failed else json.loads(outcome.result or "null"),
        }
        self._send(job.function, destination, json.dumps(body))

    def _send(self, function: Any, arn: str, body: str) -> None:
        send_on(self._state, function, arn, body)


def send_on(state: EmulatorState, function: Any, arn: str, body: str) -> None:
    """Send what became of an event to a destination, under the function's role."""
    service = arn.split(":")[2]
    client = state.boto_client_as(function.role, "lambda.amazonaws.com", service, function.function_arn)
    try:
        if service == "sqs":
            client.send_message(QueueUrl=queue_url(state, arn), MessageBody=body)
        elif service == "sns":
            client.publish(TopicArn=arn, Message=body)
        elif service == "lambda":
            client.invoke(FunctionName=arn, InvocationType="Event", Payload=body.encode())
    except (ClientError, BotoCoreError):
        return  # a destination that refuses loses the record, as on AWS; the refusal is in the recorded calls


def _settings(function: Any) -> Mapping[str, Any]:
    configured = function.event_invoke_config
    return configured[-1].config if configured else {}

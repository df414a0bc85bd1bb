"""Event source mappings of DynamoDB streams: read under the function's role, in order, tried again until given up."""

from __future__ import annotations

import json
import queue
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.models import LambdaBackend, lambda_backends
from moto.core.exceptions import ServiceException

from nova_constructs.emulator.clock import run_reporting_errors
from nova_constructs.emulator.events.patterns import matches
from nova_constructs.emulator.functions.asynchronous import send_on
from nova_constructs.emulator.functions.runtime import HaltedError, Runtime
from nova_constructs.emulator.functions.worker import Outcome
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

_ITERATOR_SECONDS = 900
"""How long a shard iterator can be used (Amazon DynamoDB API Reference, GetShardIterator)."""
_LONGEST_PAUSE = 60.0


@dataclass(slots=True, kw_only=True)
class _Place:
    """How far a mapping has read its stream, and how often what comes next has failed."""

    sequence: str = ""
    errors: int = 0
    failing_since: float = 0.0
    not_before: float = 0.0
    iterator: str = ""
    iterator_until: float = 0.0
    queued: bool = False


class StreamReaders:
    """One worker that reads for every mapping what its stream has, as soon as something is written."""

    def __init__(self, state: EmulatorState, runtime: Runtime) -> None:
        self._state = state
        self._runtime = runtime
        self._places: dict[str, _Place] = {}
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="emulator-streams", daemon=True)
        self._thread.start()

    def install(self, patches: Patches) -> None:
        """Let moto wake the worker where it would call the function itself, with the whole stream, in the request."""
        create = LambdaBackend.create_event_source_mapping

        def created(backend: Any, spec: dict[str, Any]) -> Any:
            mapping = create(backend, spec)
            self.wake(mapping)
            return mapping

        def written(backend: Any, function_arn: str, items: Sequence[Any], source: str) -> str:  # noqa: ARG001
            for mapping in list(backend._event_source_mappings.values()):
                if (mapping.function_arn, mapping.event_source_arn) == (function_arn, source) and mapping.enabled:
                    self.wake(mapping)
            return ""  # what is truthy would make moto forget the stream

        patches.replace(LambdaBackend, "create_event_source_mapping", created)
        patches.replace(LambdaBackend, "send_dynamodb_items", written)

    def wake(self, mapping: Any) -> None:
        """Read soon what a mapping has not read yet; the clock keeps real time until then."""
        place = self._places.setdefault(mapping.uuid, _Place())
        if not place.queued:
            place.queued = True
            self._queue.put((mapping, place, self._state.clock.hold()))

    def forget(self) -> None:
        """Forget every place: the streams are gone."""
        self._places.clear()

    def stop(self) -> None:
        """End the worker; call it once no process runs any more."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            mapping, place, release = job
            place.queued = False
            run_reporting_errors(partial(self._read, mapping, place))
            release()

    def _read(self, mapping: Any, place: _Place) -> None:
        backend = lambda_backends[self._state.account][self._state.region]
        if self._state.clock.stopped or mapping.uuid not in backend._event_source_mappings:
            return
        if self._state.clock.monotonic() < place.not_before:
            return  # it is tried again then
        function = backend._lambdas.get_arn(mapping.function_arn)
        try:
            records = self._records(mapping, place, function)
        except (ClientError, BotoCoreError, ServiceException):
            return  # not allowed, or gone: the refusal is in the recorded calls, the next write tries again
        wanted = [record for record in records if _wanted(mapping, record)]
        for start in range(0, len(wanted), mapping.batch_size):
            if not self._deliver(mapping, place, function, wanted[start : start + mapping.batch_size]):
                place.iterator = ""
                return
        if records:
            place.sequence = records[-1]["dynamodb"]["SequenceNumber"]

    def _records(self, mapping: Any, place: _Place, function: Any) -> list[dict[str, Any]]:
        """Return what was written since; the calls are those that Lambda asks the function's role for."""
        arn, now = mapping.event_source_arn, self._state.clock.monotonic()
        client = self._state.boto_client_as(
            function.role, "lambda.amazonaws.com", "dynamodbstreams", function.function_arn
        )
        if not place.iterator or now > place.iterator_until:
            client.list_streams(TableName=arn.split("/")[1])
            [shard] = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
            since = (
                {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place.sequence}
                if place.sequence
                else {"ShardIteratorType": "TRIM_HORIZON"}
            )
            answer = client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], **since)
            place.iterator, place.iterator_until = answer["ShardIterator"], now + _ITERATOR_SECONDS
        answer = client.get_records(ShardIterator=place.iterator)
        place.iterator = answer["NextShardIterator"]
        return list(answer["Records"])

    def _deliver(self, mapping: Any, place: _Place, function: Any, batch: Sequence[dict[str, Any]]) -> bool:
        """Call the function; say whether the mapping goes on after the batch, done or given up."""
        event = {"Records": [_record(record, mapping, self._state.region) for record in batch]}
        try:
            outcome = self._runtime.invoke(function, event)
        except HaltedError:
            return False
        except ServiceException as error:
            outcome = Outcome(error={"errorType": type(error).__name__})
        if outcome.error is not None:
            place.failing_since = place.failing_since if place.errors else self._state.clock.monotonic()
            place.errors += 1
            if not self._exhausted(mapping, place):
                pause = min(2.0**place.errors, _LONGEST_PAUSE)
                place.not_before = self._state.clock.monotonic() + pause
                self._state.clock.call_later(pause, lambda: self.wake(mapping))
                return False
            self._give_up(mapping, place, function, batch)
        place.errors, place.sequence = 0, batch[-1]["dynamodb"]["SequenceNumber"]
        return True

    def _exhausted(self, mapping: Any, place: _Place) -> bool:
        retries, oldest = mapping.max_retry_attempts, mapping.max_record_age
        if retries not in (None, -1) and place.errors > int(retries):
            return True
        # moto's records tell real time, not the emulator's.
        age = self._state.clock.monotonic() - place.failing_since
        return oldest not in (None, -1) and age > int(oldest)

    def _give_up(self, mapping: Any, place: _Place, function: Any, batch: Sequence[Mapping[str, Any]]) -> None:
        destination = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        if not destination:
            return
        first, last = batch[0]["dynamodb"], batch[-1]["dynamodb"]
        body = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": function.function_arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": place.errors,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": self._state.clock.now().isoformat(),
            "DDBStreamBatchInfo": {
                "shardId": "shardId",
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "approximateArrivalOfFirstRecord": first["ApproximateCreationDateTime"].isoformat(),
                "approximateArrivalOfLastRecord": last["ApproximateCreationDateTime"].isoformat(),
                "batchSize": len(batch),
                "streamArn": mapping.event_source_arn,
            },
        }
        send_on(self._state, function, destination, json.dumps(body))


def _wanted(mapping: Any, record: Mapping[str, Any]) -> bool:
    """Say whether a record fits one of the mapping's filters; without any, each does."""
    filters = (mapping.filter_criteria or {}).get("Filters") or ()
    return not filters or any(matches(json.loads(each["Pattern"]), record) for each in filters)


def _record(record: Mapping[str, Any], mapping: Any, region: str) -> dict[str, Any]:
    """Return a record as Lambda hands it over."""
    written = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return {
        **record,
        "awsRegion": region,
        "eventSourceARN": mapping.event_source_arn,
        "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": int(written)},
    }

"""Functions read the streams of tables: in order, under their own role, tried again, and given up in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.emulator.core_support import ACCOUNT, Assembly, allow, arn_of, eventually, function_role, messages

READING = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
STREAM = {"Fn::GetAtt": ["Table", "StreamArn"]}
# Tells a queue what it was called with; fails as often as the item says, by what it has told already.
TELLS = """
import json, os, boto3
failed = {}
def handler(event, context):
    for record in event["Records"]:
        item = record["dynamodb"]["NewImage"]
        name, times = item["id"]["S"], int(item.get("fails", {"N": "0"})["N"])
        failed[name] = failed.get(name, 0) + 1
        if failed[name] <= times:
            raise ValueError(name)
    url = os.environ["AWS_ENDPOINT_URL"] + "/123456789012/told"
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps([
        (r["eventName"], r["dynamodb"]["NewImage"]["id"]["S"], r["eventSourceARN"].split("/")[1])
        for r in event["Records"]]))
"""


def _assembly(folder: Path, *, streams: bool = True, reads: bool = True) -> Path:
    assembly = Assembly(folder)
    stream = {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}} if streams else {}
    assembly.add(
        Table={
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "things",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                **stream,
            },
        },
        Told={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "told"}},
        Lost={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "lost"}},
    )
    if streams:
        read = [allow(READING, STREAM), allow("dynamodb:ListStreams")] if reads else []
        send = allow("sqs:SendMessage", [arn_of("Told"), arn_of("Lost")])
        assembly.add(TellerRole=function_role(send, *read))
        assembly.function("Teller", TELLS, FunctionName="teller", role_id="TellerRole")
        assembly.add(
            Mapping={
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": STREAM,
                    "FunctionName": arn_of("Teller"),
                    "StartingPosition": "TRIM_HORIZON",
                    "BatchSize": 1,
                    "MaximumRetryAttempts": 2,
                    "FilterCriteria": {
                        "Filters": [
                            {
                                "Pattern": json.dumps(
                                    {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["told"]}}}}
                                )
                            }
                        ]
                    },
                    "DestinationConfig": {"OnFailure": {"Destination": arn_of("Lost")}},
                },
            }
        )
    return assembly.write()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(speed=3600) as running:
        running.deploy(_assembly(tmp_path_factory.mktemp("before"), streams=False))
        # Added to a table that is there, which keeps it.
        running.deploy(_assembly(tmp_path_factory.mktemp("after")))
        yield running


def put(emulator: Emulator, name: str, kind: str = "told", fails: int = 0) -> None:
    item: dict[str, Any] = {"id": {"S": name}, "kind": {"S": kind}, "fails": {"N": str(fails)}}
    emulator.client("dynamodb").put_item(TableName="things", Item=item)


def told(emulator: Emulator, queue: str = "told") -> list[Any]:
    return [json.loads(m["Body"]) for m in messages(emulator, f"{emulator.endpoint}/{ACCOUNT}/{queue}")]


def test_what_fits_the_filter_is_told_in_order_and_once(emulator: Emulator) -> None:
    for name in ("a", "b"):
        put(emulator, name)
    put(emulator, "silent", kind="other")
    put(emulator, "a")  # a change, which is no insert
    put(emulator, "c")
    found: list[Any] = []
    eventually(lambda: found.extend(told(emulator)) or len(found) >= 3)
    emulator.settle()
    assert found + told(emulator) == [[["INSERT", name, "things"]] for name in "abc"]


def test_what_fails_is_tried_again_before_anything_later(emulator: Emulator) -> None:
    put(emulator, "stumbles", fails=2)
    put(emulator, "after")
    found: list[Any] = []
    eventually(lambda: found.extend(told(emulator)) or len(found) >= 2)
    assert [each[0][1] for each in found] == ["stumbles", "after"]


def test_what_is_given_up_is_in_the_destination_by_its_number_and_the_rest_goes_on(emulator: Emulator) -> None:
    put(emulator, "broken", fails=99)
    put(emulator, "next")
    found: list[Any] = []
    eventually(lambda: found.extend(told(emulator)) or found)
    assert [each[0][1] for each in found] == ["next"]
    [lost] = told(emulator, "lost")
    assert lost["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert lost["requestContext"]["approximateInvokeCount"] == 3
    info = lost["DDBStreamBatchInfo"]
    assert (info["batchSize"], info["startSequenceNumber"]) == (1, info["endSequenceNumber"])
    assert info["streamArn"].split("/")[1] == "things"


def test_a_role_that_may_not_read_the_stream_is_told_nothing(emulator: Emulator, tmp_path: Path) -> None:
    emulator.deploy(_assembly(tmp_path, reads=False))
    emulator.calls.clear()
    put(emulator, "unread")
    eventually(emulator.calls.denied)
    assert {call.action for call in emulator.calls.denied()} <= {"dynamodb:ListStreams", "dynamodb:GetRecords"}
    assert told(emulator) == []

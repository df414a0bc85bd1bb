"""The store in memory, which the model runs on, and DynamoDB behave the same."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from lambda_handlers.protocol import aws
from lambda_handlers.protocol.store import (
    ConditionFailed,
    Item,
    ItemStore,
    job_registry_store,
    run_control_store,
    run_ledger_store,
)
from tests.protocol import protocol_memory as memory


def create_tables() -> None:
    """Create the tables as the stack has them."""
    _table("registry", "run_id", ("stage", "S"), {"by-name": ("job_name",), "open": ("open_marker", "deadline")})
    _table("ledger", "run_id", ("seq", "N"), {})
    _table("control", "item", None, {})
    _table("arrivals", "trigger", ("arrival", "S"), {"waiting": ("waiting_marker",)})


def _table(name: str, partition: str, sort: tuple[str, str] | None, indexes: dict[str, tuple[str, ...]]) -> None:
    attributes = {partition: "S"} | ({sort[0]: sort[1]} if sort else {})
    of_indexes = (key for keys in indexes.values() for key in keys)
    attributes |= {key: "N" if key == "deadline" else "S" for key in of_indexes}
    keys = [partition] + ([sort[0]] if sort else [])
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema(keys),
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, kind in attributes.items()],
        **(
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": index, "KeySchema": _schema(list(keys)), "Projection": {"ProjectionType": "ALL"}}
                    for index, keys in indexes.items()
                ]
            }
            if indexes
            else {}
        ),
    )


def _schema(keys: list[str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Iterator[dict[str, ItemStore]]:
    if request.param == "memory":
        yield {"registry": memory.job_registry(), "ledger": memory.run_ledger(), "control": memory.run_control()}
        return
    with mock_aws():
        aws.client.cache_clear()
        create_tables()
        yield {
            "registry": job_registry_store("registry"),
            "ledger": run_ledger_store("ledger"),
            "control": run_control_store("control"),
        }
    aws.client.cache_clear()


def test_an_item_comes_back_as_it_was_put(stores: dict[str, ItemStore]) -> None:
    item: Item = {"item": "lock", "run_id": "ü", "generation": 12, "fenced": False, "empty": ""}
    assert stores["control"].get({"item": "lock"}) is None
    stored = stores["control"].put(item, replacing=None)
    assert stored == {**item, "version": 1}
    assert stores["control"].get({"item": "lock"}) == stored
    assert stored["fenced"] is False


def test_what_was_read_is_replaced_as_a_whole(stores: dict[str, ItemStore]) -> None:
    first = stores["control"].put({"item": "lock", "run_id": "a"}, replacing=None)
    second = stores["control"].put({"item": "lock", "generation": 1}, replacing=first)
    assert stores["control"].get({"item": "lock"}) == second == {"item": "lock", "generation": 1, "version": 2}


def test_a_second_first_put_is_refused(stores: dict[str, ItemStore]) -> None:
    stores["ledger"].put({"run_id": "r", "seq": 1, "type": "a"}, replacing=None)
    with pytest.raises(ConditionFailed):
        stores["ledger"].put({"run_id": "r", "seq": 1, "type": "b"}, replacing=None)
    assert [item["type"] for item in stores["ledger"].query("r")] == ["a"]


def test_an_item_changed_since_it_was_read_is_not_replaced(stores: dict[str, ItemStore]) -> None:
    read = stores["control"].put({"item": "lock", "run_id": "a"}, replacing=None)
    stores["control"].put({"item": "lock", "run_id": "b"}, replacing=read)
    with pytest.raises(ConditionFailed):
        stores["control"].put({"item": "lock", "run_id": "c"}, replacing=read)
    assert (stores["control"].get({"item": "lock"}) or {})["run_id"] == "b"


def test_replacing_an_item_that_is_not_there_is_refused(stores: dict[str, ItemStore]) -> None:
    with pytest.raises(ConditionFailed):
        stores["control"].put({"item": "lock"}, replacing={"item": "lock", "version": 1})
    assert stores["control"].get({"item": "lock"}) is None


def test_a_partition_is_read_in_the_order_of_numbers(stores: dict[str, ItemStore]) -> None:
    for seq in (2, 10, 1):
        stores["ledger"].put({"run_id": "r", "seq": seq, "text": "x" * 300_000}, replacing=None)
    stores["ledger"].put({"run_id": "other", "seq": 1}, replacing=None)
    assert [item["seq"] for item in stores["ledger"].query("r")] == [1, 2, 10]
    assert stores["ledger"].query("nobody") == []


def test_indexes_hold_only_items_with_their_attribute(stores: dict[str, ItemStore]) -> None:
    row: Item = {"run_id": "r", "stage": "training", "job_name": "j1", "deadline": 5}
    opened = stores["registry"].put({**row, "open_marker": "open"}, replacing=None)
    stores["registry"].put({**row, "stage": "import", "job_name": "j2"}, replacing=None)
    assert [item["stage"] for item in stores["registry"].query_index("open", "open")] == ["training"]
    assert [item["stage"] for item in stores["registry"].query_index("by-name", "j2")] == ["import"]
    stores["registry"].put(row, replacing=opened)
    assert stores["registry"].query_index("open", "open") == []

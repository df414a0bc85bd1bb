"""Items in a table, written only by compare and swap: whoever writes names the version that it read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import TransientServiceError, error_code, service_errors

Value = str | int | bool
Item = Mapping[str, Value]

VERSION: Final = "version"
_TRIES: Final = 25


class ConditionFailed(Exception):  # noqa: N818 - DynamoDB's own word
    """Report that the stored item is no longer the one the caller read.

    A write whose answer was lost and which the client library repeated ends here too, although it took effect: read
    again before concluding anything.
    """


class ItemStore(Protocol):
    """Keep items under a partition key and, in some tables, a sort key. Reads by key are consistent."""

    def get(self, key: Item) -> Item | None:
        """Return the item, or None."""
        ...

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        """Write the item if the stored one is still `replacing` (None: there is none); raise ConditionFailed if not.

        Return the item as stored, with its new version.
        """
        ...

    def query(self, partition: str) -> list[Item]:
        """Return all items of a partition in the order of the sort key."""
        ...

    def query_index(self, index: str, value: str) -> list[Item]:
        """Return the items an index holds under a value; they may be out of date, so read each again by key."""
        ...


def attempts() -> Iterator[int]:
    """Count the tries of a compare and swap; raise TransientServiceError when others keep winning."""
    yield from range(_TRIES)
    raise TransientServiceError(f"The item was changed by others {_TRIES} times in a row.")


def next_version(replacing: Item | None) -> int:
    """Return the version of the item that takes the place of `replacing`."""
    return 1 if replacing is None else int(replacing[VERSION]) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class DynamoItemStore:
    """Keep items in a DynamoDB table: GetItem, PutItem and Query are all it calls.

    `indexes` maps the name of a global secondary index to its partition key; `dynamodb` is the client to use, by
    default the one of this process.
    """

    table_name: str
    partition_key: str
    sort_key: str | None = None
    indexes: Mapping[str, str] | None = None
    dynamodb: Any = None

    def get(self, key: Item) -> Item | None:
        """Return the item, or None."""
        with service_errors():
            answer = self._client.get_item(TableName=self.table_name, Key=_encode(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        """Write the item if the stored one is still `replacing`; raise ConditionFailed if not."""
        stored = {**item, VERSION: next_version(replacing)}
        try:
            with service_errors():
                self._client.put_item(TableName=self.table_name, Item=_encode(stored), **self._condition(replacing))
        except Exception as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise ConditionFailed(self.table_name) from error
            raise
        return stored

    def query(self, partition: str) -> list[Item]:
        """Return all items of a partition in the order of the sort key."""
        return self._query(self.partition_key, partition, ConsistentRead=True)

    def query_index(self, index: str, value: str) -> list[Item]:
        """Return the items an index holds under a value."""
        return self._query((self.indexes or {})[index], value, IndexName=index)

    @property
    def _client(self) -> Any:
        return client("dynamodb") if self.dynamodb is None else self.dynamodb

    def _condition(self, replacing: Item | None) -> dict[str, Any]:
        if replacing is None:
            return {
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": self.partition_key},
            }
        return {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": VERSION},
            "ExpressionAttributeValues": _encode({":version": replacing[VERSION]}),
        }

    def _query(self, attribute: str, value: str, **options: Any) -> list[Item]:
        items: list[Item] = []
        while True:
            with service_errors():
                answer = self._client.query(
                    TableName=self.table_name,
                    KeyConditionExpression="#key = :value",
                    ExpressionAttributeNames={"#key": attribute},
                    ExpressionAttributeValues=_encode({":value": value}),
                    **options,
                )
            items.extend(decode(each) for each in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return items
            options["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def job_registry_store(table_name: str) -> DynamoItemStore:
    """Return the store of the job registry table."""
    return DynamoItemStore(
        table_name=table_name,
        partition_key="run_id",
        sort_key="stage",
        indexes={"by-name": "job_name", "open": "open_marker"},
    )


def run_ledger_store(table_name: str) -> DynamoItemStore:
    """Return the store of the run ledger table."""
    return DynamoItemStore(table_name=table_name, partition_key="run_id", sort_key="seq")


def run_control_store(table_name: str) -> DynamoItemStore:
    """Return the store of the run control table: lock, pointer, fingerprints, open runs."""
    return DynamoItemStore(table_name=table_name, partition_key="item")


def _encode(item: Item) -> dict[str, dict[str, Any]]:
    return {name: _encode_value(value) for name, value in item.items()}


def _encode_value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def decode(item: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return an item as DynamoDB answers it in plain values."""
    return {name: _decode_value(value) for name, value in item.items()}


def _decode_value(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    return int(content) if kind == "N" else content

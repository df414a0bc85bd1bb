"""Reads items of a customization's tables with the credentials of whoever runs the command."""

from __future__ import annotations

from typing import Any

from lambda_handlers.protocol.store import Item, decode


class ReadItems:
    """A table that is only read, by key."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table

    def get(self, key: Item) -> Item | None:
        """Return the item, or None."""
        names = {name: {"S": str(value)} for name, value in key.items()}
        answer = self._dynamodb.get_item(TableName=self._table, Key=names, ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        """Refuse: a command changes nothing here."""
        raise PermissionError(f"{self._table} is only read, not written: {item} in the place of {replacing}")

    def query(self, partition: str) -> list[Item]:
        """Refuse: nothing asks for it."""
        raise PermissionError(f"{self._table} is only read by key, not by {partition}")

    def query_index(self, index: str, value: str) -> list[Item]:
        """Refuse: nothing asks for it."""
        raise PermissionError(f"{self._table} is only read by key, not by {index} {value}")

"""Amazon DynamoDB: tables and indexes, the items inside batches and transactions, PartiQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from nova_constructs.emulator.iam.actions.call import ApiCall, ContextValues, Need, Row, anywhere, on
from nova_constructs.emulator.iam.actions.keys import key_needs
from nova_constructs.emulator.iam.context import Value
from nova_constructs.emulator.iam.errors import EvaluationError

_TRANSACTED: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_PARTIQL = re.compile(
    r"""\s*(?:(?P<verb>insert\s+into|update|delete\s+from)|select\b.*?\bfrom)\s+"""
    r"""["']?(?P<table>[\w.-]+)["']?(?:\.["']?(?P<index>[\w.-]+)["']?)?""",
    re.IGNORECASE | re.DOTALL,
)
_PARTIQL_ACTIONS: Final = {"insert": "PartiQLInsert", "update": "PartiQLUpdate", "delete": "PartiQLDelete"}
_HASH_CONDITION = re.compile(r"(?P<name>#?[\w.-]+)\s*=\s*(?P<value>:[\w.-]+)")


def _table_name(table: str) -> str:
    return table.rsplit("table/", 1)[-1].split("/", 1)[0]


def _table_arn(call: ApiCall, table: str, index: str | None = None) -> str:
    arn = table if table.startswith("arn:") else call.arn(f"table/{table}")
    return f"{arn}/index/{index}" if index else arn


def _table(call: ApiCall) -> str:
    return _table_arn(call, call.text("TableName"))


def _on_data(
    call: ApiCall, action: str, table: str, *, index: str | None = None, context: ContextValues | None = None
) -> list[Need]:
    """Give the needs of reading or writing items: the action, and kms:Decrypt for the table's own key.

    DynamoDB decrypts the table key in the name of each caller ("DynamoDB encryption at rest: how it works").
    """
    need = Need(action=f"dynamodb:{action}", resource=_table_arn(call, table, index), context=context or {})
    name = _table_name(table)
    encryption_context = {"aws:dynamodb:tableName": name, "aws:dynamodb:subscriberId": call.account}
    encryption = call.facts.table_encryption(name)
    return [need, *key_needs(call, encryption, ["Decrypt"], "dynamodb", encryption_context)]


def _leading(call: ApiCall, table: str, items: Iterable[Mapping[str, Any]], index: str | None = None) -> ContextValues:
    """Give dynamodb:LeadingKeys: the partition key values of the items that a call touches."""

    def values() -> Value:
        name = call.facts.partition_key(_table_name(table), index)
        if name is None:
            raise EvaluationError(f"dynamodb:LeadingKeys: table {table} has no known partition key")
        return tuple(sorted({_plain(item[name]) for item in items if name in item}))

    return {"dynamodb:LeadingKeys": values}


def _plain(attribute: Any) -> str:
    return str(next(iter(attribute.values()))) if isinstance(attribute, Mapping) else str(attribute)


def _item(call: ApiCall) -> list[Need]:
    table = call.text("TableName")
    item = call.params.get("Item") or call.params.get("Key") or {}
    context = {**_leading(call, table, [item]), "dynamodb:ReturnValues": call.params.get("ReturnValues")}
    return _on_data(call, call.operation, table, context=context)


def _query(call: ApiCall) -> list[Need]:
    table, index = call.text("TableName"), call.params.get("IndexName")

    def leading() -> Value:
        return _queried_keys(call, table, index)

    context: ContextValues = {"dynamodb:LeadingKeys": leading, "dynamodb:Select": call.params.get("Select")}
    return _on_data(call, "Query", table, index=index, context=context)


def _queried_keys(call: ApiCall, table: str, index: str | None) -> Value:
    name = call.facts.partition_key(_table_name(table), index)
    names = call.params.get("ExpressionAttributeNames") or {}
    values = call.params.get("ExpressionAttributeValues") or {}
    for found in _HASH_CONDITION.finditer(call.params.get("KeyConditionExpression") or ""):
        if names.get(found["name"], found["name"]) == name:
            return (_plain(values[found["value"]]),)
    raise EvaluationError("dynamodb:LeadingKeys: the emulator cannot read the partition key out of this query")


def _scan(call: ApiCall) -> list[Need]:
    context = {"dynamodb:Select": call.params.get("Select")}
    return _on_data(call, "Scan", call.text("TableName"), index=call.params.get("IndexName"), context=context)


def _batch_get(call: ApiCall) -> Iterator[Need]:
    for table, asked in (call.params.get("RequestItems") or {}).items():
        yield from _on_data(call, "BatchGetItem", table, context=_leading(call, table, asked["Keys"]))


def _batch_write(call: ApiCall) -> Iterator[Need]:
    for table, requests in (call.params.get("RequestItems") or {}).items():
        items = [body.get("Item") or body.get("Key") for request in requests for body in request.values() if body]
        yield from _on_data(call, "BatchWriteItem", table, context=_leading(call, table, items))


def _transaction(call: ApiCall) -> Iterator[Need]:
    for request in call.params.get("TransactItems") or ():
        for kind, body in request.items():
            action = "GetItem" if kind == "Get" else _TRANSACTED[kind]
            item = body.get("Item") or body.get("Key") or {}
            yield from _on_data(call, action, body["TableName"], context=_leading(call, body["TableName"], [item]))


def _statements(call: ApiCall) -> Iterator[Need]:
    listed = call.params.get("Statements") or call.params.get("TransactStatements") or [call.params]
    for statement in listed:
        found = _PARTIQL.match(statement.get("Statement") or "")
        if found is None:
            raise EvaluationError(f"the emulator cannot read the table out of {statement.get('Statement')!r}")
        action = _PARTIQL_ACTIONS.get((found["verb"] or "select").split()[0].lower(), "PartiQLSelect")

        def unreadable() -> Value:
            raise EvaluationError("dynamodb:LeadingKeys of PartiQL statements is not evaluated")

        context = {"dynamodb:LeadingKeys": unreadable}
        yield from _on_data(call, action, found["table"], index=found["index"], context=context)


def _records(call: ApiCall) -> list[Need]:
    """Give the needs of reading a stream, which is encrypted with the table's key ("Encryption at rest: usage notes").

    A shard iterator begins with the ARN of its stream.
    """
    stream = call.text("ShardIterator").split("|", 1)[0]
    name = _table_name(stream)
    encryption_context = {"aws:dynamodb:tableName": name, "aws:dynamodb:subscriberId": call.account}
    keys = key_needs(call, call.facts.table_encryption(name), ["Decrypt"], "dynamodb", encryption_context)
    return [Need(action="dynamodb:GetRecords", resource=stream), *keys]


_on_table, _on_stream = on(_table), on(lambda call: call.text("StreamArn"))
ROWS: Final[Mapping[str, Row]] = {
    "GetItem": _item,
    "PutItem": _item,
    "UpdateItem": _item,
    "DeleteItem": _item,
    "Query": _query,
    "Scan": _scan,
    "BatchGetItem": _batch_get,
    "BatchWriteItem": _batch_write,
    "TransactGetItems": _transaction,
    "TransactWriteItems": _transaction,
    "ExecuteStatement": _statements,
    "BatchExecuteStatement": _statements,
    "ExecuteTransaction": _statements,
    "DescribeTable": _on_table,
    "DescribeTimeToLive": _on_table,
    "DescribeContinuousBackups": _on_table,
    "UpdateTable": _on_table,
    "UpdateTimeToLive": _on_table,
    "ListTagsOfResource": on(lambda call: call.text("ResourceArn")),
    "ListTables": anywhere,
    "DescribeStream": _on_stream,
    "GetShardIterator": _on_stream,
    "GetRecords": _records,
    "ListStreams": anywhere,
}

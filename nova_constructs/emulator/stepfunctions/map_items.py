"""Where the items of a Distributed Map come from: an object in S3, read under the machine's role."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class ItemReaderError(Exception):
    """The items could not be read; the text becomes the cause of States.ItemReaderFailed."""


def read_items(s3: Any, parameters: Any, kind: str, limit: int) -> list[Any]:
    """Read the items of an object: the elements of a JSON array, or the lines of JSONL.

    `parameters` are the evaluated ones, with Bucket and Key; `kind` is JSON or JSONL; at most `limit` items are given.
    Raises ItemReaderError if the object cannot be read, or is not of its kind.
    """
    place = {name: parameters.get(name) for name in ("Bucket", "Key")}
    for name, value in place.items():
        if not isinstance(value, str) or not value:
            raise ItemReaderError(f"{name} of the ItemReader must be a text that is not empty, got {value!r}")
    try:
        text = s3.get_object(**place)["Body"].read().decode()
    except (ClientError, BotoCoreError) as error:
        raise ItemReaderError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ItemReaderError(f"s3://{place['Bucket']}/{place['Key']} is not UTF-8: {error}") from error
    return (_lines(text) if kind == "JSONL" else _array(text))[:limit]


def _array(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ItemReaderError(f"the object is not JSON: {error}") from error
    if not isinstance(value, list):
        raise ItemReaderError("Attempting to map over non-iterable node.")
    return value


def _lines(text: str) -> list[Any]:
    items = []
    lines = text.removesuffix("\n").split("\n") if text.strip() else []
    for number, line in enumerate(lines, 1):
        try:
            items.append(json.loads(line))
        except ValueError as error:
            raise ItemReaderError(f"line {number} of the object is not JSON: {error}") from error
    return items

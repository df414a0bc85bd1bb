"""Rows as the records of an Amazon Bedrock batch inference job, and its records as answers.

Source: Bedrock guide, "Format and upload your batch inference data": `{recordId, modelInput}` in,
`{recordId, modelInput, modelOutput | error}` out, in any order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.inference.conversion import BrokenLineError

INFERENCE_VALUES: Final[Mapping[str, str]] = {
    "max_new_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
}
"""Recipe values that a request to Nova has too, by its name for them (Nova guide, complete request schema)."""
_DIGITS: Final = 9


class RecordError(ValueError):
    """Amazon Bedrock did not answer a record. Attribute: `number`, that of its row, from 1."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def record(number: int, row: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """Return the line of a row, which is the `number`th from 1; raise BrokenLineError for a row with images."""
    if row.get("images"):
        raise BrokenLineError("it has images, which go through training_job only")
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": row["query"]}]}]}
    if row.get("system"):
        asked["system"] = [{"text": row["system"]}]
    if values:
        asked["inferenceConfig"] = {INFERENCE_VALUES[name]: value for name, value in values.items()}
    # In ASCII: JSON escapes what no UTF-8 has.
    return json.dumps({"recordId": f"{number:0{_DIGITS}}", "modelInput": asked}).encode() + b"\n"


def answered(line: bytes) -> tuple[int, str]:
    """Return row number and answer of a line of output; raise RecordError, or BrokenLineError for no such line."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenLineError(f"it is not JSON ({error})") from error
    number = given.get("recordId") if isinstance(given, dict) else None
    if not isinstance(number, str) or len(number) != _DIGITS or not (number.isascii() and number.isdigit()):
        raise BrokenLineError(f"its recordId is {number!r}, which none of the records asked has")
    if given.get("error"):
        raise RecordError(int(number), str(given["error"].get("errorMessage") or given["error"]))
    try:
        content = given["modelOutput"]["output"]["message"]["content"]
        texts = [part["text"] for part in content if "text" in part]
        return int(number), "\n".join(texts)
    except (KeyError, TypeError) as error:
        raise RecordError(int(number), f"its modelOutput has no message ({error})") from error


def result(row: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """Return the row of results, in the form that the evaluation container's answers come in."""
    made = {
        "system": row.get("system") or "",
        "query": row["query"],
        "gold_response": row["response"],
        "inference_response": answer,
    }
    return made | ({"metadata": row["metadata"]} if row.get("metadata") is not None else {})

"""Read training and evaluation data as the containers do, and refuse what they would refuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MINIMUM_SAMPLES = 8
"""Smallest data set that supervised fine-tuning accepts (Nova 2 guide, data preparation)."""

_RESERVED = ("User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]")
"""Texts that make a fine-tuning job fail (Nova 2 guide, data preparation)."""


class DataRefusedError(Exception):
    """The container cannot use the data; the message becomes the job's failure reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Digest and size of training data, with (question, answer) of each row."""

    sha256: str
    rows: int
    examples: tuple[tuple[str, str], ...] = field(repr=False)


def read_conversations(files: Mapping[str, bytes]) -> TrainingData:
    """Read rows in the Converse format; raise DataRefusedError for the first row that is not."""
    examples = tuple(_example(row, place) for place, row in _rows(files))
    if len(examples) < MINIMUM_SAMPLES:
        raise DataRefusedError(f"Training dataset has {len(examples)} samples; at least {MINIMUM_SAMPLES} are required")
    return TrainingData(sha256=digest(files), rows=len(examples), examples=examples)


def read_chats(files: Mapping[str, bytes]) -> TrainingData:
    """Read rows in the chat format of reinforcement fine-tuning."""
    examples = []
    for place, row in _rows(files):
        users = [turn.get("content") for turn in row.get("messages") or [] if turn.get("role") == "user"]
        if not users or not isinstance(users[-1], str):
            raise DataRefusedError(f"{place}: a user message with text content is required")
        examples.append((users[-1], str(row.get("reference_answer", ""))))
    return TrainingData(sha256=digest(files), rows=len(examples), examples=tuple(examples))


def read_texts(files: Mapping[str, bytes]) -> TrainingData:
    """Read rows of continued pre-training: nothing but `text`."""
    examples = []
    for place, row in _rows(files):
        if set(row) != {"text"} or not isinstance(row["text"], str) or not row["text"].strip():
            raise DataRefusedError(f"{place}: a row must have the field 'text', not empty, and no other")
        half = len(row["text"]) // 2
        examples.append((row["text"][:half], row["text"][half:]))
    return TrainingData(sha256=digest(files), rows=len(examples), examples=tuple(examples))


def read_questions(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Read the rows of a bring-your-own-data evaluation: `query` and `response`, optional `system`, `metadata`."""
    return read_evaluation(files, "gen_qa.jsonl", ("query", "response"))


def read_evaluation(files: Mapping[str, bytes], file_name: str, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read the rows of the one file that an evaluation looks for; each has to have the fields `texts`."""
    named = {name: body for name, body in files.items() if name.rsplit("/", 1)[-1] == file_name}
    if not named:
        raise DataRefusedError(f"Evaluation data file {file_name} was not found in the train channel")
    rows = []
    for place, row in _rows(named):
        for field_name in texts:
            if not isinstance(row.get(field_name), str):
                raise DataRefusedError(f"{place}: field {field_name!r} is required and must be a string")
        rows.append(row)
    if not rows:
        raise DataRefusedError(f"Evaluation data file {file_name} has no rows")
    return rows


def digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of all files in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(files[name])
    return total.hexdigest()


def _rows(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in sorted(files):
        for number, line in enumerate(files[name].splitlines(), start=1):
            if line.strip():
                yield f"{name.rsplit('/', 1)[-1]} line {number}", _row(line, f"{name} line {number}")


def _row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataRefusedError(f"{place}: not a JSON document ({error})") from error
    if not isinstance(row, dict):
        raise DataRefusedError(f"{place}: a JSON object is required")
    return row


def _example(row: dict[str, Any], place: str) -> tuple[str, str]:
    if not isinstance(row.get("schemaVersion"), str):
        raise DataRefusedError(f"{place}: schemaVersion is required")
    messages = row.get("messages")
    if not isinstance(messages, list) or len(messages) < 2:
        raise DataRefusedError(f"{place}: messages must hold at least two turns")
    texts = [_turn_text(turn, position, place) for position, turn in enumerate(messages)]
    if messages[-1]["role"] != "assistant":
        raise DataRefusedError(f"{place}: the last message must be the assistant's")
    for block in row.get("system") or []:
        _refuse_reserved(str(block.get("text", "")), place)
    return texts[-2], texts[-1]


def _turn_text(turn: Any, position: int, place: str) -> str:
    expected = "assistant" if position % 2 else "user"
    if not isinstance(turn, dict) or turn.get("role") != expected:
        raise DataRefusedError(f"{place}: message {position + 1} must have role {expected!r}")
    blocks = turn.get("content", [])
    if "candidates" in turn:
        blocks = next((c["content"] for c in turn["candidates"] if c.get("preferenceLabel") == "preferred"), [])
    if not isinstance(blocks, list) or not blocks or not all(isinstance(block, dict) for block in blocks):
        raise DataRefusedError(f"{place}: message {position + 1} needs a list of content blocks")
    text = "\n".join(str(block["text"]) for block in blocks if "text" in block)
    _refuse_reserved(text, place)
    return text


def _refuse_reserved(text: str, place: str) -> None:
    for word in _RESERVED:
        if word in text:
            raise DataRefusedError(f"{place}: reserved keyword {word!r} is not allowed")

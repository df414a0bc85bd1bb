"""Files of realistic text rows, the same every time: questions and answers with quotes, line ends and other scripts."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

_SEED = 20260
_SENTENCES = 4000
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_FREQUENT_FIRST = range(2600, 0, -100)
_SHARE_WITH_QUOTES = 0.03
_SHARE_OF_OTHER_SCRIPTS = 0.02
_OTHER_SCRIPTS = (
    "Où se trouve la clé ?",
    "Das wäre schön, später.",
    "注文はいつ届きますか。",
    "Спасибо за ответ.",
    "👍 ok",
)
Row = tuple[str, str]


def text_rows(row_bytes: int) -> Iterator[Row]:
    """Yield questions and answers without end, no two alike; as a flat row of JSON, about `row_bytes` on average."""
    chooser = random.Random(_SEED)
    sentences = _sentences(chooser)
    mean = sum(len(sentence.encode()) for sentence in sentences) / len(sentences)
    # What is neither question nor answer: keys, punctuation and the number of the ticket.
    in_all = max(2, round((row_bytes - 45) / mean))
    in_question = max(1, in_all // 4)
    number = 0
    while True:
        number += 1
        question = "".join(chooser.choices(sentences, k=in_question))
        answer = "".join(chooser.choices(sentences, k=in_all - in_question))
        yield f"Ticket {number}: {question}", answer


def flat_line(row: Row) -> bytes:
    """Return a row as a line of flat JSON."""
    return orjson.dumps({"question": row[0], "answer": row[1]}, option=orjson.OPT_APPEND_NEWLINE)


def converse_line(row: Row) -> bytes:
    """Return a row as a line in Converse form."""
    question, answer = row
    turns = [
        {"role": "user", "content": [{"text": question}]},
        {"role": "assistant", "content": [{"text": answer}]},
    ]
    return orjson.dumps(
        {"schemaVersion": "bedrock-conversation-2024", "messages": turns}, option=orjson.OPT_APPEND_NEWLINE
    )


def csv_record(row: Row) -> bytes:
    """Return a row as a record of CSV."""
    record = io.StringIO(newline="")
    csv.writer(record).writerow(row)
    return record.getvalue().encode()


def write_rows(path: Path, *, size: int, row_bytes: int, encode: Callable[[Row], bytes] = flat_line) -> int:
    """Write a file of at least `size` bytes; return its number of rows."""
    written = rows = 0
    with path.open("wb") as file:
        if encode is csv_record:
            written += file.write(b"question,answer\r\n")
        for row in text_rows(row_bytes):
            written += file.write(encode(row))
            rows += 1
            if written >= size:
                break
    return rows


def _sentences(chooser: random.Random) -> list[str]:
    words = ["".join(chooser.choices(_LETTERS, _FREQUENT_FIRST, k=chooser.randint(2, 10))) for _ in range(3000)]
    return [_sentence(chooser, words) for _ in range(_SENTENCES)]


def _sentence(chooser: random.Random, words: list[str]) -> str:
    kind = chooser.random()
    if kind < _SHARE_OF_OTHER_SCRIPTS:
        return chooser.choice(_OTHER_SCRIPTS) + " "
    text = " ".join(chooser.choices(words, k=chooser.randint(4, 18))).capitalize()
    if kind < _SHARE_OF_OTHER_SCRIPTS + _SHARE_WITH_QUOTES:
        text = f'"{text}"'
    return text + chooser.choice((". ", ". ", ", ", "? ", ".\n", ": 1,234 $\n"))

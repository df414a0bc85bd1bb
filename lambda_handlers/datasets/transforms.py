"""One line of a source into one line of training data.

`SftTransform` has two ways with one meaning. The fast way takes the rows in which nothing can be wrong, as cheap
screens show; every other row takes the careful way, which parses strictly and names each broken rule.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from lambda_handlers.datasets import converse, parsing, reserved
from lambda_handlers.datasets.columns import SFT_OPTIONAL, Columns
from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.seen import RowsSeen
from lambda_handlers.datasets.texts import optional_text, required_text

# Floats are absent: a fast parser makes one of an integer beyond 64 bits.
_PLAIN: Final = frozenset({int, bool, type(None)})


class SftTransform:
    """Turn a flat or Converse line into a validated Converse line for one Nova version.

    Columns whose text is absent or empty are left out when they are optional; no system prompt is invented:
    `system_prompt` is used for flat rows that bring none of their own.
    """

    def __init__(self, *, nova: converse.NovaVersion, columns: Columns, system_prompt: str | None = None) -> None:
        self.seen = RowsSeen()
        self._nova = nova
        self._columns = columns
        self._system_prompt = system_prompt
        self._question, self._answer = columns.question, columns.answer
        self._optional = columns.system, columns.reasoning_text
        self._mapped = frozenset(columns.named()[name] for name in SFT_OPTIONAL if name in columns.mapped)

    def __call__(self, line: bytes) -> bytes:
        """Return the Converse line without a line end; raise RejectedRowError with every fault found."""
        return self._fast(line) or self._careful(line)

    def _fast(self, line: bytes) -> bytes | None:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if type(row) is not dict or not _is_plain(row, line):
            return None
        question, answer = row.get(self._question), row.get(self._answer)
        if not (_is_good(question) and _is_good(answer)):
            return None
        system, reasoning = row.get(self._optional[0]), row.get(self._optional[1])
        if not (_is_good_or_absent(system) and _is_good_or_absent(reasoning) and row.keys() >= self._mapped):
            return None
        self.seen.flat += 1
        return orjson.dumps(self._record(question, answer, system, reasoning))

    def _careful(self, line: bytes) -> bytes:
        row = parsing.parse(line)
        if "messages" in row and self._question not in row:
            return self._converse(row, line)
        self.seen.flat += 1
        self.seen.note_columns(row, self._columns)
        if found := self._flat_faults(row):
            raise RejectedRowError(found)
        texts = (row.get(column) for column in (self._question, self._answer, *self._optional))
        return orjson.dumps(self._record(*texts))

    def _converse(self, row: dict[str, Any], line: bytes) -> bytes:
        self.seen.converse += 1
        if found := converse.faults(row, self._nova):
            raise RejectedRowError(found)
        self.seen.note_options(system="system" in row, reasoning=b'"reasoningContent"' in line)
        return orjson.dumps(row)

    def _flat_faults(self, row: dict[str, Any]) -> list[Fault]:
        found: list[Fault] = []
        for column in (self._question, self._answer):
            if column in row:
                found += required_text(row[column], f'the column "{column}"')
            else:
                found.append(Fault("missing_column", f'the column "{column}" is absent'))
        for column in self._optional:
            if row.get(column) is not None:
                found += optional_text(row[column], f'the column "{column}"')
        return found

    def _record(self, question: Any, answer: Any, system: Any, reasoning: Any) -> dict[str, Any]:
        record: dict[str, Any] = {"schemaVersion": converse.SCHEMA_VERSION}
        prompt = system if system and system.strip() else self._system_prompt
        if prompt:
            self.seen.with_system += 1
            record["system"] = ({"text": prompt},)
        reply: tuple[dict[str, Any], ...] = ({"text": answer},)
        if reasoning and self._nova == 2 and reasoning.strip():
            self.seen.with_reasoning += 1
            reply = ({"reasoningContent": {"reasoningText": {"text": reasoning}}}, *reply)
        record["messages"] = (
            {"role": "user", "content": ({"text": question},)},
            {"role": "assistant", "content": reply},
        )
        return record


def _is_good(text: Any) -> bool:
    return type(text) is str and bool(text.strip()) and "\0" not in text and reserved.find(text) is None


def _is_good_or_absent(text: Any) -> bool:
    return text is None or _is_good(text)


def _is_plain(row: dict[str, Any], line: bytes) -> bool:
    """Tell whether the fast parser cannot have hidden anything: no key twice, no number cut, no container.

    The quotes of the line are those around keys and texts, and those within texts. A key given twice leaves more of
    them than the parsed row accounts for, unless escapes of the other form (\\u0022) make up the difference.
    """
    around = len(row)
    for value in row.values():
        if type(value) is str:
            around += 1
        elif type(value) not in _PLAIN:
            return False
    quotes = line.count(b'"') - 2 * around
    if not quotes:
        return True
    texts = (*row.keys(), *(value for value in row.values() if type(value) is str))
    return quotes == sum(text.count('"') for text in texts) and b"\\u0022" not in line

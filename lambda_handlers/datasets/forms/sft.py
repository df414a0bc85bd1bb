"""One line of a source into one line of training data.

`SftTransform` has two ways with one meaning. The fast way takes the rows in which nothing can be wrong, as cheap
screens show; every other row takes the careful way, which parses strictly and names each broken rule.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import converse, parsing, screens
from lambda_handlers.datasets.forms.columns import SFT_OPTIONAL, Columns
from lambda_handlers.datasets.forms.seen import RowsSeen
from lambda_handlers.datasets.forms.texts import optional_text, required_text

_GAP: Final = "\0"


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
        self._optional = (columns.system, columns.reasoning_text)
        self._mapped = frozenset(columns.named()[name] for name in SFT_OPTIONAL if name in columns.mapped)
        # The record of most rows differs in two texts only: what is around them is made once.
        self._frame = orjson.dumps(self._record(_GAP, _GAP, None, None)).split(orjson.dumps(_GAP))

    def __call__(self, line: bytes) -> bytes:
        """Return the Converse line without a line end; raise RejectedRowError with every fault found."""
        return self._fast(line) or self._careful(line)

    def _fast(self, line: bytes) -> bytes | None:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if type(row) is not dict:
            return None
        question, answer = row.get(self._question), row.get(self._answer)
        if type(question) is not str or type(answer) is not str:
            return self._fast_converse(row, line) if question is None else None
        if not question.strip() or not answer.strip() or not screens.is_plain(row, line):
            return None
        if self._mapped or row.get(self._optional[0], "") != "" or row.get(self._optional[1], "") != "":
            return self._fast_with_options(row, question, answer)
        if not screens.is_harmless(f"{question}\n{answer}"):
            return None
        self.seen.count_flat(system=self._system_prompt, reasoning=None)
        head, middle, tail = self._frame
        return head + orjson.dumps(question) + middle + orjson.dumps(answer) + tail

    def _fast_with_options(self, row: dict[str, Any], question: str, answer: str) -> bytes | None:
        options = [row.get(column) for column in self._optional]
        texts = [option for option in options if option is not None]
        if any(type(text) is not str for text in texts) or not row.keys() >= self._mapped:
            return None
        if not screens.is_harmless("\n".join((question, answer, *texts))):
            return None
        return self._made(question, answer, *options)

    def _fast_converse(self, row: dict[str, Any], line: bytes) -> bytes | None:
        text = screens.conversation_text(row, line)
        if text is None or not screens.is_harmless(text):
            return None
        self.seen.count_converse(system="system" in row, reasoning=False)
        return orjson.dumps(row)

    def _careful(self, line: bytes) -> bytes:
        row = parsing.parse(line)
        if "messages" in row and self._question not in row:
            return self._converse(row, line)
        self.seen.note_columns(row, self._columns)
        if found := self._flat_faults(row):
            self.seen.flat += 1
            raise RejectedRowError(found)
        return self._made(*(row.get(column) for column in (self._question, self._answer, *self._optional)))

    def _converse(self, row: dict[str, Any], line: bytes) -> bytes:
        if found := converse.faults(row, self._nova):
            raise RejectedRowError(found)
        self.seen.count_converse(system="system" in row, reasoning=b'"reasoningContent"' in line)
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

    def _made(self, question: Any, answer: Any, system: Any, reasoning: Any) -> bytes:
        prompt = system if system and system.strip() else self._system_prompt
        thought = reasoning if self._nova == 2 and reasoning and reasoning.strip() else None
        self.seen.count_flat(system=prompt, reasoning=thought)
        return orjson.dumps(self._record(question, answer, prompt, thought))

    def _record(self, question: str, answer: str, prompt: str | None, thought: str | None) -> dict[str, Any]:
        system = {"system": [{"text": prompt or self._system_prompt}]} if prompt or self._system_prompt else {}
        reasoning = [{"reasoningContent": {"reasoningText": {"text": thought}}}] if thought else []
        return {
            "schemaVersion": converse.SCHEMA_VERSION,
            **system,
            "messages": [
                {"role": "user", "content": [{"text": question}]},
                {"role": "assistant", "content": [*reasoning, {"text": answer}]},
            ],
        }

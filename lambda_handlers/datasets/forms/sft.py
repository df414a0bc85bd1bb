"""Rows for supervised fine-tuning: flat columns, OpenAI chat and Converse rows become validated Converse rows.

The transform has two ways with one meaning. The fast way takes the rows in which nothing can be wrong, as cheap screens
show; every other row takes the careful way, which parses strictly and names each broken rule.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault, RejectedRowError, reject
from lambda_handlers.datasets.forms import converse, converse_media, openai_chat, parsing, quick, screens
from lambda_handlers.datasets.forms.columns_seen import ColumnsSeen
from lambda_handlers.datasets.forms.flat_conversation import OPTIONAL, REQUIRED, FlatConversation
from lambda_handlers.datasets.forms.form import Form, RowSettings

FLAT_BIT: Final = 1
_GAP: Final = "\0"


class ConverseTransform:
    """Turn a row into a validated Converse line for one Nova version.

    Columns whose text is absent or blank are left out when they are optional. No system prompt is invented:
    `settings.system_prompt`, a good text, goes to flat and OpenAI rows that bring none of their own.
    """

    def __init__(self, settings: RowSettings) -> None:
        self.columns_seen = ColumnsSeen()
        self.features = 0
        self.media_bits = converse.MEDIA_BITS
        self._nova, self._multimodal, self._as_is = settings.nova, settings.multimodal, settings.as_is
        self._media = None if settings.as_is else settings.media
        self._system_prompt = settings.system_prompt or None
        self._flat = FlatConversation(settings.columns, nova=settings.nova, multimodal=settings.multimodal)
        self._question, self._answer = self._flat.columns["question"], self._flat.columns["answer"]
        self._chats = "messages" not in self._flat.columns.values()
        self._said: str | list[dict[str, Any]] = ""
        # Most rows made of columns differ in two texts only: what is around them is made once.
        frame = self._with_system(self._flat.record(question=_GAP, answer=_GAP))
        self._frame = orjson.dumps(frame).split(orjson.dumps(_GAP))
        self._frame_features = FLAT_BIT | converse.features(frame)

    def __call__(self, line: bytes) -> bytes:
        """Return the Converse line without a line end; raise RejectedRowError with every fault found."""
        return self._fast(line) or self._careful(line)

    def from_columns(self, values: Mapping[str, str]) -> bytes:
        """Return the Converse line made of a CSV row; raise RejectedRowError with every fault found."""
        question, answer = values.get(self._question), values.get(self._answer)
        if question and answer and (made := self._framed(values, question, answer)):
            return made
        return self._careful_flat(values)

    def prompt(self) -> str:
        """Return what the user says in the row made last, its turns joined by line ends."""
        return self._said if isinstance(self._said, str) else converse.user_text(self._said)

    def buckets(self) -> Collection[str]:
        """Return the buckets in which the media of the row made last lie."""
        return () if isinstance(self._said, str) else converse_media.buckets(self._said)

    def _fast(self, line: bytes) -> bytes | None:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if type(row) is not dict:
            return None
        if "messages" in row:
            return self._fast_conversation(row, line)
        question, answer = row.get(self._question), row.get(self._answer)
        if type(question) is not str or type(answer) is not str or not screens.is_plain(row, line):
            return None
        return self._framed(row, question, answer)

    def _framed(self, row: Mapping[str, Any], question: str, answer: str) -> bytes | None:
        """Return the line of a good flat row that is made of texts only; None for any other row."""
        # Not `strip`, which copies a text that begins or ends with white space.
        if self._as_is or not question or question.isspace() or not answer or answer.isspace():
            return None
        if not self._flat.is_bare(row):
            return self._made_of_texts(row)
        if not screens.is_harmless(f"{question}\n{answer}"):
            return None
        self.features, self._said = self._frame_features, question
        head, middle, tail = self._frame
        return head + orjson.dumps(question) + middle + orjson.dumps(answer) + tail

    def _made_of_texts(self, row: Mapping[str, Any]) -> bytes | None:
        texts = self._flat.texts(row)
        if texts is None or not screens.is_harmless("\n".join(texts.values())):
            return None
        record = self._with_system(self._flat.record(**texts))
        self.features, self._said = FLAT_BIT | converse.features(record), texts["question"]
        return orjson.dumps(record)

    def _fast_conversation(self, row: dict[str, Any], line: bytes) -> bytes | None:
        texts = screens.conversation_texts(row) if self._chats else None
        if texts is None or not screens.is_harmless("\n".join(texts)):
            return None
        made = orjson.dumps(row)
        messages = row["messages"]
        if made != line and not screens.hides_nothing(line, len(messages), texts):
            return None
        self.features, self._said = converse.SYSTEM_BIT if len(row) == 3 else 0, messages
        return made

    def _careful(self, line: bytes) -> bytes:
        row = quick.parse(line)
        if "messages" not in row or not self._chats:
            return self._careful_flat(row)
        if not openai_chat.is_openai(row):
            return self._validated(row, 0)
        if self._as_is:
            raise reject("not_in_form", "the row is an OpenAI chat row, not a Converse row; prepare it first")
        columns = self._flat.columns
        made = openai_chat.to_converse(row, system=columns["system"], bucket_owner=columns["bucket_owner"])
        made = self._with_system(made)
        parsing.check(made)
        return self._validated(made, 0, source="as a Converse row, ")

    def _careful_flat(self, row: Mapping[str, Any]) -> bytes:
        if self._as_is:
            raise reject("not_in_form", 'the row has no key "messages": it is not a Converse row; prepare it first')
        self.columns_seen.note(row, self._flat.expected)
        try:
            return self._validated(self._with_system(self._flat.read(row)), FLAT_BIT)
        except RejectedRowError:
            self.columns_seen.rejected += 1
            raise

    def _validated(self, row: dict[str, Any], features: int, *, source: str = "") -> bytes:
        if found := converse.faults(row, self._nova, multimodal=self._multimodal):
            raise RejectedRowError(Fault(fault.code, source + fault.message) for fault in found)
        made = features | converse.features(row)
        if self._media and made & converse.MEDIA_BITS:
            converse_media.place_all(row["messages"], self._media, source=source)
        self.features, self._said = made, row["messages"]
        return orjson.dumps(row)

    def _with_system(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._system_prompt is None or "system" in row:
            return row
        return {"schemaVersion": row["schemaVersion"], "system": [{"text": self._system_prompt}], **row}


CONVERSE: Final = Form(
    name="converse",
    output="train.jsonl",
    required=REQUIRED,
    optional=OPTIONAL,
    make=ConverseTransform,
    features=converse.FEATURES,
    modalities=("image", "video", "document"),
)

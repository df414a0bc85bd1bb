"""A question and its answer in columns: how a flat row becomes a conversation of two turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.catalog.training_data import SCHEMA_VERSION
from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import converse_media as media
from lambda_handlers.datasets.forms.texts import is_missing, is_named, optional_text, required_text

REQUIRED: Final = ("question", "answer")
OPTIONAL: Final = ("system", "reasoning_text", "image_format", "video_format", "s3_uri", "bucket_owner")
_MEDIA: Final = {"image_format": "image", "video_format": "video"}
_MEDIA_COLUMNS: Final = frozenset({*_MEDIA, "s3_uri"})


class FlatConversation:
    """Reads flat rows; `columns` maps standard names to those of the data, a name that is not mapped is itself.

    On Nova 1, reasoning is ignored: those models do not train on it.
    """

    def __init__(self, columns: Mapping[str, str], *, nova: int, multimodal: bool) -> None:
        self.columns: Final = {name: columns.get(name, name) for name in REQUIRED + OPTIONAL}
        self.expected: Final = tuple(
            column for name, column in self.columns.items() if name in REQUIRED or name in columns
        )
        self._nova, self._multimodal = nova, multimodal
        self._mapped = frozenset(columns[name] for name in OPTIONAL if name in columns)
        ignored = {"reasoning_text"} if nova == 1 else set()
        self._readable = {name: column for name, column in self.columns.items() if name not in ignored}
        self._used = frozenset(column for name, column in self._readable.items() if name in OPTIONAL)

    def is_bare(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a row has no column but question and answer that is mapped, or says something."""
        return not self._mapped and self._used.isdisjoint(row)

    def texts(self, row: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the texts of a row by standard name, blank ones left out; None where that is not all there is to it.

        Such a row has every expected column, no media, and nothing but texts in the columns that are used.
        """
        if not all(column in row for column in self.expected):
            return None
        said = {}
        for name, column in self._readable.items():
            value = row.get(column)
            if value is None or value == "":
                continue
            if type(value) is not str or name in _MEDIA_COLUMNS:
                return None
            if value.strip():
                said[name] = value
        return said

    def read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the Converse row; raise RejectedRowError with every fault, named by the columns of the data."""
        if found := [*self._text_faults(row), *self._media_faults(row)]:
            raise RejectedRowError(found)
        said = {name: row[column] for name, column in self.columns.items() if is_named(row.get(column))}
        return self.record(**said)

    def record(self, *, question: str, answer: str, **options: str) -> dict[str, Any]:
        """Return the Converse row of the standard names given: media before the question, reasoning before the answer.

        Nothing is checked here.
        """
        system = {"system": [{"text": options["system"]}]} if "system" in options else {}
        shown = [
            media.item(name, options[column], options["s3_uri"].strip(), options["bucket_owner"].strip())
            for column, name in _MEDIA.items()
            if column in options
        ]
        thought = options.get("reasoning_text") if self._nova == 2 else None
        reasoning = [{"reasoningContent": {"reasoningText": {"text": thought}}}] if thought else []
        return {
            "schemaVersion": SCHEMA_VERSION,
            **system,
            "messages": [
                {"role": "user", "content": [*shown, {"text": question}]},
                {"role": "assistant", "content": [*reasoning, {"text": answer}]},
            ],
        }

    def _text_faults(self, row: Mapping[str, Any]) -> Iterator[Fault]:
        for name in REQUIRED:
            yield from self._required(row, name)
        for name in ("system",) if self._nova == 1 else ("system", "reasoning_text"):
            yield from self._optional(row, name)

    def _media_faults(self, row: Mapping[str, Any]) -> Iterator[Fault]:
        formats = [name for name in _MEDIA if not is_missing(row.get(self.columns[name]))]
        if not formats:
            if not is_missing(row.get(self.columns["s3_uri"])):
                yield Fault(
                    "missing_text", f"{self._place('s3_uri')} is given, but no image_format and no video_format"
                )
            return
        if len(formats) > 1:
            yield Fault("media_mixed", f"{self._place(formats[0])} and {self._place(formats[1])} are both given")
        if not self._multimodal:
            yield Fault("media_model", f"{self._place(formats[0])} is given, but the model reads only text")
        for name in formats:
            yield from self._format_faults(row[self.columns[name]], name)
        yield from self._location_faults(row)

    def _format_faults(self, value: Any, name: str) -> Iterator[Fault]:
        written = media.written_format(value) if isinstance(value, str) else value
        yield from media.format_faults(_MEDIA[name], written, self._place(name), self._nova)

    def _location_faults(self, row: Mapping[str, Any]) -> Iterator[Fault]:
        for name, rule in (("s3_uri", media.uri_faults), ("bucket_owner", media.owner_faults)):
            missing = list(self._required(row, name))
            value = row.get(self.columns[name])
            yield from missing or rule(value.strip() if isinstance(value, str) else value, self._place(name))

    def _required(self, row: Mapping[str, Any], name: str) -> Iterator[Fault]:
        if self.columns[name] in row:
            yield from required_text(row[self.columns[name]], self._place(name))
        else:
            yield Fault("missing_column", f"{self._place(name)} is absent")

    def _optional(self, row: Mapping[str, Any], name: str) -> Iterator[Fault]:
        if not is_missing(row.get(self.columns[name])):
            yield from optional_text(row[self.columns[name]], self._place(name))

    def _place(self, name: str) -> str:
        return f'the column "{self.columns[name]}"'

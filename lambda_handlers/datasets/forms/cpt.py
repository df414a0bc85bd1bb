"""Rows of continued pre-training: one text each, and nothing else (AWS, Nova continued pre-training page)."""

from __future__ import annotations

from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.fields import Field, FieldTransform, closed_faults
from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.texts import required_plain_text

FIELDS: Final = {"text": Field(rule=required_plain_text)}


def faults(row: dict[str, Any]) -> list[Fault]:
    """List everything that is wrong with a row `{text}`."""
    return closed_faults(CPT, FIELDS, row)


class CptTransform(FieldTransform):
    """Turn flat rows into `{text}`; a conversation is refused, for no text says how its turns would be written."""

    def __init__(self, settings: RowSettings) -> None:
        super().__init__(CPT, FIELDS, settings)

    def prompt(self) -> str:
        """Return the whole text: it is all there is to compare."""
        text: str = self._made["text"]
        return text

    def _row_faults(self, row: dict[str, Any]) -> list[Fault]:
        return faults(row)

    def _from_conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        sentence = (
            "messages: a conversation is no text for continued pre-training; write it out in one text, or use SFT"
        )
        return row, [Fault("conversation", sentence)]


CPT: Final = Form(name="cpt", output="train.jsonl", required=("text",), optional=(), make=CptTransform)

"""What can be wrong with one row: stable codes, and the exception that carries them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CODES: Final = {
    "invalid_utf8": "the bytes are not UTF-8",
    "not_json": "the line is not JSON",
    "too_deep": "the JSON is nested too deeply",
    "duplicate_key": "a key stands twice in one object",
    "number_out_of_range": "a number does not fit 64 bits",
    "lone_surrogate": "half of a surrogate pair stands alone",
    "nul_character": "the text contains a NUL character",
    "not_an_object": "the row is not a JSON object",
    "row_too_large": "the row is longer than the limit",
    "missing_column": "a required column is absent",
    "missing_text": "required text is null, empty or only white space",
    "wrong_type": "a value has the wrong type",
    "reserved_word": "the text contains a word that makes training fail",
    "unknown_key": "a key is not part of the format",
    "schema_version": "schemaVersion is not bedrock-conversation-2024",
    "too_few_turns": "the conversation has fewer than two turns",
    "turn_order": "the turns do not alternate from user to assistant",
    "content": "a content item is not of a supported kind",
    "reasoning": "reasoning stands where it is not allowed",
    "media": "an image, video or document is not acceptable",
    "tool": "a tool definition, use or result is not acceptable",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: its stable code and a sentence that names the place."""

    code: str
    message: str


class RejectedRowError(Exception):
    """A row that breaks at least one rule; the row goes to quarantine."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


def reject(code: str, message: str) -> RejectedRowError:
    """Make the exception for a row with one fault."""
    return RejectedRowError((Fault(code, message),))

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
    "ragged_row": "the CSV record has more or fewer fields than the header",
    "csv_syntax": "the record breaks the rules of CSV",
    "missing_column": "a required column is absent",
    "missing_text": "required text is null, empty or only white space",
    "wrong_type": "a value has the wrong type",
    "reserved_word": "the text contains a word that makes training fail",
    "unknown_key": "a key is not part of the format",
    "not_in_form": "the row is not of the form that was asked for",
    "schema_version": "schemaVersion is not bedrock-conversation-2024",
    "too_few_turns": "the conversation has fewer than two turns",
    "turn_order": "the turns do not alternate from user to assistant",
    "system_position": "a system message stands behind the first turn",
    "content": "a content item is not of a supported kind",
    "reasoning_version": "reasoning is for Nova 2 only",
    "reasoning_role": "reasoning belongs to the assistant",
    "media_model": "the model reads only text",
    "media_role": "images, videos and documents belong to the user",
    "media_mixed": "a conversation has more than one kind of media",
    "media_reasoning": "media and reasoning stand in one turn",
    "media_location": "the place of an image, video or document is not acceptable",
    "media_owner": "the account that owns the bucket of the media is missing",
    "media_missing": "an image, video or document is not there or cannot be read",
    "media_too_large": "an image, video or document is too large",
    "image_format": "the format of an image is not supported",
    "video_format": "the format of a video is not supported",
    "document_format": "the format of a document is not supported",
    "image_count": "a conversation has too many images",
    "video_count": "a conversation has too many videos",
    "document_count": "a conversation has too many documents",
    "tool_version": "tools are for Nova 2 only",
    "tool_role": "tools are used by the assistant and answered by the user",
    "tool_id": "the id of a tool use or result is empty",
    "tool_name": "the name of a tool is empty",
    "tool_input": "the input of a tool use is not a JSON object",
    "tool_result": "the content of a tool result is not acceptable",
    "tool_config": "toolConfig has no tool definitions",
    "tool_spec": "a tool definition is not complete",
    "tool_twice": "a tool is defined twice",
    "tool_undefined": "a tool is used that is not defined",
    "tool_id_twice": "two tool uses have one id",
    "tool_unmatched": "a tool result answers no tool use",
    "tool_unanswered": "a tool use before the last turn has no result",
    "conversation": "a conversation cannot be made into a row of this form",
    "chat_role": "the role of a message is not one of those allowed",
    "chat_tools": "a conversation uses tools where only text is read",
    "text_only": "a message has more than text where only text is read",
    "no_question": "no message is the user's",
    "reference_answer": "the reference answer is neither a text nor an object with something in it",
    "image_data": "an image is not a data URL with base64 that decodes",
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

"""Rows for the judge tasks: a prompt and the two answers to compare (AWS, `llm_judge.jsonl`, both judge kinds)."""

from __future__ import annotations

from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.fields import Field, FieldTransform, closed_faults
from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.texts import required_plain_text

# The reserved words are not looked for: they make a training job fail, and an answer to be judged may contain them.
FIELDS: Final = {name: Field(rule=required_plain_text) for name in ("prompt", "response_A", "response_B")}


def faults(row: dict[str, Any]) -> list[Fault]:
    """List everything that is wrong with a row `{prompt, response_A, response_B}`."""
    return closed_faults(LLM_JUDGE, FIELDS, row)


class JudgeTransform(FieldTransform):
    """Turn flat rows into `{prompt, response_A, response_B}`; a conversation has one answer and is refused."""

    def __init__(self, settings: RowSettings) -> None:
        super().__init__(LLM_JUDGE, FIELDS, settings)

    def prompt(self) -> str:
        """Return the prompt that both answers are for."""
        prompt: str = self._made["prompt"]
        return prompt

    def _row_faults(self, row: dict[str, Any]) -> list[Fault]:
        return faults(row)

    def _from_conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        sentence = (
            "messages: a conversation has one answer, a judge compares two; give prompt, response_A and response_B"
        )
        return row, [Fault("conversation", sentence)]


LLM_JUDGE: Final = Form(
    name="llm_judge", output="llm_judge.jsonl", required=tuple(FIELDS), optional=(), make=JudgeTransform
)

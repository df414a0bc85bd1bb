"""What a deployment has to answer, and what is told of an answer that is not as it should be."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.deployment.smoke import QUESTION, ask_all
from lambda_handlers.protocol.errors import DeploymentFailed

ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"


class Runtime:
    def __init__(self, text: str, milliseconds: int = 900) -> None:
        self.text, self.milliseconds = text, milliseconds
        self.asked: list[dict[str, Any]] = []

    def converse(self, **request: Any) -> Any:
        self.asked.append(request)
        return {
            "output": {"message": {"content": [{"text": self.text}]}},
            "metrics": {"latencyMs": self.milliseconds},
        }


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        (" ", {}, "gave an empty answer"),
        ("{", {"json": True}, r"was to answer in JSON and answered \"{\""),
        ("Rome", {"matches": "(?i)paris"}, r"matches \(\?i\)paris and answered \"Rome\""),
        ("Paris", {"within_seconds": 0.5}, r"was to answer within 0.5 s and took 0.9 s"),
    ],
)
def test_the_error_names_the_prompt_and_what_was_got(text: str, expected: dict[str, Any], told: str) -> None:
    with pytest.raises(DeploymentFailed, match=rf"{told}.*It was asked \"Capital of France\?\"\."):
        ask_all(Runtime(text), ARN, [{"text": "Capital of France?", **expected}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"not_empty": False}),
        ('{"a": 1}', {"json": True}),
        ("It is Paris.", {"matches": "(?i)paris"}),
        ("Paris", {"within_seconds": 0.9}),
    ],
)
def test_an_answer_as_expected_is_returned(text: str, expected: dict[str, Any]) -> None:
    assert ask_all(Runtime(text), ARN, [{"text": "?", **expected}]) == [text]


def test_every_prompt_is_asked_as_it_was_given() -> None:
    runtime = Runtime("Yes.")
    prompts = [{"text": "One?", "system": "Be brief.", "max_tokens": 9}, {"text": "Two?"}]
    assert ask_all(runtime, ARN, prompts) == ["Yes.", "Yes."]
    first, second = runtime.asked
    assert (first["modelId"], first["system"], first["inferenceConfig"]) == (
        ARN,
        [{"text": "Be brief."}],
        {"maxTokens": 9},
    )
    assert second["messages"] == [{"role": "user", "content": [{"text": "Two?"}]}]
    assert "system" not in second


def test_without_prompts_one_question_is_asked() -> None:
    runtime = Runtime("Yes.")
    ask_all(runtime, ARN, [])
    assert [each["messages"][0]["content"][0]["text"] for each in runtime.asked] == [QUESTION]

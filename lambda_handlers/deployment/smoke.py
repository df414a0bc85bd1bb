"""Ask what serves a model a few questions before anybody depends on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.protocol.errors import DeploymentFailed, TransientServiceError, error_code, from_client_error

QUESTION: Final = "Reply with one short sentence."
MAX_TOKENS: Final = 64
_SHOWN: Final = 200

Prompt = Mapping[str, Any]
"""`text`; may have `system`, `max_tokens`, `not_empty`, `json`, `matches` and `within_seconds`."""


def ask_all(runtime: Any, arn: str, prompts: Sequence[Prompt]) -> list[str]:
    """Return the answers to the prompts, in order; how long each took is what Bedrock says itself (`latencyMs`).

    Raises DeploymentFailed, naming the prompt and what was got, for the first answer that is not as it should be,
    TransientServiceError to try again.
    """
    return [_ask(runtime, arn, prompt) for prompt in prompts or ({"text": QUESTION},)]


def _ask(runtime: Any, arn: str, prompt: Prompt) -> str:
    reply = _reply(runtime, arn, prompt)
    answer = "".join(item.get("text", "") for item in reply["output"]["message"]["content"])
    if wrong := _wrong(prompt, answer, reply):
        raise DeploymentFailed(f"The deployment {arn} {wrong} It was asked {json.dumps(prompt['text'][:_SHOWN])}.")
    return answer


def _reply(runtime: Any, arn: str, prompt: Prompt) -> Mapping[str, Any]:
    system = {"system": [{"text": prompt["system"]}]} if prompt.get("system") else {}
    try:
        reply: Mapping[str, Any] = runtime.converse(
            modelId=arn,
            messages=[{"role": "user", "content": [{"text": prompt["text"]}]}],
            inferenceConfig={"maxTokens": prompt.get("max_tokens", MAX_TOKENS)},
            **system,
        )
    except Exception as error:
        translated = from_client_error(error)
        if isinstance(translated, TransientServiceError):
            raise translated from error
        if error_code(error) == "AccessDeniedException":
            raise
        asked = json.dumps(prompt["text"][:_SHOWN])
        raise DeploymentFailed(f"The deployment {arn} does not answer: {error} It was asked {asked}.") from error
    return reply


def _wrong(prompt: Prompt, answer: str, reply: Mapping[str, Any]) -> str:
    """Return what is wrong with an answer, as a sentence, or nothing."""
    shown = json.dumps(answer[:_SHOWN])
    if prompt.get("not_empty", True) and not answer.strip():
        return "gave an empty answer."
    if prompt.get("json") and not _is_json(answer):
        return f"was to answer in JSON and answered {shown}."
    pattern = prompt.get("matches")
    if pattern and not re.search(pattern, answer):
        return f"was to give an answer that matches {pattern} and answered {shown}."
    limit = prompt.get("within_seconds")
    if limit and reply["metrics"]["latencyMs"] > limit * 1000:
        return f"was to answer within {limit:g} s and took {reply['metrics']['latencyMs'] / 1000:.1f} s."
    return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

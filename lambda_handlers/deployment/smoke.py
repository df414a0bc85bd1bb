"""Ask a deployment one question before anybody depends on it."""

from __future__ import annotations

from typing import Any, Final

from lambda_handlers.protocol.errors import DeploymentFailed, TransientServiceError, error_code, from_client_error

QUESTION: Final = "Reply with one short sentence."
_MAX_TOKENS: Final = 64


def ask(runtime: Any, deployment_arn: str) -> str:
    """Return the deployment's answer; raise DeploymentFailed when there is none, TransientServiceError to try again."""
    try:
        answer = runtime.converse(
            modelId=deployment_arn,
            messages=[{"role": "user", "content": [{"text": QUESTION}]}],
            inferenceConfig={"maxTokens": _MAX_TOKENS},
        )
    except Exception as error:
        translated = from_client_error(error)
        if isinstance(translated, TransientServiceError):
            raise translated from error
        if error_code(error) == "AccessDeniedException":
            raise
        raise DeploymentFailed(f"The deployment {deployment_arn} does not answer: {error}") from error
    text = "".join(item.get("text", "") for item in answer["output"]["message"]["content"])
    if not text.strip():
        raise DeploymentFailed(f"The deployment {deployment_arn} gave an empty answer.")
    return text

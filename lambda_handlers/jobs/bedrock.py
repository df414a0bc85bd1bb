"""What the Amazon Bedrock drivers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lambda_handlers.jobs.driver import DIGEST_TAG, NameTaken
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, error_code, service_errors

_MAYBE_TAKEN: Final = ("ConflictException", "ValidationException", "ServiceQuotaExceededException")
"""What a create call may answer for a name in use: the API reference names no one error, so the name is looked up."""


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in Bedrock's form."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def find(get: Callable[..., Mapping[str, Any]], **identifier: str) -> Mapping[str, Any] | None:
    """Return what a Get call answers, or None if there is nothing of that name."""
    try:
        with service_errors():
            return get(**identifier)
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def digest(arn: str) -> str | None:
    """Return the request digest a resource is tagged with, or None (bedrock:ListTagsForResource)."""
    with service_errors():
        tags = client("bedrock").list_tags_for_resource(resourceARN=arn)["tags"]
    return next((tag["value"] for tag in tags if tag["key"] == DIGEST_TAG), None)


def refusal(name: str, error: Exception, exists: Callable[[], bool]) -> Exception:
    """Return what a refused create call means: NameTaken, QuotaExceeded, InvalidRequest, or the error itself."""
    code = error_code(error)
    if code in _MAYBE_TAKEN and exists():
        return NameTaken(name)
    if code == "ServiceQuotaExceededException":
        return QuotaExceeded(str(error))
    if code == "ValidationException":
        return InvalidRequest(str(error))
    return error


def delete(operation: Callable[..., Any], **identifier: str) -> None:
    """Delete; success if there is nothing, and if it may not be deleted yet (ConflictException)."""
    try:
        with service_errors():
            operation(**identifier)
    except Exception as error:
        if error_code(error) not in ("ResourceNotFoundException", "ConflictException"):
            raise

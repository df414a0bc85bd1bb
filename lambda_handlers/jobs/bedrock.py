"""What the Amazon Bedrock drivers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs.driver import DIGEST_TAG, PREVIOUS_MODEL_TAG, RUN_TAG, UPDATE_TAG, NameTaken
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, error_code, service_errors

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

_MAYBE_TAKEN: Final = ("ConflictException", "ValidationException", "ServiceQuotaExceededException")
"""What a create call may answer for a name in use: the API reference names no one error, so the name is looked up."""


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in Bedrock's form."""
    return [{"key": key, "value": value} for key, value in tags.items()]


Lookup = Callable[[], str | None]
"""Return the ARN of what bears the job's name, or None."""


def find(get: Callable[[str], Mapping[str, Any]], arn: str, lookup: Lookup) -> Mapping[str, Any] | None:
    """Return what a Get call answers about the ARN (looked up if it is empty), or None if there is nothing."""
    known = arn or lookup()
    if not known:
        return None
    try:
        with service_errors():
            return get(known)
    except Exception as error:
        if _is_gone(error, lookup):
            return None
        raise


def digest(arn: str) -> str | None:
    """Return the request digest a resource is tagged with, or None (bedrock:ListTagsForResource)."""
    return tags_of(arn).get(DIGEST_TAG)


def tags_of(arn: str) -> dict[str, str]:
    """Return the tags of a resource (bedrock:ListTagsForResource)."""
    with service_errors():
        tags = client("bedrock").list_tags_for_resource(resourceARN=arn)["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


def made_by(row: JobRow, arn: str | None) -> str | None:
    """Return the ARN of what bears the row's name if the row's run made it, else None (bedrock:ListTagsForResource).

    A name that users chose is every run's: what a later one made under it is not this run's to look at, or to delete.
    """
    if arn is None or not row.named:
        return arn
    try:
        return arn if tags_of(arn).get(RUN_TAG) == row.run_id else None
    except Exception as error:
        # What is somebody else's, or gone by now, carries no tag that would let us read its tags.
        if error_code(error) in ("AccessDeniedException", "ResourceNotFoundException"):
            return None
        raise


def previous_model(arn: str) -> str | None:
    """Return the model that the newest update took from what serves models, or None (bedrock:ListTagsForResource)."""
    return tags_of(arn).get(PREVIOUS_MODEL_TAG)


def updated_by(arn: str) -> str | None:
    """Return the run of the newest update of what serves models, or None (bedrock:ListTagsForResource)."""
    return tags_of(arn).get(UPDATE_TAG)


def begin_update(arn: str, run_id: str, model_arn: str) -> None:
    """Note on what serves models which one a run's update is about to take from it (bedrock:TagResource)."""
    _tag(arn, {PREVIOUS_MODEL_TAG: model_arn, UPDATE_TAG: run_id})


def take_over_update(arn: str, run_id: str) -> None:
    """Note that an update that was begun already is the run's: another that began it, and is over, leaves it alone."""
    if updated_by(arn) != run_id:
        _tag(arn, {UPDATE_TAG: run_id})


def _tag(arn: str, tags: Mapping[str, str]) -> None:
    with service_errors():
        client("bedrock").tag_resource(resourceARN=arn, tags=tag_list(tags))


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


def delete(operation: Callable[[str], Any], arn: str, lookup: Lookup) -> None:
    """Delete; success if there is nothing, and if it may not be deleted yet (ConflictException)."""
    known = arn or lookup()
    if not known:
        return
    try:
        with service_errors():
            operation(known)
    except Exception as error:
        if error_code(error) != "ConflictException" and not _is_gone(error, lookup):
            raise


def _is_gone(error: Exception, lookup: Lookup) -> bool:
    # The policies bind these calls to a tag, which what was deleted no longer carries: the answer is then a denial.
    code = error_code(error)
    return code == "ResourceNotFoundException" or (code == "AccessDeniedException" and lookup() is None)

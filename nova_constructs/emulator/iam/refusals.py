"""Refused calls in the form of each service's protocol."""

from __future__ import annotations

from typing import Any, Final

from moto.core.request import determine_request_protocol
from moto.core.utils import get_service_model
from moto.s3.exceptions import BucketAccessDeniedError
from werkzeug.exceptions import HTTPException

from nova_constructs.emulator.requests import error_response
from nova_constructs.emulator.state import InjectedResponse

# What the query protocols call it; the JSON ones say AccessDeniedException.
_DENIED: Final = {
    "s3": "AccessDenied",
    "sns": "AuthorizationError",
    "sqs": "AccessDenied",
    "iam": "AccessDenied",
    "sts": "AccessDenied",
}
NOT_EVALUATED: Final = "EmulatorCannotEvaluate"
_BAD_REQUEST, _FORBIDDEN = 400, 403


class _RefusedError(HTTPException):
    """The answer to a refused call, already in the service's own form."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(description=body)
        self.code = status


class _S3RefusedError(BucketAccessDeniedError):
    """Moto turns this one into a refusal per key where DeleteObjects does."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(bucket="")
        self.code = code
        self.message = message


def denied(response: Any, message: str) -> Exception:
    """Make the refusal of a known caller."""
    return _refusal(response, _DENIED.get(response.boto3_service_name, "AccessDeniedException"), message)


def unknown_key(response: Any, message: str) -> Exception:
    """Make the refusal of an unknown access key."""
    name = response.boto3_service_name
    if name == "s3":
        unknown = "The AWS Access Key Id you provided does not exist in our records."
        return _S3RefusedError("InvalidAccessKeyId", unknown)
    return _refusal(response, "InvalidClientTokenId" if name in _DENIED else "UnrecognizedClientException", message)


def bad_signature(response: Any, message: str) -> Exception:
    """Make the refusal of a request whose signature is not that of its caller, or too old."""
    return _refusal(response, "SignatureDoesNotMatch", message)


def not_evaluated(response: Any, message: str) -> Exception:
    """Make the failure of a call that the evaluator cannot judge; its code is none of AWS's, so nothing retries it."""
    return _refusal(response, NOT_EVALUATED, message)


def _refusal(response: Any, code: str, message: str) -> Exception:
    name = response.boto3_service_name
    if name == "s3":
        return _S3RefusedError(code, message)
    model = get_service_model(name)
    protocol = determine_request_protocol(model, response.headers.get("Content-Type", ""))
    status = _BAD_REQUEST if protocol == "json" else _FORBIDDEN
    answer = InjectedResponse(code=code, message=message, status=status)
    _, headers, body = error_response(name, protocol, answer)
    response.response_headers.update({key: value for key, value in headers if key != "Content-Length"})
    return _RefusedError(status, body.decode())

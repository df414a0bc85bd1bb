"""Answers that are not objects: `Status`, as the API server words it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "AlreadyExists",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class StatusError(Exception):
    """A refusal; `status` is the object that the caller gets with HTTP status `code`."""

    def __init__(
        self, code: int, message: str, *, reason: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason or _REASONS.get(code, ""),
            **({"details": dict(details)} if details else {}),
            "code": code,
        }


def not_found(resource: str, name: str, group: str = "") -> StatusError:
    """Say that an object does not exist."""
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return StatusError(404, f'{_qualified(resource, group)} "{name}" not found', details=details)


def already_exists(resource: str, name: str, group: str = "") -> StatusError:
    """Say that the name is taken."""
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return StatusError(409, f'{_qualified(resource, group)} "{name}" already exists', details=details)


def unknown_path() -> StatusError:
    """Say that there is nothing of this kind at all."""
    return StatusError(404, "the server could not find the requested resource", details={})


def invalid(kind: str, name: str, causes: Sequence[tuple[str, str, str]], group: str = "") -> StatusError:
    """Refuse an object whose fields have values that are not allowed: (field, reason, message) each."""
    lines = [f"{field}: {message}" for field, _, message in causes]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    details = {
        "name": name,
        **({"group": group} if group else {}),
        "kind": kind,
        "causes": [{"reason": reason, "message": message, "field": field} for field, reason, message in causes],
    }
    return StatusError(422, f'{_qualified(kind, group)} "{name}" is invalid: {text}', details=details)


def success(resource: str, name: str, uid: str, group: str = "") -> dict[str, Any]:
    """Say that an object was deleted."""
    details = {"name": name, **({"group": group} if group else {}), "kind": resource, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource

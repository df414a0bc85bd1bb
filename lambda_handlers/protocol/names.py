"""Names that a retry derives again, so that a create call whose answer was lost finds what it made."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_LIMIT: Final = 20
_HASH_LENGTH: Final = 26
"""Base 32 characters: 130 bits. Service limits shorten it to 19 (95 bits) at the least."""


def job_name(
    *,
    slug: str,
    state_machine_arn: str,
    run_id: str,
    started_at: str,
    stage: str,
    attempt: int,
    limit: int = 63,
    letter_first: bool = False,
) -> str:
    """Return `slug-hash`, the same for the same attempt at the same stage of the same execution.

    `limit` is the service's: 63 for training jobs, custom models and deployments, 40 for HyperPod jobs.
    `letter_first`: services in Kubernetes are named after the job, and their names begin with a letter (RFC 1035).
    Raise ValueError for a slug that is not lower-case letters, digits and single hyphens, at most 20 long.
    """
    if not _SLUG.fullmatch(slug) or len(slug) > _SLUG_LIMIT:
        raise ValueError(f"{slug!r} is not a slug: at most {_SLUG_LIMIT} of a-z, 0-9 and single inner hyphens")
    if letter_first and slug[0].isdigit():
        slug = f"n{slug}"
    digest = _digest(json.dumps([state_machine_arn, run_id, started_at, stage, attempt]))
    return f"{slug}-{digest[: min(_HASH_LENGTH, limit - len(slug) - 1)]}"


def client_token(name: str, *parts: str) -> str:
    """Return the idempotency token of the create call for `name` (Amazon Bedrock: 1-256 letters and digits)."""
    return hashlib.sha256(json.dumps([name, *parts]).encode()).hexdigest()


def canonical(document: Any) -> str:
    """Return the one JSON text of a document: keys sorted, no spaces; raise ValueError for NaN and infinities."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(document: Any) -> str:
    """Return the SHA-256 of a document's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def request_digest(request: Mapping[str, Any]) -> str:
    """Return the SHA-256 that tells one create request from another, in hexadecimal."""
    return sha256(dict(request))


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower().rstrip("=")

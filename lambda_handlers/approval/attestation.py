"""The identity of a caller as AWS attests it: a presigned sts:GetCallerIdentity, checked, then redeemed.

What a caller sends is hostile until proven otherwise. It is taken apart, every part is compared with the one form that
is allowed, and the request that is sent is put together anew: to the endpoint of this function's own Region, with the
headers that follow from what the caller says. So it can neither reach another host nor say another thing.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from xml.etree import ElementTree

from lambda_handlers.approval.approvals import AnswerRefused
from lambda_handlers.approval.binding import LIFETIME_SECONDS, QUERY, Statement
from lambda_handlers.approval.people import Identity
from lambda_handlers.protocol.errors import TransientServiceError

_LONGEST_URL: Final = 8192
"""Session tokens are the long part; AWS gives them no limit, and those of today have up to some 2 KB."""
_LONGEST_ANSWER: Final = 64 * 1024
_SECONDS: Final = 5
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DATE: Final = "%Y%m%dT%H%M%SZ"
_NAMESPACE: Final = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_PARAMETERS: Final = frozenset(
    (
        *QUERY,
        *(f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")),
    )
)
_TOKEN: Final = "X-Amz-Security-Token"
IDENTITY_REFUSED: Final = "IdentityRefused"


@dataclass(frozen=True, slots=True)
class Reply:
    """What STS answered: HTTP status, its own time, and the body."""

    status: int
    date: str
    body: bytes


Send = Callable[[str, str, Mapping[str, str]], Reply]
"""Sends a GET: origin, path with query, headers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attestation:
    """Redeems presigned requests at one endpoint of STS."""

    endpoint: str
    """Origin: scheme, host and port, no more."""
    region: str
    send: Send

    def identity(self, url: object, statement: Statement) -> Identity:
        """Return who signed the request for the statement; raise AnswerRefused if AWS does not say so.

        Raise TransientServiceError where STS cannot be reached.
        """
        parameters = self._checked(url, statement)
        reply = self.send(self.endpoint, f"/?{urlencode(parameters, safe='', quote_via=quote)}", statement.headers())
        if reply.status >= 500 or reply.status == 429:
            raise TransientServiceError(f"AWS STS answered with {reply.status}: try again.")
        if reply.status != 200:
            raise _refused(
                "AWS does not accept the signature for this run, decision and reason "
                f"({_text(reply.body, 'Code') or reply.status})"
            )
        _check_age(parameters, reply.date)
        arn = _text(reply.body, "Arn")
        if arn is None:
            raise _refused("AWS answered without an ARN")
        return Identity.parse(arn)

    def _checked(self, url: object, statement: Statement) -> dict[str, str]:
        """Return the query of the one request that is allowed, or raise AnswerRefused saying what is different."""
        if not isinstance(url, str) or not url or len(url) > _LONGEST_URL:
            raise _refused(f"there is no presigned request of at most {_LONGEST_URL} characters")
        # urlsplit drops some of these silently, so that what is checked would not be what was sent.
        if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url or "#" in url:
            raise _refused("the presigned request has characters that no address has")
        origin, _, query = url.partition("?")
        if origin != f"{self.endpoint}/" or urlsplit(url).query != query:
            raise _refused(f"the presigned request is not for {self.endpoint}/")
        return self._checked_query(query, statement)

    def _checked_query(self, query: str, statement: Statement) -> dict[str, str]:
        pairs = parse_qsl(query, keep_blank_values=True)
        parameters = dict(pairs)
        if len(pairs) != len(parameters) or set(parameters) - {_TOKEN} != _PARAMETERS:
            raise _refused("the presigned request has other parameters than a presigned GetCallerIdentity")
        expected = {**QUERY, "X-Amz-Algorithm": _ALGORITHM, "X-Amz-SignedHeaders": statement.signed_headers()}
        different = [name for name, value in expected.items() if parameters[name] != value]
        day = parameters["X-Amz-Date"][:8]
        scope = rf"\w{{16,128}}/{re.escape(day)}/{re.escape(self.region)}/sts/aws4_request"
        forms = {
            "X-Amz-Credential": scope,
            "X-Amz-Date": r"[0-9]{8}T[0-9]{6}Z",
            "X-Amz-Expires": r"[1-9][0-9]?",
            "X-Amz-Signature": r"[0-9a-f]{64}",
        }
        different += [name for name, form in forms.items() if not re.fullmatch(form, parameters[name], re.ASCII)]
        if not different and int(parameters["X-Amz-Expires"]) > LIFETIME_SECONDS:
            different.append("X-Amz-Expires")
        if different:
            raise _refused(f"the presigned request is not the one that nova makes: {', '.join(sorted(different))}")
        return parameters


def get(origin: str, path: str, headers: Mapping[str, str]) -> Reply:
    """Send a GET that follows no redirect and asks no proxy; raise TransientServiceError if nobody answers."""
    parts = urlsplit(origin)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers.get("Date", ""), answer.read(_LONGEST_ANSWER))
    except (OSError, http.client.HTTPException) as error:
        raise TransientServiceError(f"AWS STS cannot be reached: {type(error).__name__}") from None
    finally:
        connection.close()


def _check_age(parameters: Mapping[str, str], date: str) -> None:
    """Compare with the time that STS tells: neither the caller's clock nor this one decides."""
    try:
        signed = datetime.strptime(parameters["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
        age = (parsedate_to_datetime(date) - signed).total_seconds()
    except (TypeError, ValueError):
        raise _refused("the time at which the request was signed cannot be compared with that of AWS") from None
    if not -LIFETIME_SECONDS <= age <= int(parameters["X-Amz-Expires"]):
        when = f"{age:.0f} seconds ago" if age > 0 else f"{-age:.0f} seconds in the future"
        raise _refused(
            f"the request was signed {when} by the clock of AWS: {LIFETIME_SECONDS} are allowed; "
            "run the command again, and set the clock of your machine if it says this again"
        )


def _text(body: bytes, name: str) -> str | None:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return None
    found = [element.text for element in root.iter() if element.tag.removeprefix(_NAMESPACE) == name]
    return found[0] if len(found) == 1 else None


def _refused(what: str) -> AnswerRefused:
    return AnswerRefused(IDENTITY_REFUSED, f"Your identity could not be established: {what}.")

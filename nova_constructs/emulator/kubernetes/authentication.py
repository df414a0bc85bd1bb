"""Who sends a request: EKS bearer tokens, which are presigned calls of sts:GetCallerIdentity.

The token is redeemed at the emulator's STS, which checks the signature; what EKS itself looks at follows
aws-iam-authenticator (pkg/token): prefix, host, parameters, the signed cluster name, the age of 15 minutes.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from nova_constructs.emulator.kubernetes.access import AccessEntries
from nova_constructs.emulator.kubernetes.status import StatusError

PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"
_VALID = timedelta(minutes=15)
_SECOND = timedelta(seconds=2)
_DATE = "%Y%m%dT%H%M%SZ"
_TIMEOUT = 10.0
_ALLOWED = frozenset(
    ("action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
     "x-amz-signature", "x-amz-signedheaders")
)  # fmt: skip
_HOST = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: the user name and groups that its access entry gives."""

    name: str
    groups: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """A token that was redeemed: whose it is, when it was signed (real time) and first used (the emulator's)."""

    arn: str
    signed: datetime
    used: datetime
    expired: datetime | None = None


@dataclass(slots=True)
class Tokens:
    """The tokens that one cluster has seen.

    STS refuses what was signed more than 15 minutes of real time ago; on the emulator's clock a token lives as long
    from its first use. Signatures change once a second, so that a token is never too old in the second of its signing.
    """

    cluster: str
    endpoint: Callable[[], str]
    now: Callable[[], datetime]
    entries: AccessEntries
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def caller(self, authorization: str) -> Caller:
        """Tell who calls; raises StatusError 401 for anybody who may not enter."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            raise unauthorized()
        arn = self._arn(token.strip())
        entry = self.entries.of(arn)
        if entry is None:
            raise unauthorized()
        return Caller(name=entry.user(arn), groups=(*entry.groups, "system:authenticated"))

    def expire(self) -> None:
        """Let every token that was used so far be too old; one that is signed in this second is refused once."""
        with self._lock:
            for seen in self._seen.values():
                seen.expired = datetime.now(UTC)

    def _arn(self, token: str) -> str:
        with self._lock:
            known = self._seen.get(token)
            if known is not None and self._too_old(known):
                raise unauthorized()
        if known is not None:
            return known.arn
        arn, signed = self._redeem(token)
        with self._lock:
            self._seen[token] = _Seen(arn=arn, signed=signed, used=self.now())
        return arn

    def _too_old(self, known: _Seen) -> bool:
        if known.expired is not None:
            if known.signed >= known.expired.replace(microsecond=0):
                known.expired = None
            return True
        fresh = datetime.now(UTC) - known.signed < _SECOND
        return not fresh and self.now() - known.used > _VALID

    def _redeem(self, token: str) -> tuple[str, datetime]:
        host, query = self._query(token.removeprefix(PREFIX))
        url = f"{self.endpoint()}/?{query}"
        request = urllib.request.Request(url, headers={_CLUSTER_HEADER: self.cluster, "Host": host})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                found = ElementTree.fromstring(answer.read()).find(".//{*}Arn")  # written by moto
        except urllib.error.HTTPError as error:
            error.close()
            raise unauthorized() from None
        if found is None or not found.text:
            raise unauthorized()
        signed = datetime.strptime(parse_qs(query)["X-Amz-Date"][0], _DATE).replace(tzinfo=UTC)
        return found.text, signed

    def _query(self, encoded: str) -> tuple[str, str]:
        """Return host and query of the presigned URL inside a token, if it is one that EKS would redeem."""
        try:
            url = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise unauthorized() from None
        given = {name.lower(): values for name, values in parse_qs(url.query).items()}
        known_host = url.netloc == urlsplit(self.endpoint()).netloc or _HOST.fullmatch(url.netloc)
        signed = given.get("x-amz-signedheaders", [""])[0].split(";")
        fits = (
            known_host
            and url.path in ("", "/")
            and set(given) <= _ALLOWED
            and all(len(values) == 1 for values in given.values())
            and given.get("action") == ["GetCallerIdentity"]
            and _CLUSTER_HEADER in signed
            and {"x-amz-date", "x-amz-credential", "x-amz-signature"} <= set(given)
            and re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", given["x-amz-date"][0])
        )
        if not fits:
            raise unauthorized()
        return url.netloc, url.query


def unauthorized() -> StatusError:
    """Say no more than that the caller is not known, as EKS does."""
    return StatusError(401, "Unauthorized")

"""Who holds an access key: the operator, sessions of roles, users."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.principals import Kind, Principal, role_session
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY

_HOUR = 3600


class InvalidCredentialsError(Exception):
    """An access key that nobody was given, or a session token that does not belong to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    principal: Principal
    token: str


class Sessions:
    """The access keys of one account."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self.operator = Principal(kind=Kind.OPERATOR, account=account, arn=f"arn:aws:iam::{account}:root")

    def issue(self, role_arn: str, session_name: str) -> tuple[str, str, str]:
        """Start a session of a role and give access key, secret key and session token; STS knows it from then on."""
        assumed = sts_backends[self._account]["aws"].assume_role(
            region_name=self._region,
            role_session_name=session_name,
            role_arn=role_arn,
            policy="",
            duration=_HOUR,
            external_id="",
        )
        self._remember(assumed)
        return assumed.access_key_id, assumed.secret_access_key, assumed.session_token

    def find(self, access_key: str, token: str | None) -> Principal:
        """Tell who calls; raises InvalidCredentialsError for keys that were never issued."""
        if access_key == OPERATOR_ACCESS_KEY:
            return self.operator
        session = self._sessions.get(access_key) or self._from_moto(access_key)
        if session is not None:
            if token != session.token:
                raise InvalidCredentialsError("The security token included in the request is invalid.")
            return session.principal
        user = iam_backends[self._account]["aws"].get_user_from_access_key_id(access_key)
        if user is None:
            raise InvalidCredentialsError("The security token included in the request is invalid.")
        return Principal(kind=Kind.USER, account=self._account, arn=user.arn, issuer_arn=user.arn)

    def secret(self, access_key: str) -> str:
        """Give the secret key of an access key that was issued, or an empty text."""
        if access_key == OPERATOR_ACCESS_KEY:
            return OPERATOR_SECRET_KEY
        assumed = sts_backends[self._account]["aws"].get_assumed_role_from_access_key(access_key)
        if assumed is not None:
            return str(assumed.secret_access_key)
        known = iam_backends[self._account]["aws"].access_keys.get(access_key)
        return str(known.secret_access_key) if known else ""

    def clear(self) -> None:
        """Forget every session."""
        with self._lock:
            self._sessions.clear()

    def _from_moto(self, access_key: str) -> _Session | None:
        """Find a session that a caller started through sts:AssumeRole."""
        assumed = sts_backends[self._account]["aws"].get_assumed_role_from_access_key(access_key)
        if assumed is None:
            return None
        if assumed.policy:
            raise EvaluationError("a session policy was given to sts:AssumeRole, which is not evaluated")
        return self._remember(assumed)

    def _remember(self, assumed: Any) -> _Session:
        session = _Session(principal=role_session(assumed.role_arn, assumed.session_name), token=assumed.session_token)
        with self._lock:
            self._sessions[assumed.access_key_id] = session
        return session

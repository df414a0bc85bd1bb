"""Identities as AWS attests them: who may answer, and who is the same person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_ARN: Final = re.compile(r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<resource>.+)")
_KINDS: Final = {"iam": ("user", "role"), "sts": ("assumed-role", "federated-user")}
_IDENTITY_CENTER: Final = "AWSReservedSSO_"
"""How the roles of IAM Identity Center begin; their session name is the user's (IAM Identity Center User Guide,
"Referencing permission sets")."""
_MAY_FEDERATE: Final = {"user", "root", "federated-user"}
"""Who can be behind a federated user, and one itself: roles cannot call sts:GetFederationToken (STS API Reference)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who calls: `arn` is what sts:GetCallerIdentity says; `kind` user, assumed-role, federated-user or root.

    `role` is empty for what is no session of a role.
    """

    arn: str
    account: str
    kind: str
    role: str = ""
    session: str = ""

    @classmethod
    def parse(cls, arn: str) -> Identity:
        """Read an ARN of sts:GetCallerIdentity; one of a form that is not known is kept whole and equals no other."""
        found = _ARN.fullmatch(arn)
        if not found:
            return cls(arn=arn, account="", kind="unknown")
        kind, _, rest = found["resource"].partition("/")
        role, session = "", ""
        if kind == "assumed-role":
            # The path of a role is not told here: names are unique in an account without it.
            role, _, session = rest.partition("/")
        return cls(arn=arn, account=found["account"], kind=kind, role=role, session=session)

    def may_answer(self, approvers: Sequence[str]) -> bool:
        """Say whether one of the approvers is this identity; with none listed, IAM alone has decided."""
        return not approvers or any(self._is(approver) for approver in approvers)

    def same_person(self, other: Identity) -> bool:
        """Say whether both may be the same person.

        Sessions of one role may be: whoever assumes a role names the session. Only in IAM Identity Center is the
        name the user's, so that there it tells people apart, and is one person's under every permission set. A
        federated user may be any user of the account: users call sts:GetFederationToken with a name of their choice.
        """
        if self.arn == other.arn:
            return True
        if self._of_identity_center and other._of_identity_center:
            return self.session == other.session
        if "federated-user" in (self.kind, other.kind):
            return self.account == other.account and {self.kind, other.kind} <= _MAY_FEDERATE
        return bool(self.role) and (self.account, self.role) == (other.account, other.role)

    @property
    def _of_identity_center(self) -> bool:
        return self.role.startswith(_IDENTITY_CENTER)

    def _is(self, approver: str) -> bool:
        found = _ARN.fullmatch(approver)
        if not found or found["account"] != self.account:
            return False
        kind, _, rest = found["resource"].partition("/")
        if kind == "role":
            return bool(self.role) and _like(rest.rsplit("/", 1)[-1], self.role)
        return kind == self.kind and _like(approver, self.arn)


def approver_problems(approvers: Iterable[str]) -> Iterable[str]:
    """Yield why a text names nobody who can be recognized."""
    for approver in approvers:
        found = _ARN.fullmatch(approver)
        kind, _, rest = found["resource"].partition("/") if found else ("", "", "")
        if not found or kind not in _KINDS[found["service"]] or not rest:
            yield (
                f"approvers has {approver!r}: give the ARN of a role or user, arn:aws:iam::111122223333:role/NAME or "
                "…:user/NAME, or of a session, arn:aws:sts::111122223333:assumed-role/NAME/SESSION; * in a name "
                "stands for anything"
            )
        elif kind == "role" and "/" in rest and "*" in rest:
            yield f"approvers has {approver!r}: AWS attests no path of a role; give the name alone, role/NAME*"


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None

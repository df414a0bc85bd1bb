"""What a presigned GetCallerIdentity is bound to, so that it says one thing of one run and nothing else.

The caller signs these headers with their own credentials; whoever redeems the request sends the headers that follow
from what is claimed. STS refuses the signature if they differ. The same way EKS and Vault tell who calls them (source:
kubernetes-sigs/aws-iam-authenticator, README, "How does it work?").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_handlers.protocol.names import sha256

APPROVE: Final = "approve"
REJECT: Final = "reject"
START: Final = "start"
PREFIX: Final = "x-nova-"
QUERY: Final = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
"""The only request of STS that is made of what a caller sends."""
LIFETIME_SECONDS: Final = 60
"""How old a presigned request may be. STS itself takes one for 15 minutes, whatever its X-Amz-Expires says (source:
aws-iam-authenticator, pkg/token)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What somebody says of a run: `approve`, `reject`, or `start` for who asks for it."""

    workflow: str
    """ARN of the state machine: a run id is unique only there."""
    run_id: str
    decision: str
    reason: str = ""

    def headers(self) -> dict[str, str]:
        """Return the headers that are signed; the reason as its SHA-256, since a header holds no free text."""
        return {
            f"{PREFIX}decision": self.decision,
            f"{PREFIX}reason": sha256(self.reason),
            f"{PREFIX}run": self.run_id,
            f"{PREFIX}workflow": self.workflow,
        }

    def signed_headers(self) -> str:
        """Return the names as they stand in X-Amz-SignedHeaders."""
        return ";".join(sorted(("host", *self.headers())))


def sts_endpoint(region: str, configured: str | None = None) -> str:
    """Return the origin of STS in a Region, or the `configured` one (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL)."""
    return (configured or f"https://sts.{region}.amazonaws.com").rstrip("/")

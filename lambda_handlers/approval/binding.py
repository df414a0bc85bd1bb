"""What a presigned GetCallerIdentity is bound to, so that it says one thing of one run and nothing else.

The caller signs these headers with their own credentials; whoever redeems the request sends the headers that follow
from what is claimed. STS refuses the signature if they differ. The same way EKS and Vault tell who calls them (source:
kubernetes-sigs/aws-iam-authenticator, README, "How does it work?").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lambda_handlers.protocol.names import sha256

APPROVE: Final = "approve"
REJECT: Final = "reject"
START: Final = "start"
_GLOBAL: Final = "https://sts.amazonaws.com"
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
    """Return the origin of STS in a Region, or the one that is configured for the AWS clients of this process."""
    return (configured or f"https://sts.{region}.amazonaws.com").rstrip("/")


def endpoint_of(presigned: str, region: str) -> str:
    """Return the origin of a URL that the own client of STS has presigned, the Region's for that of all Regions.

    An SDK may still take the global endpoint for some Regions (SDK reference, AWS STS Regional endpoints), while
    people's requests are for the Region's.
    """
    scheme, host, *_ = urlsplit(presigned)
    origin = f"{scheme}://{host}"
    return sts_endpoint(region, None if origin == _GLOBAL else origin)

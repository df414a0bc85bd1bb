"""What the emulator's IAM does not do, for the docs and for `nova`."""

from __future__ import annotations

from typing import Final

NOT_EVALUATED: Final[tuple[tuple[str, str], ...]] = (
    ("service control and resource control policies", "ignored: the emulator has no organization"),
    ("permissions boundaries", "a call by a role that has one fails; those of users are ignored"),
    ("session policies", "a call by a session that was given one fails"),
    ("session tags, source identity, MFA, federation", "sts:AssumeRole with tags fails; other operations are unknown"),
    ("condition keys that the emulator does not fill", "a call whose decision needs one fails"),
    ("operations without a row in the action table", "fail for every caller but the operator"),
    ("KMS grants", "ignored; keys that AWS manages need no permission, as on AWS"),
    ("ACLs, access points, S3 Object Ownership, public access block", "ignored: buckets belong to one account"),
    ("VPC endpoint policies", "ignored: the emulator has no network"),
    ("policies of resources that AWS owns", "taken as open: JumpStart, escrow, Nova image registries, public hub"),
    ("SecureString parameters", "PutParameter fails; GetParameter checks no key"),
    ("KMS keys of state machines, log groups, functions and event buses", "ignored for the caller"),
    ("request signatures and expiry of sessions", "not checked; access key and session token must belong together"),
    ("aws:SecureTransport", "always true, though the emulator listens on loopback without TLS"),
)
"""(What, how the emulator behaves) of each part of IAM that is not evaluated as AWS does."""

"""How the checkpoint of a Nova model is addressed: in a bucket of Amazon's that only services can use.

Sources: Amazon Nova user guide and the SDK's own reading of these addresses. The bucket is
`customer-escrow-ACCOUNT-smtj-ID` of training jobs and `customer-escrow-ACCOUNT-hp-ID` of HyperPod; some have no
platform in their name. A checkpoint can be used on its own platform only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lambda_handlers.catalog.platforms import Platform

CHECKPOINT_FORM: Final = "s3://customer-escrow-ACCOUNT-smtj-ID/… (of HyperPod: customer-escrow-ACCOUNT-hp-ID)"
"""The form of a checkpoint's address, for people."""

ESCROW_MARKS: Final[Mapping[Platform, str]] = MappingProxyType({Platform.SMTJ: "smtj", Platform.SMHP: "hp"})
"""What the name of the bucket has in it, by the platform that made the checkpoint."""

_CHECKPOINT: Final = re.compile(
    r"s3://customer-escrow-\d+(?:-(?P<platform>smtj|smhp|hp))?(?:-[a-z0-9.-]*[a-z0-9])?/\S*[^\s/]/?"
)
_PLATFORMS: Final[Mapping[str, Platform]] = MappingProxyType(
    {"smtj": Platform.SMTJ, "hp": Platform.SMHP, "smhp": Platform.SMHP}
)


def is_checkpoint(uri: str) -> bool:
    """Return whether an address has the form of a checkpoint's."""
    return bool(_CHECKPOINT.fullmatch(uri))


def checkpoint_platform(uri: str) -> Platform | None:
    """Return the platform that made a checkpoint, or None where its address does not tell."""
    found = _CHECKPOINT.fullmatch(uri)
    return _PLATFORMS.get(found["platform"]) if found and found["platform"] else None

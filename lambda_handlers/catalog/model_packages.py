"""How a model package of Amazon SageMaker is addressed, and which of them Amazon Bedrock makes a custom model of.

Sources: Amazon Bedrock API reference (CreateCustomModel, ModelPackageArnDataSource: a package of the restricted type;
whoever imports it needs `sagemaker:DescribeModelPackage` and `sagemaker:AccessModelPackageData` on it, and no role is
handed over), Amazon SageMaker API reference (DescribeModelPackage, CreateModelPackageGroup).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PACKAGE_FORM: Final = "arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION"
"""The form of a model package's ARN, for people."""
RESTRICTED: Final = "Restricted"
"""`ManagedStorageType` of a package that training jobs leave, whose model only services can read."""
COMPLETED: Final = "Completed"
"""`ModelPackageStatus` of a package that can be used."""
REJECTED: Final = "Rejected"
"""`ModelApprovalStatus` of a package that somebody refused."""
IMPORT_ACTIONS: Final = ("sagemaker:DescribeModelPackage", "sagemaker:AccessModelPackageData")
"""What importing a package asks of the caller, on the package."""

_GROUP: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]{9,16}):(?P<account>[0-9]{12}):"
    r"model-package/(?P<group>[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/[0-9]{1,9}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageAddress:
    """What the ARN of a model package tells."""

    region: str
    account: str
    group: str


def package_address(arn: str) -> PackageAddress | None:
    """Return what an ARN tells of a version of a model package group, None where it is no such ARN."""
    found = _ARN.fullmatch(arn)
    return PackageAddress(**found.groupdict()) if found else None


def is_group_name(name: str) -> bool:
    """Return whether a model package group can have this name."""
    return bool(_GROUP.fullmatch(name))


def resource_name(group: str) -> str:
    """Return the last part of the ARNs of a group's packages, in which SageMaker writes names in lower case."""
    return f"{group.lower()}/*"

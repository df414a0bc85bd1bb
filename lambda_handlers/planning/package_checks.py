"""Check the model package that a run is to deploy: that it may be, is there, and is one that can be imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambda_handlers.catalog import model_packages
from lambda_handlers.catalog.model_packages import PackageAddress
from lambda_handlers.planning.context import RunContext
from lambda_handlers.protocol.errors import error_code, service_errors

_DENIED = ("AccessDenied", "AccessDeniedException")


def check_package(context: RunContext, arn: str) -> bool:
    """Return whether a run may import the package; what is wrong with it is noted."""
    address = model_packages.package_address(arn)
    if address is None:
        context.findings.problem(f'model_package: received "{arn}"; allowed: {model_packages.PACKAGE_FORM}')
        return False
    problems = list(_elsewhere(context, address))
    if not problems:
        problems = list(_unusable(context, arn))
    for problem in problems:
        context.findings.problem(f"model_package: {problem}")
    return not problems


def _elsewhere(context: RunContext, address: PackageAddress) -> Iterator[str]:
    """Yield why the functions may not touch a package, which their policies name by its group."""
    region, account = context.places.region, str(context.execution["state_machine"]).split(":")[4]
    if (address.region, address.account) != (region, account):
        yield (
            f"received a package of account {address.account} in {address.region}; allowed: one of account {account} "
            f"in {region}; copy it there, or run in a customization deployed beside it"
        )
        return
    groups = (context.config.get("deployment") or {}).get("model_package_groups") or ()
    if address.group.lower() not in {str(group).lower() for group in groups}:
        known = ", ".join(groups) or "none"
        yield (
            f"received one of group {address.group}; allowed: {known}; add the group to model_package_groups of the "
            "customization's deployment"
        )


def _unusable(context: RunContext, arn: str) -> Iterator[str]:
    try:
        with service_errors():
            package = context.account.sagemaker.describe_model_package(ModelPackageName=arn)
    except Exception as error:
        if error_code(error) in ("ValidationException", "ResourceNotFound"):
            yield f"{arn} does not exist; list those of its group with `aws sagemaker list-model-packages`"
            return
        if error_code(error) in _DENIED:
            yield f"{arn} cannot be seen, since sagemaker:DescribeModelPackage on it is denied"
            return
        raise
    yield from _states(arn, package)


def _states(arn: str, package: Mapping[str, Any]) -> Iterator[str]:
    status, approval = package["ModelPackageStatus"], package.get("ModelApprovalStatus")
    if status != model_packages.COMPLETED:
        yield f"{arn} is {status}; only a package that is {model_packages.COMPLETED} can be imported"
    if approval == model_packages.REJECTED:
        yield f"{arn} was rejected in the model registry; approve it there first, or name another"
    if package.get("ManagedStorageType") != model_packages.RESTRICTED:
        yield (
            f"{arn} is not of the restricted type; Amazon Bedrock imports only packages that SageMaker made of its own "
            "training of a Nova model"
        )

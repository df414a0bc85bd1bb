"""What functions may do to the model packages of the groups that a customization deploys from."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack

from lambda_handlers.catalog.model_packages import IMPORT_ACTIONS, resource_name
from nova_constructs.handler_function import HandlerFunction


def allow_importing(function: HandlerFunction, groups: Sequence[str]) -> None:
    """Let a function import packages, which Amazon Bedrock reads in its caller's name."""
    if groups:
        function.allow("ImportPackages", list(IMPORT_ACTIONS), _packages(function, groups))


def allow_seeing(function: HandlerFunction, groups: Sequence[str]) -> None:
    """Let a function see packages."""
    if groups:
        function.allow("SeePackages", ["sagemaker:DescribeModelPackage"], _packages(function, groups))


def _packages(function: HandlerFunction, groups: Sequence[str]) -> list[str]:
    stack = Stack.of(function)
    return [
        stack.format_arn(service="sagemaker", resource="model-package", resource_name=resource_name(group))
        for group in groups
    ]

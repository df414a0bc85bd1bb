"""Whether the ARN of a function of the user's own can be used by the jobs of a stack."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Stack, Token
from constructs import Construct

from lambda_handlers.checks.function import EXAMPLE_ARN, FUNCTION_ARN


def function_problems(scope: Construct, what: str, arn: str) -> Iterable[str]:
    """Yield what is wrong with an ARN given as `what`: not one of a function, or of another Region than the stack's."""
    if Token.is_unresolved(arn):
        return
    found, region = FUNCTION_ARN.fullmatch(arn), Stack.of(scope).region
    if found is None:
        yield f"{what} is {arn!r}: use the ARN of a Lambda function, such as {EXAMPLE_ARN}"
    elif not Token.is_unresolved(region) and found["region"] != region:
        yield f"{what} is in {found['region']}, the stack in {region}: use a function of the same Region"

"""Whether the ARN of a function of the user's own can be used by the jobs of a stack."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from aws_cdk import Stack, Token
from constructs import Construct

# A function or a version or alias of it (Lambda API reference, FunctionName).
_FUNCTION_ARN: Final = re.compile(r"arn:[\w-]+:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[\w-]{1,64}(:[\w$-]+)?")


def function_problems(scope: Construct, what: str, arn: str) -> Iterable[str]:
    """Yield what is wrong with an ARN given as `what`: not one of a function, or of another Region than the stack's."""
    if Token.is_unresolved(arn):
        return
    found, region = _FUNCTION_ARN.fullmatch(arn), Stack.of(scope).region
    if found is None:
        yield (
            f"{what} is {arn!r}: use the ARN of a Lambda function, such as "
            "arn:aws:lambda:us-east-1:111122223333:function:score-answers"
        )
    elif not Token.is_unresolved(region) and found["region"] != region:
        yield f"{what} is in {found['region']}, the stack in {region}: use a function of the same Region"

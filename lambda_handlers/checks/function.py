"""A Lambda function that scores answers: that it is there, can be called, and is where the jobs are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.checks.findings import Findings
from lambda_handlers.protocol.errors import error_code, service_errors

# A function or a version or alias of it (Lambda API reference, FunctionName).
FUNCTION_ARN: Final = re.compile(r"arn:[\w-]+:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[\w-]{1,64}(:[\w$-]+)?")
# The code of a version never changes, that of a function or an alias does (Lambda developer guide, versions).
_VERSION: Final = re.compile(r".*:function:[^:]+:\d+")
EXAMPLE_ARN: Final = "arn:aws:lambda:us-east-1:111122223333:function:score-answers"


def functions_called(job: Mapping[str, Any]) -> list[str]:
    """Return the ARNs of the functions that a job of these settings calls."""
    found = (job.get("reward_function"), (job.get("processor") or {}).get("function_arn"))
    return [arn for arn in found if arn]


def code_of(job: Mapping[str, Any]) -> list[str] | None:
    """Return what tells the code of the functions that a job calls: their ARNs, None where one is not of a version."""
    found = functions_called(job)
    return found if all(_VERSION.fullmatch(arn) for arn in found) else None


def check(findings: Findings, functions: Any, arn: str, region: str) -> str | None:
    """Note why jobs of the Region cannot call a function; a warning where it may not be looked at.

    Return what its code and settings are known by, None where they are not known. Whether the jobs' role may call it is
    among the role's needs.
    """
    found = FUNCTION_ARN.fullmatch(arn)
    if found is None:
        findings.problem(f"The function {arn!r} has no ARN of a Lambda function: use one such as {EXAMPLE_ARN}.")
        return None
    if found["region"] != region:
        findings.problem(f"The function {arn} is in another Region than the jobs: give one of {region}.")
        return None
    try:
        with service_errors():
            function = functions.get_function_configuration(FunctionName=arn)
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            findings.problem(f"The function {arn} does not exist.")
        elif error_code(error) in ("AccessDenied", "AccessDeniedException"):
            findings.warn(f"The function {arn} was not checked: lambda:GetFunctionConfiguration is denied.")
        else:
            raise
        return None
    _judge(findings, arn, function.get("State", "Active"), function.get("StateReason"))
    # The code of an alias is that of its version; what is set beside the code changes the time.
    marks = [function.get(name) for name in ("CodeSha256", "LastModified", "Version")]
    return " ".join(map(str, marks)) if all(marks) else None


def _judge(findings: Findings, arn: str, state: str, reason: str | None) -> None:
    if state == "Inactive":
        # Lambda sets an idle function up again when it is called, and that call fails.
        findings.warn(f"The function {arn} is Inactive: call it once, so that the first call of a job does not fail.")
    elif state != "Active":
        advice = "wait until it is Active" if state == "Pending" else "put it right"
        findings.problem(f"The function {arn} is {state}{f' ({reason})' if reason else ''}: {advice}.")

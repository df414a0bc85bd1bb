"""The execution role: that it is there, that SageMaker may take it, that it is allowed what its jobs need.

Permissions are asked of IAM itself, which knows of Deny, boundaries and service control policies; a list of
Allow statements would not. It knows of no resource policies (a bucket's, a key's): those only the job itself meets.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.role_needs import Need
from lambda_handlers.protocol.errors import error_code, service_errors

SERVICE: Final = "sagemaker.amazonaws.com"
_DENIED: Final = ("AccessDenied", "AccessDeniedException")


def check(findings: Findings, iam: Any, *, role_arn: str, needs: Sequence[Need]) -> None:
    """Note what is wrong with a role; a warning where IAM does not let us see it."""
    try:
        with service_errors():
            role = iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])["Role"]
    except Exception as error:
        if error_code(error) == "NoSuchEntity":
            findings.problem(f"The execution role {role_arn} does not exist.")
        elif error_code(error) in _DENIED:
            findings.warn(f"The trust of the execution role {role_arn} was not checked: iam:GetRole is denied.")
            _check_permissions(findings, iam, role_arn, needs)
        else:
            raise
        return
    if role["Arn"] != role_arn:
        findings.problem(f"The execution role {role_arn} does not exist; there is {role['Arn']}.")
        return
    _check_trust(findings, role_arn, role["AssumeRolePolicyDocument"])
    _check_permissions(findings, iam, role_arn, needs)


def _check_trust(findings: Findings, role_arn: str, document: Mapping[str, Any]) -> None:
    account = role_arn.split(":")[4]
    about = [each for each in _listed(document.get("Statement")) if _is_about_taking(each)]
    fitting = [each for each in about if _holds(each, account)]
    if any(each["Effect"] == "Deny" for each in fitting):
        findings.problem(f"The execution role {role_arn} denies {SERVICE} to take it: remove the Deny from its trust.")
    elif not any(each["Effect"] == "Allow" for each in fitting):
        what = f"The execution role {role_arn} cannot be taken by {SERVICE}"
        findings.problem(f"{what}: let its trust policy allow that service sts:AssumeRole for account {account}.")
    elif not all(_is_limited(each) for each in fitting if each["Effect"] == "Allow"):
        what = f"The execution role {role_arn} can be taken by {SERVICE} for jobs of any account"
        findings.warn(f"{what}: let its trust policy require that aws:SourceAccount is {account}.")


def _is_about_taking(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") if isinstance(principal, Mapping) else None
    named = principal == "*" or SERVICE in _listed(services)
    return named and any(
        fnmatch.fnmatchcase("sts:assumerole", str(a).lower()) for a in _listed(statement.get("Action"))
    )


def _holds(statement: Mapping[str, Any], account: str) -> bool:
    """Say whether a statement's conditions hold for a training job of the account.

    The source's ARN is known only once the job is there; so it holds for any job of the account. Other keys count as
    met in an Allow, and as not met in a Deny: only the service can tell.
    """
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, wanted in keys.items():
            if key.lower() == "aws:sourceaccount":
                matched = any(fnmatch.fnmatchcase(account, str(each)) for each in _listed(wanted))
                if matched == ("Not" in operator):
                    return False
            elif key.lower() == "aws:sourcearn" and "Not" not in operator:
                if not any(_may_name(account, str(each)) for each in _listed(wanted)):
                    return False
            elif statement["Effect"] == "Deny":
                return False
    return True


def _is_limited(statement: Mapping[str, Any]) -> bool:
    """Say whether a statement that holds for this account has a condition that keeps other accounts out."""
    conditions = (statement.get("Condition") or {}).items()
    named = ((operator, key.lower(), values) for operator, keys in conditions for key, values in keys.items())
    return any(
        "Not" not in operator and not operator.endswith("IfExists") and not any("*" in _account(key, v) for v in values)
        for operator, key, values in ((operator, key, _listed(given)) for operator, key, given in named)
        if key in ("aws:sourceaccount", "aws:sourcearn")
    )


def _account(key: str, value: Any) -> str:
    """Return the account that a value of the condition key names, or its pattern."""
    if key == "aws:sourceaccount":
        return str(value)
    parts = str(value).split(":", 5)
    return parts[4] if len(parts) > 4 else "*"


def _may_name(account: str, pattern: str) -> bool:
    parts = pattern.split(":", 5)
    return len(parts) < 6 or (fnmatch.fnmatchcase("sagemaker", parts[2]) and fnmatch.fnmatchcase(account, parts[4]))


def _check_permissions(findings: Findings, iam: Any, role_arn: str, needs: Iterable[Need]) -> None:
    for need in needs:
        try:
            results = list(_evaluated(iam, role_arn, need))
        except Exception as error:
            if error_code(error) not in _DENIED:
                raise
            missing = "iam:SimulatePrincipalPolicy is denied"
            findings.warn(f"The permissions of the execution role {role_arn} were not checked: {missing}.")
            return
        _judge(findings, role_arn, need, results)


def _evaluated(iam: Any, role_arn: str, need: Need) -> Iterator[Mapping[str, Any]]:
    """Ask for one resource at a time, so that each answer is about one action on one resource."""
    request: dict[str, Any] = {
        "PolicySourceArn": role_arn,
        "ActionNames": list(need.actions),
        "ResourceArns": [need.resource],
        "ContextEntries": [
            {
                "ContextKeyName": key,
                "ContextKeyValues": [value],
                "ContextKeyType": "boolean" if value in ("true", "false") else "string",
            }
            for key, value in need.context.items()
        ],
    }
    while True:
        with service_errors():
            answer = iam.simulate_principal_policy(**request)
        yield from answer["EvaluationResults"]
        if not answer.get("IsTruncated"):
            return
        request["Marker"] = answer["Marker"]


def _judge(findings: Findings, role_arn: str, need: Need, results: Sequence[Mapping[str, Any]]) -> None:
    decided = {str(each["EvalActionName"]).lower(): each for each in results}
    for action in need.actions:
        found = decided.get(action.lower())
        if found is None:
            findings.warn(f"IAM did not say whether the execution role {role_arn} may {action} on {need.resource}.")
        elif found["EvalDecision"] != "allowed":
            _refused(findings, role_arn, need, action, found)


def _refused(findings: Findings, role_arn: str, need: Need, action: str, found: Mapping[str, Any]) -> None:
    what = f"The execution role {role_arn} cannot {need.purpose}: {action} on {need.resource}"
    missing = found.get("MissingContextValues") or ()
    if found["EvalDecision"] == "explicitDeny":
        sources = ", ".join(sorted({str(each.get("SourcePolicyId")) for each in found.get("MatchedStatements") or ()}))
        findings.problem(f"{what} is denied by {sources or 'a policy'}: remove the Deny.")
    elif missing:
        findings.warn(f"{what} depends on {', '.join(missing)}, which only the service knows.")
    elif (found.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations") is False:
        findings.problem(f"{what} is not allowed by a policy of the organization.")
    elif (found.get("PermissionsBoundaryDecisionDetail") or {}).get("AllowedByPermissionsBoundary") is False:
        findings.problem(f"{what} is not allowed by the role's permissions boundary.")
    else:
        findings.problem(f"{what} is not allowed: add it to the role's policies.")


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

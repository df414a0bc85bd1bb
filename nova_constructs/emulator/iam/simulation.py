"""`iam:SimulatePrincipalPolicy`, which moto lacks: the same evaluator, asked without a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.parse import XFormedDict
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from nova_constructs.emulator.iam.actions.call import ContextValues
from nova_constructs.emulator.iam.context import Context, Family, Value
from nova_constructs.emulator.iam.documents import PolicyKind, parse_document
from nova_constructs.emulator.iam.engine import Engine
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.evaluator import Decision, Policy, Request, evaluate
from nova_constructs.emulator.iam.identity_policies import find_role, identity_policies
from nova_constructs.emulator.iam.principals import Kind, Principal, role_session
from nova_constructs.emulator.patches import Patches


class SimulationError(ServiceException):
    """An error of the operation, by its code in IAM's model; moto wants a class outside its own core."""


def install(engine: Engine, patches: Patches) -> None:
    """Add the operation to moto's IAM."""

    def simulate_principal_policy(response: Any) -> ActionResult:
        params = response.params
        asked = params.original_dict() if isinstance(params, XFormedDict) else dict(params)
        return ActionResult({"EvaluationResults": simulate(engine, asked), "IsTruncated": False})

    patches.replace(IamResponse, "simulate_principal_policy", simulate_principal_policy)


def simulate(engine: Engine, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give one result per action and resource; as on AWS, resource policies count only if the caller passes one."""
    principal = _principal(engine, asked["PolicySourceArn"])
    identity = [*identity_policies(principal), *_given(asked.get("PolicyInputList"))]
    resource_policy = _resource_policy(asked.get("ResourcePolicy"))
    results = []
    for action in asked["ActionNames"]:
        for resource in asked.get("ResourceArns") or ["*"]:
            request = Request(principal=principal, action=action, resource=resource, context=_context(principal, asked))
            results.append(_result(request, _decided(request, identity, resource_policy)))
    return results


def _decided(request: Request, identity: list[Policy], resource_policy: Policy | None) -> Decision:
    try:
        return evaluate(request, identity, resource_policy)
    except EvaluationError as error:
        raise SimulationError("PolicyEvaluation", str(error)) from None


def _principal(engine: Engine, arn: str) -> Principal:
    if ":role/" in arn:
        if find_role(arn) is None:
            raise SimulationError("NoSuchEntity", f"The role with name {arn.rsplit('/', 1)[-1]} cannot be found.")
        return role_session(arn, "simulation")
    if ":user/" in arn:
        return Principal(kind=Kind.USER, account=engine.account, arn=arn, issuer_arn=arn)
    raise SimulationError("InvalidInput", f"{arn} is neither a role nor a user.")


def _given(documents: Any) -> list[Policy]:
    kind = PolicyKind.IDENTITY
    return [
        Policy(name=f"PolicyInputList.{number}", kind=kind, statements=parse_document(text, kind))
        for number, text in enumerate(documents or (), start=1)
    ]


def _resource_policy(text: str | None) -> Policy | None:
    if not text:
        return None
    return Policy(name="ResourcePolicy", kind=PolicyKind.RESOURCE, statements=parse_document(text, PolicyKind.RESOURCE))


def _context(principal: Principal, asked: Mapping[str, Any]) -> Context:
    values: dict[str, Value] = {}
    for entry in asked.get("ContextEntries") or ():
        listed = tuple(entry["ContextKeyValues"])
        values[entry["ContextKeyName"]] = listed if entry["ContextKeyType"].endswith("List") else listed[0]
    caller: ContextValues = {"aws:PrincipalArn": principal.issuer_arn, "aws:PrincipalAccount": principal.account}
    return Context({**caller, **values}, _families(values))


def _families(values: Mapping[str, Value]) -> dict[str, Family]:
    """Let tags given as context entries be found like those of a call."""
    texts = {key: value for key, value in values.items() if isinstance(value, str)}

    def members(prefix: str) -> Family:
        return lambda: {key[len(prefix) :]: text for key, text in texts.items() if key.lower().startswith(prefix)}

    prefixes = ("aws:requesttag/", "aws:resourcetag/", "aws:principaltag/", "kms:encryptioncontext:")
    return {prefix: members(prefix) for prefix in prefixes}


def _result(request: Request, decision: Decision) -> dict[str, Any]:
    source = decision.statement
    matched = [{"SourcePolicyId": source[0], "SourcePolicyType": "IAM Policy"}] if source else []
    return {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.effect.value,
        "MatchedStatements": matched,
        "MissingContextValues": [],
    }

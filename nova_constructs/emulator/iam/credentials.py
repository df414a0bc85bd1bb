"""Sessions of roles that AWS services start, as the roles' trust policies allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nova_constructs.emulator.iam.actions import Need
from nova_constructs.emulator.iam.actions.call import ContextValues
from nova_constructs.emulator.iam.engine import current
from nova_constructs.emulator.iam.principals import service
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY

Keys = tuple[str, str, str]

operator: Final[Keys] = (OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, "")


def for_role(role_arn: str, service_principal: str, session_name: str, source_arn: str | None = None) -> Keys:
    """Let a service assume a role and give access key, secret key and session token.

    The trust policy sees the account as aws:SourceAccount and `source_arn` as aws:SourceArn. Raises AccessDeniedError
    when it does not let the service in, EvaluationError when it cannot be judged.
    """
    engine = current()
    caller = service(service_principal, engine.account)
    need = Need(action="sts:AssumeRole", resource=role_arn)
    engine.authorizer.check(caller, [need], source="sts:AssumeRole", common=source_context(source_arn))
    return engine.sessions.issue(role_arn, session_name)


def check(keys: Keys, action: str, resource: str) -> None:
    """Check an action that a service takes in a session without an API call; recorded like one.

    Raises AccessDeniedError when the session may not, EvaluationError when it cannot be judged.
    """
    engine = current()
    principal = engine.sessions.find(keys[0], keys[2])
    engine.authorizer.check(principal, [Need(action=action, resource=resource)], source=action)


def source_context(source_arn: str | None) -> ContextValues:
    """Give the condition keys that name the resource for which a service acts."""
    context: Mapping[str, Any] = {
        "aws:SourceAccount": current().account,
        "aws:SourceOwner": current().account,
        "aws:SourceArn": source_arn,
    }
    return context


def boto_client_as(
    role_arn: str,
    service_principal: str,
    service_name: str,
    source_arn: str | None = None,
    session_name: str | None = None,
) -> Any:
    """Give a boto3 client that acts under a role which a service has assumed."""
    # Imported late: the emulator's clients need boto3, which nothing else here does.
    from nova_constructs.emulator.aws import client_as

    name = session_name or service_principal.split(".")[0].title()
    return client_as(current().state, service_name, for_role(role_arn, service_principal, name, source_arn))

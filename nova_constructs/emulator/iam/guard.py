"""Puts the evaluator in front of every API call: moto asks one method, which is replaced here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.parse import XFormedDict
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from nova_constructs.emulator.iam import attesting, refusals, simulation
from nova_constructs.emulator.iam.actions import ApiCall, Need, S3Request, needs, s3_needs
from nova_constructs.emulator.iam.actions.call import ContextValues
from nova_constructs.emulator.iam.engine import Engine, use
from nova_constructs.emulator.iam.errors import AccessDeniedError, EvaluationError
from nova_constructs.emulator.iam.principals import Kind, Principal
from nova_constructs.emulator.iam.sessions import InvalidCredentialsError
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState, Undo

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")
# IAM prefixes that differ from the names of boto3's clients.
_PREFIXES: Final = {
    "stepfunctions": "states",
    "bedrock-runtime": "bedrock",
    "service-quotas": "servicequotas",
    "dynamodbstreams": "dynamodb",
}


def install(state: EmulatorState) -> Undo:
    """Evaluate every call from now on; the recorder becomes `state.calls`."""
    engine = Engine(state)
    patches = Patches()
    forget = use(engine)
    patches.replace(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", _hook(engine))
    patches.replace(FakeBucket, "get_permission", lambda *_args: PermissionResult.NEUTRAL)
    simulation.install(engine, patches)
    attesting.install(engine.sessions, lambda response: _caller(engine, response), patches)
    state.on_reset(engine.reset)

    def undo() -> None:
        patches.undo()
        forget()

    return undo


def _hook(engine: Engine) -> Callable[..., None]:
    def authorize(response: Any, _iam_request_cls: type, resource: str = "*") -> None:
        """Stand in for moto's own check; `resource` is moto's and only S3's is of use."""
        try:
            principal = _caller(engine, response)
            if principal.kind is not Kind.OPERATOR:
                _check(engine, principal, response, resource)
        except InvalidCredentialsError as error:
            raise refusals.unknown_key(response, str(error)) from None
        except AccessDeniedError as error:
            raise refusals.denied(response, str(error)) from None
        except EvaluationError as error:
            raise refusals.not_evaluated(response, str(error)) from None

    return authorize


def _caller(engine: Engine, response: Any) -> Principal:
    # Presigned requests carry their credentials in the query string: version 4 signatures, and S3's older form.
    query = {name.lower(): value for name, value in parse_qsl(response.parsed_url.query)}
    found = _CREDENTIAL.search(response.headers.get("Authorization", ""))
    signer = query.get("x-amz-credential", "").split("/")[0] or query.get("awsaccesskeyid", "")
    access_key = found.group(1) if found else signer
    if not access_key:
        raise InvalidCredentialsError("The request is not signed; the emulator serves no anonymous callers.")
    token = response.headers.get("X-Amz-Security-Token") or query.get("x-amz-security-token")
    return engine.sessions.find(access_key, token)


def _check(engine: Engine, principal: Principal, response: Any, resource: str) -> None:
    source = f"{_prefix(response)}:{_operation(response)}"
    try:
        wanted = _needs(engine, response, resource)
    except EvaluationError as error:
        engine.authorizer.record_error(principal, source, error)
        raise
    engine.authorizer.check(principal, wanted, source=source, common=_common(response))


def _needs(engine: Engine, response: Any, resource: str) -> list[Need]:
    if response.boto3_service_name == "s3":
        return s3_needs(_s3_request(engine, response, resource))
    return needs(_api_call(engine, response, _params(response)))


def _api_call(engine: Engine, response: Any, params: Mapping[str, Any]) -> ApiCall:
    return ApiCall(
        service=_prefix(response),
        operation=_operation(response),
        params=params,
        account=engine.account,
        region=response.region,
        facts=engine.facts,
    )


def _s3_request(engine: Engine, response: Any, resource: str) -> S3Request:
    """Read an S3 request; moto has told bucket and key apart, in the ARN that it asks about."""
    bucket, _, key = resource.split(":::", 1)[1].partition("/")
    return S3Request(
        call=_api_call(engine, response, {}),
        method=response.method,
        bucket="" if bucket == "*" else bucket,
        key=key,
        query=dict(parse_qsl(response.parsed_url.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.raw_body if isinstance(response.raw_body, bytes) else b"",
    )


def _prefix(response: Any) -> str:
    name: str = response.boto3_service_name
    return _PREFIXES.get(name, name)


def _operation(response: Any) -> str:
    if response.boto3_service_name == "s3":
        return f"{response.method} {response.data.get('Action', '')}".strip()
    operation = response._get_action()
    if not operation:
        raise EvaluationError(f"the emulator's IAM evaluator cannot tell the operation of {response.uri}")
    return str(operation)


def _params(response: Any) -> Mapping[str, Any]:
    """Give the parameters by API name, read by moto's parser of the service's protocol."""
    if not response.automated_parameter_parsing:
        response.parse_parameters(response.normalized_request)
    params = response.params
    return params.original_dict() if isinstance(params, XFormedDict) else dict(params or {})


def _common(response: Any) -> ContextValues:
    return {
        "aws:RequestedRegion": response.region,
        "aws:SourceIp": response.normalized_request.remote_addr or "127.0.0.1",
        "aws:UserAgent": response.headers.get("User-Agent"),
    }

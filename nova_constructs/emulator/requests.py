"""Tell which operation an HTTP request asks for, check its parameters, and write AWS error answers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.model import Shape
from botocore.validate import ParamValidator
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from nova_constructs.emulator.state import InjectedResponse

_SERVICES_BY_SIGNING_NAME: Mapping[str, tuple[str, ...]] = {
    "states": ("stepfunctions",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "bedrock": ("bedrock", "bedrock-runtime"),
    "monitoring": ("cloudwatch",),
    "servicequotas": ("service-quotas",),
    "sagemaker": ("sagemaker", "sagemaker-runtime"),
    "tagging": ("resourcegroupstaggingapi",),
}
_CREDENTIAL = re.compile(r"Credential=[^/]+/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_CHECKED_PROTOCOLS = frozenset({"json", "rest-json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One API request: boto3's service name, the operation's name, and its parameters if they could be read."""

    service: str
    operation: str
    protocol: str
    model: OperationModel = field(repr=False)
    parameters: Mapping[str, Any] | None = field(repr=False)


def identify(environ: Mapping[str, Any], body: bytes) -> ApiRequest | None:
    """Return what a signed request asks for, or None if it is not an AWS API request."""
    signing_name = _signing_name(environ)
    if signing_name is None:
        return None
    for service in _SERVICES_BY_SIGNING_NAME.get(signing_name, (signing_name,)):
        request = Request({**environ, "wsgi.input": io.BytesIO(body)})
        try:
            model, uri = _router(service).match(request)
        except (NotFound, NotImplementedError):
            continue
        return _described(service, model, uri, request)
    return None


def problems(request: ApiRequest) -> list[str]:
    """Return what is wrong with the parameters by the service's own model (JSON protocols only)."""
    if request.parameters is None or request.protocol not in _CHECKED_PROTOCOLS or request.model.input_shape is None:
        return []
    report = ParamValidator().validate(request.parameters, request.model.input_shape)
    if report.has_errors():
        return [line.strip() for line in report.generate_report().splitlines()]
    return list(_value_problems(request.parameters, request.model.input_shape, ""))


def error_response(service: str, protocol: str, answer: InjectedResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status line, headers and body of an error in the form of the service's protocol."""
    if "json" in protocol:
        body = json.dumps({"__type": answer.code, "message": answer.message, "Message": answer.message})
        content_type = "application/x-amz-json-1.1"
    else:
        error = f"<Code>{escape(answer.code)}</Code><Message>{escape(answer.message)}</Message>"
        body = f"<Error>{error}</Error>"
        if service != "s3":
            body = f"<ErrorResponse>{body}<RequestId>emulated</RequestId></ErrorResponse>"
        content_type = "text/xml"
    raw = body.encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(raw))),
        ("x-amzn-ErrorType", answer.code),
        ("x-amzn-RequestId", "emulated"),
    ]
    return f"{answer.status} {answer.code}", headers, raw


def _signing_name(environ: Mapping[str, Any]) -> str | None:
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found:
        return found["service"].lower()
    credential = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential")
    return credential[0].split("/")[3].lower() if credential else None


@cache
def _router(service: str) -> Any:
    return get_service_router(service)


def _described(service: str, model: OperationModel, uri: dict[str, Any], request: Request) -> ApiRequest:
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    parameters = _parameters(model, protocol, uri, request) if protocol in _CHECKED_PROTOCOLS else None
    return ApiRequest(service=service, operation=model.name, protocol=protocol, model=model, parameters=parameters)


def _parameters(
    model: OperationModel, protocol: str, uri: dict[str, Any], request: Request
) -> Mapping[str, Any] | None:
    try:
        parsed: Mapping[str, Any] = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": uri,
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # the operation itself says what it cannot read
    return parsed


def _value_problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield what botocore does not check on the client: lengths, ranges, patterns and enums."""
    if value is None:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if isinstance(value, Mapping) and name in value:
                yield from _value_problems(value[name], member, f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        yield from _limit_problems(len(value), shape, path, "Length")
        for index, item in enumerate(value):
            yield from _value_problems(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map":
        yield from _limit_problems(len(value), shape, path, "Length")
        for key, item in value.items():
            yield from _value_problems(key, shape.key, f"{path} key {key!r}")
            yield from _value_problems(item, shape.value, f"{path}[{key!r}]")
    elif shape.type_name == "string":
        yield from _string_problems(str(value), shape, path)
    elif shape.type_name in {"integer", "long", "float", "double"}:
        yield from _limit_problems(value, shape, path, "Value")


def _limit_problems(size: float, shape: Shape, path: str, what: str) -> Iterator[str]:
    limit = shape.metadata.get("max")
    if limit is not None and size > limit:
        yield f"{what} of {path} is {size}, more than {limit}"


def _string_problems(text: str, shape: Shape, path: str) -> Iterator[str]:
    yield from _limit_problems(len(text), shape, path, "Length")
    allowed = shape.metadata.get("enum")
    if allowed and text not in allowed:
        yield f"Value {text!r} of {path} is not one of {', '.join(allowed)}"
    pattern = _compiled(shape.metadata.get("pattern"))
    if pattern is not None and not pattern.fullmatch(text):
        yield f"Value {text!r} of {path} does not match {pattern.pattern}"


@cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None  # a few patterns are Java's and unknown to Python

"""sts:GetCallerIdentity: who calls, also by a presigned request, whose signature is checked as AWS checks it.

Elsewhere the emulator takes an access key for a signature. Here the answer is the point: a function that redeems what
a person presigned has to be told no where another run, another decision or another person was signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sts.responses import TokenResponse

from nova_constructs.emulator.iam import refusals
from nova_constructs.emulator.iam.principals import Principal
from nova_constructs.emulator.iam.sessions import Sessions
from nova_constructs.emulator.patches import Patches

_DATE: Final = "%Y%m%dT%H%M%SZ"
_ACCEPTED: Final = timedelta(minutes=15)
"""For how long STS takes a request after it was signed, whatever X-Amz-Expires says (aws-iam-authenticator, token.go).

By real time: whoever signs lives by the clock of the machine.
"""


def install(sessions: Sessions, caller: Callable[[Any], Principal], patches: Patches) -> None:
    """Answer GetCallerIdentity; `caller` tells who signed a request."""

    def answer(response: Any) -> Any:
        problem = _presigned_problem(sessions, response)
        if problem:
            raise refusals.bad_signature(response, problem)
        principal = caller(response)
        name = principal.name or principal.account
        return ActionResult({"UserId": name, "Account": principal.account, "Arn": principal.arn})

    patches.replace(TokenResponse, "get_caller_identity", answer)
    infer = DomainDispatcherApplication.infer_service_region_host

    def host_of(application: Any, environ: dict[str, Any], path: str) -> Any:
        # Moto looks for the service of a request in its Authorization header, which a presigned one has not.
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        scope = query.get("X-Amz-Credential", "").split("/")
        presigned = len(scope) == 5 and scope[3] == "sts" and "HTTP_AUTHORIZATION" not in environ
        return f"sts.{scope[2]}.amazonaws.com" if presigned else infer(application, environ, path)

    patches.replace(DomainDispatcherApplication, "infer_service_region_host", host_of)


def _presigned_problem(sessions: Sessions, response: Any) -> str | None:
    """Return what AWS would say against the signature of a presigned request; None for one that holds."""
    pairs = parse_qsl(response.parsed_url.query, keep_blank_values=True)
    query = dict(pairs)
    if "X-Amz-Signature" not in query:
        return None
    key, _, region, service, _ = query["X-Amz-Credential"].split("/")
    signed = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
    if not -_ACCEPTED <= datetime.now(UTC) - signed <= _ACCEPTED:
        return "Signature expired"
    given = {name.lower(): value for name, value in response.headers.items()}
    headers = {name: given.get(name, "") for name in query["X-Amz-SignedHeaders"].split(";")}
    bare = [(name, value) for name, value in pairs if name != "X-Amz-Signature"]
    path = f"{response.parsed_url.scheme}://{given.get('host', '')}{response.parsed_url.path}"
    request = AWSRequest("GET", path, params=dict(bare), headers=headers)
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = SigV4QueryAuth(Credentials(key, sessions.secret(key)), service, region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if hmac.compare_digest(expected, query["X-Amz-Signature"]):
        return None
    return "The request signature we calculated does not match the signature you provided."

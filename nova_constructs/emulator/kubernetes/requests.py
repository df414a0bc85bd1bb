"""Read what an HTTP request asks of the API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from nova_constructs.emulator.kubernetes.kinds import NAMESPACE, Kind, at_path
from nova_constructs.emulator.kubernetes.rbac import Attempt
from nova_constructs.emulator.kubernetes.status import StatusError, unknown_path

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request: the kind it is about, in which namespace, which object, and its parameters."""

    verb: str
    group: str
    plural: str
    kind: Kind | None
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def attempt(self) -> Attempt:
        """Give what the caller has to be allowed; reading a namespace counts as inside it."""
        inside = self.name if self.kind is NAMESPACE else self.namespace
        resource = f"{self.plural}/{self.subresource}" if self.subresource else self.plural
        return Attempt(verb=self.verb, group=self.group, resource=resource, namespace=inside, name=self.name)

    def document(self) -> Any:
        """Read the body; raises StatusError 400 or 415."""
        kind = self.headers.get("content-type", "application/json").split(";")[0].strip()
        if kind not in ("application/json", "application/yaml"):
            raise StatusError(415, f"the body of the request was in an unknown format - {kind}")
        try:
            return json.loads(self.body) if kind == "application/json" else yaml.safe_load(self.body)
        except (ValueError, yaml.YAMLError) as error:
            raise StatusError(400, f"error decoding: {error}") from None

    def options(self) -> Mapping[str, Any]:
        """Read the options of a deletion, from the body or the query."""
        given = self.document() if self.body.strip() else {}
        if not isinstance(given, dict):
            raise StatusError(400, "the options of a deletion must be an object")
        return {**({"propagationPolicy": self.query["propagationPolicy"]} if "propagationPolicy" in self.query else {}),
                **given}  # fmt: skip


def read(method: str, target: str, headers: Mapping[str, str], body: bytes) -> ApiRequest:
    """Read a request; raises StatusError 404 for a path that leads nowhere."""
    url = urlsplit(target)
    parts = [unquote(part) for part in url.path.strip("/").split("/")]
    query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise unknown_path()
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) >= 3:
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        raise unknown_path()
    plural, name, subresource = [*rest, "", ""][:3]
    return ApiRequest(
        verb=_verb(method, name, query),
        group=group,
        plural=plural,
        kind=at_path(group, version, plural),
        namespace=namespace,
        name=name,
        subresource=subresource,
        query=query,
        headers={key.lower(): value for key, value in headers.items()},
        body=body,
    )


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        if query.get("watch") in ("1", "true"):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())

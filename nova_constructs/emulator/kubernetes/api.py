"""The operations of the API server: create, get, list, delete, and reviews of one's own access."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_constructs.emulator.kubernetes import pods, rbac, selectors, validation
from nova_constructs.emulator.kubernetes.authentication import Caller, Tokens
from nova_constructs.emulator.kubernetes.kinds import ACCESS_REVIEW, EVENT, NAMESPACE, POD, Kind
from nova_constructs.emulator.kubernetes.requests import ApiRequest
from nova_constructs.emulator.kubernetes.schema import check
from nova_constructs.emulator.kubernetes.status import StatusError, not_found, success, unknown_path
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore

_POLICIES = (None, "Orphan", "Background", "Foreground")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "status.phase": ("status", "phase"),
    "involvedObject.kind": ("involvedObject", "kind"),
    "involvedObject.name": ("involvedObject", "name"),
    "involvedObject.uid": ("involvedObject", "uid"),
    "type": ("type",),
    "reason": ("reason",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: HTTP status, body as JSON, further headers."""

    code: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """The API of one cluster."""

    def __init__(self, store: ObjectStore, tokens: Tokens, changed: Callable[[], None]) -> None:
        self._store, self._tokens, self._changed = store, tokens, changed

    def answer(self, request: ApiRequest) -> Answer:
        """Do what a request asks, if its caller may; refusals are answers, too."""
        try:
            caller = self._tokens.caller(request.headers.get("authorization", ""))
            if request.kind is not ACCESS_REVIEW:
                rbac.check(self._store, caller, request.attempt)
            return self._done(request, caller)
        except StatusError as error:
            return refusal(error)

    def _done(self, request: ApiRequest, caller: Caller) -> Answer:
        kind = request.kind
        if kind is None or request.subresource:
            raise unknown_path()
        operations: Mapping[str, Callable[[ApiRequest, Kind], Answer]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }
        if kind is ACCESS_REVIEW and request.verb == "create":
            return self._review(request, caller)
        operation = operations.get(request.verb)
        if operation is None or kind is ACCESS_REVIEW or (kind in (NAMESPACE, EVENT) and "delete" in request.verb):
            raise StatusError(405, f"the emulator does not {request.verb} {request.plural}")
        with self._store.lock:
            return operation(request, kind)

    def _get(self, request: ApiRequest, kind: Kind) -> Answer:
        return _shown(200, self._found(request, kind))

    def _list(self, request: ApiRequest, kind: Kind) -> Answer:
        items = self._selected(request, kind)
        start, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or 0)
        shown = items[start : start + limit] if limit else items[start:]
        metadata: dict[str, Any] = {"resourceVersion": self._store.version}
        if start + len(shown) < len(items):
            metadata["continue"] = str(start + len(shown))
        listed = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": shown}
        return _shown(200, listed)

    def _create(self, request: ApiRequest, kind: Kind) -> Answer:
        checked = request.query.get("fieldValidation") or "Warn"
        if checked not in validation.FIELD_VALIDATION:
            raise StatusError(422, f'fieldValidation: Unsupported value: "{checked}"')
        if kind.namespaced and not request.namespace:
            raise StatusError(405, "the server does not allow this method on the requested resource")
        document = request.document()
        if kind.namespaced and self._store.find(NAMESPACE, "", request.namespace) is None:
            raise not_found("namespaces", request.namespace)
        body, warnings = validation.accepted(kind, document, request.namespace, checked)
        if kind is POD:
            pods.begin(body)
        if request.query.get("dryRun") != "All":
            self._store.create(kind, body)
            self._changed()
        return _shown(201, body, {"Warning": ", ".join(f'299 - "{text}"' for text in warnings)} if warnings else {})

    def _delete(self, request: ApiRequest, kind: Kind) -> Answer:
        body = self._found(request, kind)
        options = request.options()
        policy, wanted = options.get("propagationPolicy"), (options.get("preconditions") or {}).get("uid")
        uid = body["metadata"]["uid"]
        if policy not in _POLICIES:
            raise StatusError(422, f'propagationPolicy: Unsupported value: "{policy}"')
        if wanted not in (None, uid):
            message = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            raise StatusError(
                409, f'Operation cannot be fulfilled on {kind.plural} "{request.name}": {message}', reason="Conflict"
            )
        self._store.delete(kind, body, policy)
        self._changed()
        if self._store.alive(body):
            return _shown(200, body)
        return _shown(200, success(kind.plural, request.name, uid, kind.group))

    def _delete_all(self, request: ApiRequest, kind: Kind) -> Answer:
        options = request.options()
        for body in self._selected(request, kind):
            self._store.delete(kind, body, options.get("propagationPolicy"))
        self._changed()
        return _shown(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    def _review(self, request: ApiRequest, caller: Caller) -> Answer:
        document = request.document()
        findings = check(document, ACCESS_REVIEW.kind)
        wanted = ((findings.body or {}).get("spec") or {}).get("resourceAttributes") if findings.body else None
        if findings.mistyped or findings.missing or not wanted:
            raise StatusError(422, "spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or "
                                   "resourceAttributes must be specified")  # fmt: skip
        resource = wanted.get("resource", "")
        resource += f"/{wanted['subresource']}" if wanted.get("subresource") else ""
        attempt = rbac.Attempt(
            verb=wanted.get("verb", ""),
            group=wanted.get("group", ""),
            resource=resource,
            namespace=wanted.get("namespace", ""),
            name=wanted.get("name", ""),
        )
        status = {"allowed": rbac.allowed(self._store, caller, attempt)}
        return _shown(201, {**findings.body, "metadata": {}, "status": status})

    def _found(self, request: ApiRequest, kind: Kind) -> Object:
        body = self._store.find(kind, request.namespace, request.name)
        if body is None:
            raise not_found(kind.plural, request.name, kind.group)
        return body

    def _selected(self, request: ApiRequest, kind: Kind) -> list[Object]:
        matches = selectors.parse(request.query.get("labelSelector", ""))
        fields = request.query.get("fieldSelector", "")
        return [
            body
            for body in self._store.all(kind, request.namespace or None)
            if matches(body["metadata"].get("labels") or {})
            and all(_has(body, each) for each in fields.split(",") if each)
        ]


def refusal(error: StatusError) -> Answer:
    """Turn a refusal into what goes back."""
    return _shown(error.code, error.status)


def _has(body: Object, condition: str) -> bool:
    name, operator, wanted = condition.replace("==", "=").partition("=")
    negated = name.endswith("!")
    path = _FIELDS.get(name.removesuffix("!"))
    if path is None or not operator:
        raise StatusError(400, f"field label not supported: {name}")
    value: Any = body
    for part in path:
        value = (value or {}).get(part)
    return (value == wanted) is not negated


def _shown(code: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(code=code, body=json.dumps(body).encode(), headers=headers or {})

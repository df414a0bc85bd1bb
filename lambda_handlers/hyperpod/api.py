"""A client of a cluster's Kubernetes API, for the few calls that jobs need."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from lambda_handlers.hyperpod.access import ClusterAccess
from lambda_handlers.hyperpod.kinds import KINDS
from lambda_handlers.hyperpod.refusals import ObjectExists, refusal, unreachable
from lambda_handlers.hyperpod.token import LIFE_SECONDS, bearer_token
from lambda_handlers.protocol.errors import TransientServiceError

__all__ = ["KubernetesApi", "ObjectExists"]

_CONNECT_SECONDS: Final = 3
_READ_SECONDS: Final = 10
_PAUSES: Final = (0.2, 1.0)
"""Seconds between attempts at a call that met a fault which may pass."""
_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Object = dict[str, Any]


class KubernetesApi:
    """Create, read, list and delete objects of a cluster.

    Faults that may pass are met with three attempts: a repeated create finds its own object, which `create` reports as
    it does any other. Every call may raise InvalidRequest (access, permissions, namespace, certificate), QuotaExceeded
    (the namespace's) and TransientServiceError (429, 5xx, time-outs, no connection).
    """

    def __init__(self, access: ClusterAccess, *, sign: Callable[[str], str] = bearer_token) -> None:
        self.access = access
        self._sign = sign
        self._token, self._signed_at = "", 0.0
        self._pool: Any = None

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create an object in the namespace that its metadata names; raise ObjectExists if there is one of its name.

        `dry_run`: have the API check it, and create nothing.
        """
        kind, namespace = str(body["kind"]), str(body["metadata"]["namespace"])
        query = {"dryRun": "All"} if dry_run else {}
        return self._call("create", "POST", kind, namespace, KINDS[kind].path(namespace), query, body) or {}

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None if there is none of that name."""
        return self._call("get", "GET", kind, namespace, KINDS[kind].path(namespace, name))

    def list(self, kind: str, namespace: str, selector: str = "", *, fields: str = "") -> list[Object]:
        """Return the objects of a kind, by a selector of labels (`a=b,c=d`) and one of fields; all pages of them."""
        found: list[Object] = []
        query = {"limit": "500", "labelSelector": selector, "fieldSelector": fields}
        while True:
            given = {name: value for name, value in query.items() if value}
            page = self._call("list", "GET", kind, namespace, KINDS[kind].path(namespace), given) or {}
            found += page.get("items") or []
            query["continue"] = str((page.get("metadata") or {}).get("continue") or "")
            if not query["continue"]:
                return found

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Delete an object and, in the background, what it owns; return whether there was one."""
        query = {"propagationPolicy": "Background"}
        return self._call("delete", "DELETE", kind, namespace, KINDS[kind].path(namespace, name), query) is not None

    def review(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """Return whether the caller may do it: what the API answers to SelfSubjectAccessReview."""
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._call("create", "POST", "SelfSubjectAccessReview", namespace, _REVIEW, {}, body) or {}
        return bool((answer.get("status") or {}).get("allowed"))

    def _call(
        self,
        verb: str,
        method: str,
        kind: str,
        namespace: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Object | None:
        """Return the API's answer, None for an object that is not there."""
        url = f"{self.access.endpoint}{path}" + (f"?{urlencode(query)}" if query else "")
        for pause in (*_PAUSES, None):
            try:
                status, content = self._signed(method, url, body)
                if status == 404 and method in ("GET", "DELETE") and _is_of_an_object(path, content):
                    return None
                if status >= 300:
                    raise refusal(self.access, verb, kind, namespace, status, content)
                return dict(json.loads(content))
            except TransientServiceError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _signed(self, method: str, url: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        """Send with a token that is young enough; once more with a new one where it had expired on the way."""
        status, content = self._send(method, url, body, self._fresh_token())
        if status == 401:
            self._token = ""
            status, content = self._send(method, url, body, self._fresh_token())
        return status, content

    def _fresh_token(self) -> str:
        now = time.monotonic()
        if not self._token or now - self._signed_at > LIFE_SECONDS:
            self._token, self._signed_at = self._sign(self.access.eks_cluster_name), now
        return self._token

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None, token: str) -> tuple[int, bytes]:
        from urllib3.exceptions import HTTPError

        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._http().request(method, url, body=data, headers=headers, redirect=False)
        except HTTPError as error:
            raise unreachable(self.access, error) from error
        return int(answer.status), bytes(answer.data)

    def _http(self) -> Any:
        if self._pool is None:
            import urllib3

            self._pool = urllib3.PoolManager(
                ssl_context=_verifying(self.access.ca_pem),
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                retries=False,
            )
        return self._pool


def _verifying(authority: str) -> ssl.SSLContext:
    """Return a context that takes certificates of this authority for the host's name alone.

    Authorities of older EKS clusters have no key identifiers, which Python asks for by default since 3.13
    (github.com/kubernetes-client/python/issues/2394); chain, dates and name are verified all the same.
    """
    context = ssl.create_default_context(cadata=authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _is_of_an_object(path: str, content: bytes) -> bool:
    """Say whether a 404 is about an object that has a name, not about its namespace or its kind."""
    try:
        details = json.loads(content).get("details") or {}
    except (ValueError, AttributeError):
        return False
    return bool(details.get("name")) and path.endswith(f"/{details['name']}")

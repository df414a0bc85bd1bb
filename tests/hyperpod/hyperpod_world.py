"""A cluster as the driver meets it: a Kubernetes API in memory behind HTTPS' place, with faults on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlparse

from urllib3.exceptions import ReadTimeoutError

from lambda_handlers.hyperpod.access import ClusterAccess, RestrictedGroup
from lambda_handlers.hyperpod.kinds import KINDS

ACCESS = ClusterAccess(
    cluster_name="hp",
    cluster_arn="arn:aws:sagemaker:us-east-1:111122223333:cluster/abc123",
    status="InService",
    endpoint="https://k8s.test",
    ca_pem="",
    eks_cluster_name="eks-1",
    restricted_groups=(
        RestrictedGroup(
            name="rig",
            instance_type="ml.p5.48xlarge",
            current_count=16,
            status="InService",
            execution_role="r",
            output_uri="",
        ),
    ),
)


@dataclass
class Answer:
    """What urllib3 returns."""

    status: int
    data: bytes


@dataclass
class FakeCluster:
    """Answer as an API server does; `faults` are used up in their order, one for each request that they match.

    A fault is a status, or `lost`: the request takes effect and its answer never comes.
    """

    namespaces: set[str] = field(default_factory=lambda: {"kubeflow"})
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    faults: list[tuple[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    accepted: set[str] | None = None
    _uids: int = 0

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], redirect: bool) -> Answer:
        """Answer one request."""
        self.requests.append(f"{method} {urlparse(url).path}")
        self.tokens.append(headers["Authorization"])
        if self.accepted is not None and headers["Authorization"].removeprefix("Bearer ") not in self.accepted:
            return _status(401, "Unauthorized", "Unauthorized")
        fault = self._fault(self.requests[-1])
        if isinstance(fault, Answer):
            return fault
        found = self._act(method, url, json.loads(body) if body else None)
        if fault == "lost":
            raise ReadTimeoutError(None, url, "Read timed out.")  # type: ignore[arg-type]
        return found

    def kinds(self) -> list[str]:
        """Return the kinds of the objects that there are."""
        return sorted(path.split("/")[-1] for path, _ in self.objects)

    def thing(self, kind: str, name: str, namespace: str = "kubeflow") -> dict[str, Any]:
        """Return an object."""
        return self.objects[KINDS[kind].path(namespace), name]

    def _fault(self, request: str) -> Any:
        for index, (match, fault) in enumerate(self.faults):
            if match in request:
                del self.faults[index]
                return fault
        return None

    def _act(self, method: str, url: str, body: dict[str, Any] | None) -> Answer:
        parsed = urlparse(url)
        if parsed.path.endswith("selfsubjectaccessreviews"):
            return Answer(201, json.dumps({"status": {"allowed": True}}).encode())
        namespace = parsed.path.split("/namespaces/")[1].split("/")[0]
        if method == "POST":
            assert body is not None
            return self._create(parsed.path, namespace, body)
        collection, _, name = parsed.path.rpartition("/")
        if any(kind.path(namespace) == parsed.path for kind in KINDS.values()):
            selector = parse_qs(parsed.query).get("labelSelector", [""])[0]
            items = [
                each for (path, _), each in self.objects.items() if path == parsed.path and _selected(each, selector)
            ]
            return Answer(200, json.dumps({"items": items, "metadata": {}}).encode())
        if (collection, name) not in self.objects:
            return _status(404, "NotFound", f'{collection.rpartition("/")[2]} "{name}" not found', name)
        if method == "DELETE":
            del self.objects[collection, name]
            return _status(200, "", "")
        return Answer(200, json.dumps(self.objects[collection, name]).encode())

    def _create(self, path: str, namespace: str, body: dict[str, Any]) -> Answer:
        name = body["metadata"]["name"]
        if namespace not in self.namespaces:
            return _status(404, "NotFound", f'namespaces "{namespace}" not found', namespace)
        if (path, name) in self.objects:
            return _status(409, "AlreadyExists", f'{path.rpartition("/")[2]} "{name}" already exists', name)
        self._uids += 1
        times = {"uid": f"uid-{self._uids}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.objects[path, name] = {**body, "metadata": {**body["metadata"], **times}}
        return Answer(201, json.dumps(self.objects[path, name]).encode())


def answer(status: int, reason: str, message: str) -> Answer:
    """Return a Kubernetes Status as an answer."""
    return _status(status, reason, message)


def _status(code: int, reason: str, message: str, name: str = "") -> Answer:
    details = {"details": {"name": name}} if name else {}
    return Answer(
        code, json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message, **details}).encode()
    )


def _selected(thing: Mapping[str, Any], selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return all(labels.get(key) == value if sign else key in labels for key, sign, value in _pairs(selector))


def _pairs(selector: str) -> Iterator[tuple[str, str, str]]:
    for part in filter(None, selector.split(",")):
        yield part.partition("=")

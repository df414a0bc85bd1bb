"""The objects of one cluster, their deletion and garbage collection."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from nova_constructs.emulator.kubernetes.kinds import EVENT, JOB, POD, Kind
from nova_constructs.emulator.kubernetes.status import already_exists

Object = dict[str, Any]
_FOREGROUND = "foregroundDeletion"
_GRACE_SECONDS = 30


def stamp(moment: datetime) -> str:
    """Write an instant as objects have it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class ObjectStore:
    """Objects by kind, namespace and name; hold `lock` while reading or changing what it hands out."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.changes = 0
        """How often anything but events was changed: what controllers react to."""
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {}
        self._version = 1000

    @property
    def version(self) -> str:
        """Give the resource version of the latest change."""
        return str(self._version)

    def create(self, kind: Kind, body: Object) -> Object:
        """Keep a new object; raises StatusError 409 if its name is taken."""
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        with self.lock:
            if key in self._objects.setdefault(kind, {}):
                raise already_exists(kind.plural, metadata["name"], kind.group)
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp(self.now()), "generation": 1}
            self._objects[kind][key] = body
            self.touch(body)
            return body

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object, or None if there is none."""
        return self._objects.get(kind, {}).get((namespace, name))

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind, in all namespaces or in one, by name."""
        held = self._objects.get(kind, {})
        return [held[key] for key in sorted(held) if namespace in (None, key[0])]

    def names(self, namespace: str) -> list[tuple[str, str]]:
        """Return kind and name of everything in a namespace but events."""
        held = ((kind.kind, key) for kind, objects in self._objects.items() if kind != EVENT for key in objects)
        return sorted((kind, name) for kind, (place, name) in held if place == namespace)

    def alive(self, body: Object) -> bool:
        """Tell whether an object still is there."""
        uid = body["metadata"]["uid"]
        return any(each["metadata"]["uid"] == uid for _, each in self._each())

    def touch(self, body: Object) -> None:
        """Give an object a new resource version, as any change does."""
        self._version += 1
        self.changes += body.get("kind") != EVENT.kind
        body["metadata"]["resourceVersion"] = str(self._version)

    def delete(self, kind: Kind, body: Object, policy: str | None = None) -> None:
        """Delete an object; its dependents follow, are waited for or stay as the policy says.

        Without a policy dependents follow, except those of a batch Job, which stay (Kubernetes API, batch/v1).
        """
        with self.lock:
            policy = policy or ("Orphan" if kind == JOB else "Background")
            if policy == "Orphan":
                for dependent in self._dependents(body):
                    self._disown(dependent, body)
            if policy == "Foreground" and self._dependents(body):
                body["metadata"]["finalizers"] = [_FOREGROUND]
                self._mark(body, 0)
            elif kind == POD and (body.get("status") or {}).get("phase") == "Running":
                self._mark(body, (body.get("spec") or {}).get("terminationGracePeriodSeconds", _GRACE_SECONDS))
            else:
                self.remove(kind, body)

    def remove(self, kind: Kind, body: Object) -> None:
        """Take an object away at once."""
        metadata = body["metadata"]
        with self.lock:
            self._objects.get(kind, {}).pop((metadata.get("namespace", ""), metadata["name"]), None)
            self._version += 1
            self.changes += 1

    def collect(self) -> bool:
        """Delete what has lost all its owners, and what only waited for its dependents; tell whether anything was."""
        with self.lock:
            orphans = list(self._orphans())
            for kind, body in orphans:
                self.delete(kind, body, "Background")
            waiting = [
                (kind, each)
                for kind, each in self._each()
                if _FOREGROUND in (each["metadata"].get("finalizers") or ()) and not self._dependents(each)
            ]
            for kind, body in waiting:
                self.remove(kind, body)
            return bool(orphans or waiting)

    def _orphans(self) -> Iterator[tuple[Kind, Object]]:
        living = {
            each["metadata"]["uid"]: _FOREGROUND not in (each["metadata"].get("finalizers") or ())
            for _, each in self._each()
        }
        for kind, body in self._each():
            owners = body["metadata"].get("ownerReferences") or []
            gone = owners and not any(living.get(owner["uid"]) for owner in owners)
            if gone and "deletionTimestamp" not in body["metadata"]:
                yield kind, body

    def _dependents(self, body: Object) -> list[Object]:
        uid = body["metadata"]["uid"]
        return [
            each
            for _, each in self._each()
            if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences") or ())
        ]

    def _each(self) -> Iterator[tuple[Kind, Object]]:
        return ((kind, body) for kind, objects in self._objects.items() if kind != EVENT for body in objects.values())

    def _disown(self, dependent: Object, owner: Object) -> None:
        metadata, uid = dependent["metadata"], owner["metadata"]["uid"]
        metadata["ownerReferences"] = [each for each in metadata["ownerReferences"] if each["uid"] != uid]
        self.touch(dependent)

    def _mark(self, body: Object, grace_seconds: int) -> None:
        metadata = body["metadata"]
        if "deletionTimestamp" not in metadata:
            metadata |= {"deletionTimestamp": stamp(self.now()), "deletionGracePeriodSeconds": grace_seconds}
            self.touch(body)

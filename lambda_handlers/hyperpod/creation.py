"""The objects of a job in its cluster: made one by one, found again after an interruption, removed all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambda_handlers.hyperpod import marks
from lambda_handlers.hyperpod.api import KubernetesApi, ObjectExists
from lambda_handlers.hyperpod.kinds import PYTORCH_JOB
from lambda_handlers.jobs.driver import NameTaken
from lambda_handlers.protocol.errors import QuotaExceeded, TransientServiceError

Object = dict[str, Any]


def root_names(name: str) -> tuple[str, ...]:
    """Return the names that the first object of a job may have: the configuration of its training."""
    return f"training-config-{name}", f"{name}-training-config"


def owned(thing: Object, root: Mapping[str, Any]) -> Object:
    """Return an object with the reference to its owner, the job's first object as it was created."""
    owner = {
        "apiVersion": root["apiVersion"],
        "kind": root["kind"],
        "name": root["metadata"]["name"],
        "uid": root["metadata"]["uid"],
    }
    return {**thing, "metadata": {**thing["metadata"], "ownerReferences": [owner]}}


def create_objects(api: KubernetesApi, objects: Sequence[Object], *, name: str, digest: str) -> None:
    """Create the objects of a job in their order; those of the same request that are there already stay as they are.

    Raise NameTaken if another job has the name, QuotaExceeded if the namespace's does not allow them, InvalidRequest if
    something else has the name of another object.
    """
    first, *others = objects
    root = _create(api, first, name=name, digest=digest)
    if root is None:
        raise NameTaken(name)
    try:
        _create_others(api, others, root, name=name, digest=digest)
    except (QuotaExceeded, NameTaken):
        # There will be no job of this name: what was made for it would wait for nothing.
        remove_objects(api, first["metadata"]["namespace"], name=name, digest=digest)
        raise


def _create_others(
    api: KubernetesApi, others: Sequence[Object], root: Mapping[str, Any], *, name: str, digest: str
) -> None:
    for each in others:
        made = _create(api, owned(each, root), name=name, digest=digest)
        kind, namespace = each["kind"], each["metadata"]["namespace"]
        if made is None and kind == PYTORCH_JOB:
            raise NameTaken(name)
        if made is None:
            raise marks.not_ours(kind, each["metadata"]["name"], namespace)
        if [owner["uid"] for owner in made["metadata"].get("ownerReferences") or ()] != [root["metadata"]["uid"]]:
            raise _still_deleted(each)


def find_root(api: KubernetesApi, namespace: str, name: str) -> Object | None:
    """Return the first object of a job, or None: then there is nothing of it, or nothing for long.

    What is not of the job does not stand for it, whatever its name.
    """
    found = (api.get("ConfigMap", namespace, each) for each in root_names(name))
    return next((each for each in found if each and marks.job_of(each) == name), None)


def remove_objects(api: KubernetesApi, namespace: str, *, name: str, digest: str) -> None:
    """Delete the objects of a job, the first one last, since it lists the others; what is not the job's own stays."""
    root = find_root(api, namespace, name)
    if root is not None and not marks.is_of(root, name, digest):
        return
    listed = marks.objects_of(root) if root else [(PYTORCH_JOB, name)]
    for kind, each in reversed(listed):
        found = api.get(kind, namespace, each)
        if found and marks.is_of(found, name, digest):
            api.delete(kind, namespace, each)
    if root is not None:
        api.delete("ConfigMap", namespace, root["metadata"]["name"])


def _create(api: KubernetesApi, thing: Object, *, name: str, digest: str) -> Object | None:
    """Return the object, made now or by an earlier call; None if something else has its name."""
    try:
        return api.create(thing)
    except ObjectExists:
        found = api.get(thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"])
    if found is None:
        raise _still_deleted(thing)
    if not marks.is_of(found, name, digest):
        return None
    if found["metadata"].get("deletionTimestamp"):
        raise _still_deleted(thing)
    return found


def _still_deleted(thing: Object) -> TransientServiceError:
    return TransientServiceError(f"{thing['kind']} {thing['metadata']['name']} is still being deleted.")

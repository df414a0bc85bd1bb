"""The Kubernetes objects of a job: those of the hub's payload, filled with the values of the rendered recipe.

Placeholders are filled with values of their own types, not as text, and what is wrong in the hub's payloads is made
good (`corrections`, docs/hyperpod-objects.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.catalog import images, regions
from lambda_handlers.hyperpod import configs, corrections, marks
from lambda_handlers.hyperpod.creation import root_names
from lambda_handlers.hyperpod.kinds import PYTORCH_JOB
from lambda_handlers.protocol.errors import InvalidRequest

Object = dict[str, Any]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")
RESTARTS: Final = 3
"""How often containers of a job are started again before it counts as failed: enough for a node that is lost."""
_ORDER: Final = ("ConfigMap", "Secret", "Service", "StatefulSet", "Deployment", "Job", PYTORCH_JOB)
"""The job itself comes last: once it is there, everything is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Say where and as whose a job's objects are made; `tags` are those of the protocol."""

    name: str
    region: str
    account: str
    tags: Mapping[str, str]


def job_objects(request: Mapping[str, Any], setting: Setting) -> list[Object]:
    """Return the objects of a job in the order of their creation: first the one that owns the others, last the job.

    `request` has `namespace`, `instance_type`, `instance_count`, `max_seconds`, `payload` (documents with their
    placeholders), `recipe` (values), and `image_uri` where the payload leaves the container open; with
    `max_pending_seconds`, the job counts as one that gets no instances after that time.
    Owner references need the owner's uid, so that whoever creates the objects adds them (`creation`).

    Raises InvalidRequest for a payload that is not one job, has kinds that no job is made of, or placeholders that
    nothing fills.
    """
    recipe = _named(request["recipe"], setting.name)
    documents = [deepcopy(dict(each)) for each in request["payload"]]
    _check(documents)
    values = _values(request, setting, documents, recipe)
    own = configs.own_values(documents)
    objects = [_object(each, values, configs.text(each, recipe, own)) for each in documents]
    _check_filled(objects)
    objects += corrections.missing(objects, setting.name, request["namespace"])
    objects.sort(key=lambda each: (not _is_root(each, setting.name), _ORDER.index(each["kind"])))
    for each in objects:
        corrections.correct(
            each,
            namespace=request["namespace"],
            region=setting.region,
            account=setting.account,
            instance_type=request["instance_type"],
            recipe=recipe,
            replicas=int(request["instance_count"]),
        )
    _mark(objects, request, setting)
    return objects


def _is_root(thing: Mapping[str, Any], name: str) -> bool:
    return thing["kind"] == "ConfigMap" and thing["metadata"]["name"] in root_names(name)


def _named(recipe: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**recipe, "run": {**recipe["run"], "name": name}}


def _check(documents: Sequence[Mapping[str, Any]]) -> None:
    kinds = [str(each.get("kind")) for each in documents]
    if unknown := sorted(set(kinds) - set(_ORDER)):
        raise InvalidRequest(f"The hub's payload has {', '.join(unknown)}, which no Nova job is made of.")
    if kinds.count(PYTORCH_JOB) != 1:
        raise InvalidRequest(f"The hub's payload has {kinds.count(PYTORCH_JOB)} PyTorchJobs; a job of ours is one.")
    if not any(_is_root(each, "{{name}}") for each in documents):
        raise InvalidRequest("The hub's payload has no ConfigMap training-config: the job would have no recipe.")


def _values(
    request: Mapping[str, Any], setting: Setting, documents: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what placeholders stand for: the run's own, the Region's containers, the recipe's values."""
    container = {"container_image": request["image_uri"]} if request.get("image_uri") else {}
    return {
        **configs.placeholder_values(documents, recipe),
        **(images.job_containers(setting.region) if setting.region in regions.REGIONS else {}),
        **container,
        "name": setting.name,
        "namespace": request["namespace"],
        "instance_type": request["instance_type"],
        "replicas": int(request["instance_count"]),
    }


def _object(document: Object, values: Mapping[str, Any], config: str | None) -> Object:
    if config is None:
        return dict(_filled(document, values))
    data = {**document["data"], configs.FILE: ""}
    filled = _filled({**document, "data": data}, values)
    filled["data"][configs.FILE] = config
    return dict(filled)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a tree with its placeholders filled, members without a value left out: the API takes them for none."""
    if isinstance(value, Mapping):
        inner = {_text(str(key), values): _filled(each, values) for key, each in value.items() if each is not None}
        return {key: each for key, each in inner.items() if each is not None}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    return values[whole[1]] if whole and whole[1] in values else _text(value, values)


def _text(text: str, values: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)


def _check_filled(objects: Sequence[Mapping[str, Any]]) -> None:
    left = sorted({found for each in objects for text in _texts(each) for found in _PLACEHOLDER.findall(text)})
    if not left:
        return
    image = " Give the request the container's image_uri." if "container_image" in left else ""
    raise InvalidRequest(f"The hub's payload has placeholders that nothing fills: {', '.join(left)}.{image}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _mark(objects: Sequence[Object], request: Mapping[str, Any], setting: Setting) -> None:
    labels, notes = {marks.JOB_LABEL: setting.name}, marks.notes_of(setting.tags)
    for each in objects:
        marks.mark(each, labels=labels, notes=notes)
        for template in corrections.pod_templates(each):
            template.setdefault("metadata", {})
            marks.mark(template, labels=labels, notes={})
            if not template["metadata"]["annotations"]:
                del template["metadata"]["annotations"]
    root, job = objects[0], objects[-1]
    job["metadata"]["annotations"][marks.OUTPUT] = f"{request['output_uri'].rstrip('/')}/{setting.name}"
    root["metadata"]["annotations"][marks.OBJECTS] = marks.listed(objects[1:])
    if request.get("max_pending_seconds"):
        job["metadata"]["annotations"][marks.MAX_PENDING] = str(int(request["max_pending_seconds"]))
    policy = job["spec"].setdefault("runPolicy", {})
    policy["activeDeadlineSeconds"] = int(request["max_seconds"])
    # Without a limit, a container that fails is started again and again until the deadline.
    policy.setdefault("backoffLimit", RESTARTS)

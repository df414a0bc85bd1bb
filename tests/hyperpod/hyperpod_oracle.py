"""The objects of the reference launcher, and what of them is left out of a comparison."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lambda_handlers.hyperpod import configs
from lambda_handlers.recipes import documents, hub_snapshot, payload

FOLDER = Path(__file__).parents[3] / "shared" / "reference" / "oracle" / "hyperpod"
_OURS = "nova-constructs/"

Objects = dict[tuple[str, str], dict[str, Any]]


def oracle(name: str, *, job: str) -> Objects:
    """Return the launcher's objects by kind and name, under another job's name."""
    text = (FOLDER / name).read_text().replace(_job_of(name), job)
    return by_name(each for each in yaml.safe_load_all(text) if each)


def payload_of(name: str) -> list[dict[str, Any]]:
    """Return the documents of the launcher's template mode as the payload of a request."""
    found = json.loads((FOLDER / name).read_text())
    return payload.parse("".join(text for file, text in found.items() if file.endswith(".yaml")))


class Texts(NamedTuple):
    """A recipe of the hub: its template with the spec, and its payload."""

    template: tuple[Mapping[str, Any], Mapping[str, Any]]
    payload: list[dict[str, Any]]


def snapshot_texts(name: str) -> Texts:
    """Return a recipe of the hub's snapshot as its files for HyperPod have it."""
    files = {key.rpartition("/")[2]: body.decode() for key, body in hub_snapshot.objects().items() if "k8s" in key}
    text = next(body for key, body in files.items() if key.startswith(f"{name}_payload"))
    spec = json.loads(next(body for key, body in files.items() if key.startswith(f"{name}_override")))
    objects = payload.parse(text)
    return Texts((documents.load(configs.of_training(objects) or ""), spec), objects)


def by_name(objects: Iterable[Mapping[str, Any]]) -> Objects:
    """Return objects by kind and name, with what YAML and Kubernetes take for the same made the same."""
    found = {}
    for each in objects:
        thing = _without_nothing(deepcopy(dict(each)))
        if "config.yaml" in thing.get("data", {}):
            thing["data"]["config.yaml"] = documents.load(thing["data"]["config.yaml"])
        found[thing["kind"], thing["metadata"]["name"]] = thing
    return found


def without_additions(objects: Objects) -> Objects:
    """Return our objects without what we add to the launcher's: docs/hyperpod-objects.md, "What is added"."""
    found = deepcopy(objects)
    for thing in found.values():
        metadata = [thing["metadata"], *(each.get("metadata", {}) for each in templates(thing))]
        for each in metadata:
            each.get("annotations", {}).pop("checksum/config", None)  # of a text that names the job
            for part in ("labels", "annotations"):
                kept = {name: value for name, value in each.get(part, {}).items() if not name.startswith(_OURS)}
                each.pop(part, None)
                if kept:
                    each[part] = kept
        for each in templates(thing):
            if not each.get("metadata", True):
                del each["metadata"]
        if thing["kind"] == "PyTorchJob":
            for member in ("activeDeadlineSeconds", "backoffLimit"):
                del thing["spec"]["runPolicy"][member]
            if not thing["spec"]["runPolicy"]:
                del thing["spec"]["runPolicy"]
    return found


def templates(thing: Mapping[str, Any]) -> list[dict[str, Any]]:
    spec = thing.get("spec", {})
    roles = spec.get("pytorchReplicaSpecs", {}).values()
    return [role["template"] for role in roles] + ([spec["template"]] if "template" in spec else [])


def _job_of(name: str) -> str:
    texts = (FOLDER / name).read_text()
    return next(iter(line.split()[-2] for line in texts.splitlines() if line.startswith("# helm install")))


def _without_nothing(value: Any) -> Any:
    """Return a tree without members that have no value, the recipe's text apart: Kubernetes takes them for absent."""
    if isinstance(value, Mapping):
        return {key: _without_nothing(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        # Lists that Kubernetes merges by key, in whose order nothing lies.
        return sorted((_without_nothing(each) for each in value), key=_key) if _is_keyed(value) else value
    return value


def _is_keyed(value: list[Any]) -> bool:
    return all(isinstance(each, Mapping) and _key(each) for each in value)


def _key(each: Mapping[str, Any]) -> str:
    return str(each.get("mountPath") or each.get("name") or each.get("containerPort") or each.get("weight") or "")

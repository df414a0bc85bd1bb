"""What the API server checks inside a pod's specification, wherever it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nova_constructs.emulator.kubernetes.kinds import DEPLOYMENT, JOB, POD, STATEFUL_SET, Kind
from nova_constructs.emulator.kubernetes.names import LABEL_TEXT, Cause, invalid_value, is_label, label_causes
from nova_constructs.emulator.kubernetes.schema import quantity

_ALLOWED: Mapping[str, Sequence[str]] = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "operator": ("Equal", "Exists"),
    "type": (
        "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice",
    ),
}  # fmt: skip
_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def causes_of(kind: Kind, body: Mapping[str, Any]) -> list[Cause]:
    """Give what is wrong with the pods of an object; those of a PyTorchJob are looked at when they are made."""
    if kind == POD:
        return list(_spec(body.get("spec") or {}, "spec"))
    if kind not in (DEPLOYMENT, STATEFUL_SET, JOB):
        return []
    template = body["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    field = "spec.template"
    return [
        *label_causes(f"{field}.metadata.labels", labels),
        *_restart(kind, template.get("spec") or {}, field),
        *_spec(template.get("spec") or {}, f"{field}.spec"),
    ]


def _restart(kind: Kind, spec: Mapping[str, Any], field: str) -> Iterator[Cause]:
    policy = spec.get("restartPolicy")
    if kind == JOB and policy not in ("OnFailure", "Never"):
        message = 'Required value: valid values: "OnFailure", "Never"'
        yield f"{field}.spec.restartPolicy", "FieldValueRequired", message
    if kind != JOB and policy not in (None, "Always"):
        yield _unsupported(f"{field}.spec.restartPolicy", str(policy), ("Always",))


def _spec(spec: Mapping[str, Any], field: str) -> Iterator[Cause]:
    yield from _one_of(spec, field, "restartPolicy", "dnsPolicy")
    volumes = spec.get("volumes") or []
    yield from _volumes(volumes, f"{field}.volumes")
    known = {volume["name"] for volume in volumes}
    if not spec.get("containers"):
        yield f"{field}.containers", "FieldValueRequired", "Required value"
    names: Counter[str] = Counter()
    for part in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(part) or []):
            yield from _container(container, f"{field}.{part}[{place}]", known)
            names[container["name"]] += 1
            if names[container["name"]] > 1:
                yield _duplicate(f"{field}.{part}[{place}].name", container["name"])
    for place, toleration in enumerate(spec.get("tolerations") or []):
        yield from _toleration(toleration, f"{field}.tolerations[{place}]")
    yield from _affinity(spec.get("affinity") or {}, f"{field}.affinity")


def _volumes(volumes: Sequence[Mapping[str, Any]], field: str) -> Iterator[Cause]:
    seen: Counter[str] = Counter(volume["name"] for volume in volumes)
    for place, volume in enumerate(volumes):
        name, sources = volume["name"], [source for source in volume if source != "name"]
        if not is_label(name):
            yield invalid_value(f"{field}[{place}].name", name, LABEL_TEXT)
        if seen[name] > 1:
            yield _duplicate(f"{field}[{place}].name", name)
            seen[name] = 0
        if len(sources) > 1:
            message = "Forbidden: may not specify more than 1 volume type"
            yield f"{field}[{place}].{sources[1]}", "FieldValueForbidden", message
        yield from _one_of(volume.get("hostPath") or {}, f"{field}[{place}].hostPath", "type")


def _container(container: Mapping[str, Any], field: str, volumes: set[str]) -> Iterator[Cause]:
    if not is_label(container["name"]):
        yield invalid_value(f"{field}.name", container["name"], LABEL_TEXT)
    if not container.get("image"):
        yield f"{field}.image", "FieldValueRequired", "Required value"
    yield from _one_of(container, field, "imagePullPolicy")
    paths: Counter[str] = Counter()
    for place, mount in enumerate(container.get("volumeMounts") or []):
        if mount["name"] not in volumes:
            message = f'Not found: "{mount["name"]}"'
            yield f"{field}.volumeMounts[{place}].name", "FieldValueNotFound", message
        paths[mount["mountPath"]] += 1
        if paths[mount["mountPath"]] > 1:
            yield invalid_value(f"{field}.volumeMounts[{place}].mountPath", mount["mountPath"], "must be unique")
    yield from _resources(container.get("resources") or {}, f"{field}.resources")


def _resources(resources: Mapping[str, Any], field: str) -> Iterator[Cause]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, value in [*limits.items(), *requests.items()]:
        where = f"{field}.{'limits' if limits.get(name) is value else 'requests'}[{name}]"
        if (quantity(value) or 0.0) < 0:
            yield invalid_value(where, str(value), "must be greater than or equal to 0")
        if _extended(name) and (quantity(value) or 0.0) % 1:
            yield invalid_value(where, str(value), "must be an integer")
    for name, value in requests.items():
        most, asked = quantity(limits.get(name)) if name in limits else None, quantity(value) or 0.0
        if most is None and _extended(name):
            message = "Required value: Limit must be set for non overcommitable resources"
            yield f"{field}.limits", "FieldValueRequired", message
        elif most is not None and _extended(name) and asked != most:
            yield invalid_value(f"{field}.requests", str(value), f"must be equal to {name} limit of {limits[name]}")
        elif most is not None and asked > most:
            message = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid_value(f"{field}.requests", str(value), message)


def _extended(name: str) -> bool:
    """Tell whether a resource is counted in whole pieces that nobody shares: GPUs, network adapters, huge pages."""
    return ("/" in name and not name.startswith("kubernetes.io/")) or name.startswith("hugepages-")


def _toleration(toleration: Mapping[str, Any], field: str) -> Iterator[Cause]:
    yield from _one_of(toleration, field, "operator", "effect")
    if toleration.get("operator") == "Exists" and toleration.get("value"):
        yield invalid_value(
            f"{field}.operator", str(toleration["value"]), "value must be empty when `operator` is 'Exists'"
        )
    if not toleration.get("key") and toleration.get("operator", "Equal") != "Exists":
        yield invalid_value(f"{field}.operator", "Equal", "operator must be Exists when `key` is empty")


def _affinity(affinity: Mapping[str, Any], field: str) -> Iterator[Cause]:
    node = affinity.get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    where = f"{field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if "nodeSelectorTerms" in required and not required["nodeSelectorTerms"]:
        yield where, "FieldValueRequired", "Required value: must have at least one node selector term"
    for place, term in enumerate(required.get("nodeSelectorTerms") or []):
        for number, each in enumerate(term.get("matchExpressions") or []):
            path = f"{where}[{place}].matchExpressions[{number}]"
            if each["operator"] not in _SELECTOR_OPERATORS:
                yield invalid_value(f"{path}.operator", each["operator"], "not a valid selector operator")
            if each["operator"] in ("In", "NotIn") and not each.get("values"):
                message = "Required value: must be specified when `operator` is 'In' or 'NotIn'"
                yield f"{path}.values", "FieldValueRequired", message


def _one_of(values: Mapping[str, Any], field: str, *names: str) -> Iterator[Cause]:
    for name in names:
        if name in values and values[name] not in _ALLOWED[name]:
            yield _unsupported(f"{field}.{name}", str(values[name]), _ALLOWED[name])


def _unsupported(field: str, value: str, allowed: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{each}"' for each in sorted(allowed))
    return field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}'


def _duplicate(field: str, value: str) -> Cause:
    return field, "FieldValueDuplicate", f'Duplicate value: "{value}"'

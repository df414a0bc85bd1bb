"""What is checked of each kind beyond its fields: selectors, ports, data; and the webhook of the training operator.

The webhook's rules are those of kubeflow/training-operator 1.8 (pkg/webhooks/pytorch).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nova_constructs.emulator.kubernetes import kinds, selectors
from nova_constructs.emulator.kubernetes.kinds import Kind
from nova_constructs.emulator.kubernetes.names import LABEL_1035_TEXT, Cause, invalid_value, is_label_1035
from nova_constructs.emulator.kubernetes.schema import shown
from nova_constructs.emulator.kubernetes.status import StatusError

_WEBHOOK = "validator.pytorchjob.training-operator.kubeflow.org"
_DATA_BYTES = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_REPLICAS = "spec.pytorchReplicaSpecs"


def admit(kind: Kind, body: Mapping[str, Any]) -> None:
    """Ask the admission webhooks; raises StatusError 403 as the server does for a webhook's refusal."""
    if kind != kinds.PYTORCH_JOB:
        return
    found = list(_pytorch_problems(body))
    if found:
        text = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        raise StatusError(403, f'admission webhook "{_WEBHOOK}" denied the request: {text}')


def causes(kind: Kind, body: Mapping[str, Any]) -> list[Cause]:
    """Give what is wrong with the specification of an object."""
    if kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET):
        return list(_selector(body["spec"]))
    if kind == kinds.SERVICE:
        return list(_service(body.get("spec") or {}))
    if kind in (kinds.CONFIG_MAP, kinds.SECRET):
        return list(_data(body))
    return []


def _pytorch_problems(body: Mapping[str, Any]) -> Iterator[str]:
    name = body["metadata"]["name"]
    if not is_label_1035(name):
        yield f"metadata.name: Invalid value: {shown(name)}: should match: {LABEL_1035_TEXT}"
    for role, given in body["spec"]["pytorchReplicaSpecs"].items():
        replica = given or {}
        field = f"{_REPLICAS}[{role}]"
        if role not in ("Master", "Worker"):
            yield f'{field}: Unsupported value: "{role}": supported values: "Master", "Worker"'
        containers = ((replica.get("template") or {}).get("spec") or {}).get("containers") or []
        place = f"{field}.template.spec.containers"
        if not containers:
            yield f"{place}: Required value: must be specified"
        for number, container in enumerate(containers):
            if not container.get("image"):
                yield f"{place}[{number}].image: Required value: must be required"
        if not any(container["name"] == "pytorch" for container in containers):
            yield f"{place}: Required value: must have at least one container with name pytorch"
        if role == "Master" and replica.get("replicas") != 1:
            yield f"{field}.replicas: Forbidden: must be 1"


def _selector(spec: Mapping[str, Any]) -> Iterator[Cause]:
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    selector = spec["selector"]
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid_value("spec.selector", "{}", "empty selector is invalid for a workload")
    elif not selectors.of_object(selector)(labels):
        message = f"Invalid value: {shown(labels)}: `selector` does not match template `labels`"
        yield "spec.template.metadata.labels", "FieldValueInvalid", message


def _service(spec: Mapping[str, Any]) -> Iterator[Cause]:
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield "spec.ports", "FieldValueRequired", "Required value"
    for place, port in enumerate(ports):
        if not 1 <= port["port"] <= 65535:
            message = f"Invalid value: {port['port']}: must be between 1 and 65535, inclusive"
            yield f"spec.ports[{place}].port", "FieldValueInvalid", message
        if len(ports) > 1 and not port.get("name"):
            yield f"spec.ports[{place}].name", "FieldValueRequired", "Required value"


def _data(body: Mapping[str, Any]) -> Iterator[Cause]:
    size = 0
    for field in ("data", "binaryData", "stringData"):
        for key, value in (body.get(field) or {}).items():
            size += len(str(value).encode())
            if not _DATA_KEY.fullmatch(key):
                message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield invalid_value(f"{field}[{key}]", key, message)
    if size > _DATA_BYTES:
        yield "data", "FieldValueTooLong", f"Too long: may not be more than {_DATA_BYTES} bytes"

"""What the API server checks before it keeps an object, in its order and with its words."""

from __future__ import annotations

from typing import Any

from nova_constructs.emulator.kubernetes import names, pod_rules, workload_rules
from nova_constructs.emulator.kubernetes.kinds import Kind
from nova_constructs.emulator.kubernetes.names import Cause
from nova_constructs.emulator.kubernetes.schema import Findings, Mistyped, canonical, check, shown
from nova_constructs.emulator.kubernetes.status import StatusError, invalid

FIELD_VALIDATION = ("Ignore", "Warn", "Strict")


def accepted(kind: Kind, body: Any, namespace: str, field_validation: str) -> tuple[dict[str, Any], list[str]]:
    """Return the object as it is kept, and the warnings; raises StatusError 400, 403 or 422 for what is refused."""
    _check_identity(kind, body, namespace)
    findings = check(body, kind.kind)
    warnings = _decoded(kind, findings, field_validation)
    kept: dict[str, Any] = findings.body if kind.custom else canonical(findings.body, kind.kind)
    kept.pop("status", None)
    metadata = kept.setdefault("metadata", {})
    if kind.namespaced:
        metadata["namespace"] = namespace
    if "name" not in metadata and metadata.get("generateName"):
        metadata["name"] = names.generated(metadata["generateName"])
    name = metadata.get("name", "")
    causes = [(path, "FieldValueRequired", "Required value") for path in findings.missing]
    causes += _typed(kind, findings) + names.metadata_causes(kind, metadata)
    if causes:
        raise invalid(kind.kind, name, causes, kind.group)
    workload_rules.admit(kind, kept)
    if causes := [*workload_rules.causes(kind, kept), *pod_rules.causes_of(kind, kept)]:
        raise invalid(kind.kind, name, causes, kind.group)
    return kept, warnings


def _check_identity(kind: Kind, body: Any, namespace: str) -> None:
    if not isinstance(body, dict):
        raise StatusError(400, "the body of the request is no object")
    if not kind.custom:  # the decoder knows what the path asks for
        body.setdefault("apiVersion", kind.api_version)
        body.setdefault("kind", kind.kind)
    if body.get("apiVersion") != kind.api_version or body.get("kind") != kind.kind:
        given = f"{body.get('apiVersion')}, Kind={body.get('kind')}"
        raise StatusError(
            400,
            f"the object provided is unrecognized (must be of type {kind.kind}): it says {given}",
            reason="BadRequest",
        )
    metadata = body.get("metadata")
    place = metadata.get("namespace") if isinstance(metadata, dict) else None
    if kind.namespaced and place not in (None, "", namespace):
        raise StatusError(
            400, f"the namespace of the provided object does not match the namespace sent on the request ({place})"
        )


def _decoded(kind: Kind, findings: Findings, field_validation: str) -> list[str]:
    """Refuse what cannot be decoded; return the warnings about unknown fields."""
    prefix = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    for found in findings.mistyped:
        if not kind.custom or found.path.startswith("metadata"):
            raise StatusError(400, prefix + _decoding_error(found))
    unknown = [f'unknown field "{path}"' for path in findings.unknown]
    if unknown and field_validation == "Strict":
        raise StatusError(400, f"{prefix}strict decoding error: {', '.join(unknown)}")
    return unknown if field_validation == "Warn" else []


def _decoding_error(found: Mistyped) -> str:
    if found.wanted == "quantity":
        return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    if found.wanted == "base64":
        return f"illegal base64 data in {found.path}"
    given = {bool: "bool", str: "string", list: "array", dict: "object"}.get(type(found.value), "number")
    return f"json: cannot unmarshal {given} into Go struct field {found.path} of type {found.wanted}"


def _typed(kind: Kind, findings: Findings) -> list[Cause]:
    """Give the causes of wrong types in objects of a CustomResourceDefinition, which are checked by its schema."""
    if not kind.custom:
        return []
    causes = []
    for found in findings.mistyped:
        wanted = "integer or string" if found.wanted in ("quantity", "port") else found.wanted
        given = shown(found.value) if not isinstance(found.value, (dict, list)) else f'"{type(found.value).__name__}"'
        message = f"Invalid value: {given}: {found.path} in body must be of type {wanted}: {given}"
        causes.append((found.path, "FieldValueTypeInvalid", message))
    return causes

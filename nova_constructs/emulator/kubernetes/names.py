"""Names, labels and the other metadata of objects: which values are allowed."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Any

from nova_constructs.emulator.kubernetes.kinds import NAMESPACE, SERVICE, STATEFUL_SET, Kind

Cause = tuple[str, str, str]
"""Field, reason and message of one thing that is wrong."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ANNOTATIONS_BYTES = 256 * 1024
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid")

SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character"
)


def is_label(text: str) -> bool:
    """Tell whether a text is a DNS-1123 label."""
    return len(text) <= 63 and bool(_LABEL.fullmatch(text))


def is_label_1035(text: str) -> bool:
    """Tell whether a text is a DNS-1035 label."""
    return len(text) <= 63 and bool(_LABEL_1035.fullmatch(text))


def is_subdomain(text: str) -> bool:
    """Tell whether a text is a DNS-1123 subdomain."""
    return len(text) <= 253 and bool(_SUBDOMAIN.fullmatch(text))


def generated(prefix: str) -> str:
    """Make a name of a prefix, as `generateName` asks."""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))


def invalid_value(field: str, value: str, message: str) -> Cause:
    """Say that a value is not allowed."""
    return field, "FieldValueInvalid", f'Invalid value: "{value}": {message}'


def metadata_causes(kind: Kind, metadata: Mapping[str, Any]) -> list[Cause]:
    """Give what is wrong with the metadata of an object."""
    causes = list(_name_causes(kind, str(metadata.get("name", ""))))
    causes += label_causes("metadata.labels", metadata.get("labels") or {})
    annotations = metadata.get("annotations") or {}
    causes += _key_causes("metadata.annotations", annotations)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_BYTES:
        text = f"Too long: may not be more than {_ANNOTATIONS_BYTES} bytes"
        causes.append(("metadata.annotations", "FieldValueTooLong", text))
    for place, owner in enumerate(metadata.get("ownerReferences") or []):
        field = f"metadata.ownerReferences[{place}]"
        causes += [
            invalid_value(f"{field}.{name}", "", f"{name} must not be empty")
            for name in _OWNER_FIELDS
            if not owner.get(name)
        ]
    return causes


def label_causes(field: str, labels: Mapping[str, str]) -> list[Cause]:
    """Give what is wrong with labels."""
    causes = list(_key_causes(field, labels))
    for value in labels.values():
        if len(value) > 63:
            causes.append(invalid_value(field, value, "must be no more than 63 characters"))
        if value and not _QUALIFIED.fullmatch(value):
            causes.append(invalid_value(field, value, _LABEL_VALUE_TEXT))
    return causes


def _key_causes(field: str, pairs: Mapping[str, str]) -> Iterator[Cause]:
    for key in pairs:
        prefix, _, name = key.rpartition("/")
        if prefix and not is_subdomain(prefix):
            yield invalid_value(field, key, f"prefix part {SUBDOMAIN_TEXT}")
        if len(name) > 63 or not _QUALIFIED.fullmatch(name):
            yield invalid_value(field, key, _KEY_TEXT)


def _name_causes(kind: Kind, name: str) -> Iterator[Cause]:
    field = "metadata.name"
    if not name:
        yield field, "FieldValueRequired", "Required value: name or generateName is required"
    elif kind == SERVICE:
        if not is_label_1035(name):
            yield invalid_value(field, name, _length(name) or LABEL_1035_TEXT)
    elif kind in (NAMESPACE, STATEFUL_SET):
        if not is_label(name):
            yield invalid_value(field, name, _length(name) or LABEL_TEXT)
    elif not is_subdomain(name):
        yield invalid_value(field, name, "must be no more than 253 characters" if len(name) > 253 else SUBDOMAIN_TEXT)


def _length(name: str) -> str:
    return "must be no more than 63 characters" if len(name) > 63 else ""

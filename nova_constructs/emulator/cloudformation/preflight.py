"""Refuse a template that the emulator would not honour, with everything that is in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nova_constructs.emulator.cloudformation import clusters, compute, identity, messaging, orchestration, storage
from nova_constructs.emulator.cloudformation.kind import Kind, words

KINDS: Mapping[str, Kind] = {
    kind.type: kind
    for module in (storage, identity, clusters, compute, orchestration, messaging)
    for kind in module.KINDS
}
_ATTRIBUTES = words("Type Properties DependsOn Condition DeletionPolicy UpdateReplacePolicy Metadata")
_SECTIONS = words(
    "AWSTemplateFormatVersion Description Metadata Parameters Mappings Conditions Rules Resources Outputs"
)


class UnsupportedTemplate(Exception):  # noqa: N818  # the name says what is the matter, as in ValidationError
    """The template uses something that the emulator does not emulate; `problems` lists all of it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the emulator cannot honour this template:\n" + "\n".join(f"  {line}" for line in problems))
        self.problems = problems


def check(template: Mapping[str, Any]) -> None:
    """Raise UnsupportedTemplate unless every type and property of the template is emulated."""
    found = [f"section {name}" for name in template if name not in _SECTIONS]
    for logical_id, resource in template.get("Resources", {}).items():
        found += [f"{logical_id} ({resource['Type']}): {problem}" for problem in _problems(resource)]
    if found:
        raise UnsupportedTemplate(found)


def _problems(resource: Mapping[str, Any]) -> Iterator[str]:
    kind = KINDS.get(resource["Type"])
    if kind is None:
        yield "type is not emulated"
        return
    yield from (f"attribute {name} is not emulated" for name in resource if name not in _ATTRIBUTES)
    properties = resource.get("Properties", {})
    for name in properties:
        if name not in kind.applied and name not in kind.recorded:
            yield f"property {name} is not emulated"
    yield from (f"{problem} is not emulated" for problem in kind.problems(properties))

"""What the engine knows about a resource type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nova_constructs.emulator.aws import operator_client
from nova_constructs.emulator.state import EmulatorState

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What making a resource gave: the value of Ref and those of Fn::GetAtt."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aws:
    """The clients a resource is made with, and where."""

    state: EmulatorState

    def __getattr__(self, service: str) -> Any:
        if service.startswith("_"):
            raise AttributeError(service)
        return operator_client(self.state, service)

    def client(self, service: str) -> Any:
        """Return the operator's client of a service."""
        return operator_client(self.state, service)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a regional resource of this account."""
        return f"arn:aws:{service}:{self.state.region}:{self.state.account}:{resource}"


class Kind(ABC):
    """A resource type: which properties it applies, and how it is made, changed and deleted."""

    type: ClassVar[str]
    applied: ClassVar[frozenset[str]]
    recorded: ClassVar[frozenset[str]] = frozenset()
    """Properties without an effect that anything here could observe."""
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change makes a new resource."""
    name_property: ClassVar[str] = ""
    name_limit: ClassVar[int] = 64
    lower_case: ClassVar[bool] = False

    @abstractmethod
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        """Make the resource; `name` is the one given or a generated one."""

    @abstractmethod
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        """Change the resource in place."""

    @abstractmethod
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        """Delete the resource."""

    def problems(self, properties: Properties) -> list[str]:  # noqa: ARG002  # most kinds look at names only
        """Return what cannot be honoured inside the values of a template's properties."""
        return []


def words(text: str) -> frozenset[str]:
    """Return the words of a text: the way property tables are written."""
    return frozenset(text.split())


def only(properties: Properties, names: str) -> dict[str, Any]:
    """Return the properties of these names that are given."""
    return {name: properties[name] for name in names.split() if name in properties}


def flag(value: object) -> bool:
    """Return a boolean that the template may write as text."""
    return str(value).lower() == "true"


def tag_map(properties: Properties) -> dict[str, str]:
    """Return the tags as a map."""
    tags = properties.get("Tags", [])
    if isinstance(tags, Mapping):
        return {key: str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags}

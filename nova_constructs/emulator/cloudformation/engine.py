"""Make, change and delete the resources of a stack; moto keeps the stacks, change sets and outputs."""

from __future__ import annotations

import json
import logging
import re
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import moto.cloudformation.models as stacks
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.cloudformation.parsing import ResourceMap, clean_json

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties
from nova_constructs.emulator.cloudformation.preflight import KINDS, UnsupportedTemplate, check
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState, Undo

log = logging.getLogger(__name__)

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


@dataclass(slots=True, kw_only=True)
class Resource:
    """A resource of a stack, with the names that moto's stack answers read."""

    logical_resource_id: str
    type: str
    made: Made
    properties: Properties
    policies: tuple[str, str]

    @property
    def cf_resource_type(self) -> str:
        return self.type

    @property
    def physical_resource_id(self) -> str:
        return self.made.physical_id

    @property
    def deletion_policy(self) -> str:
        return self.policies[0]

    @property
    def update_replace_policy(self) -> str:
        return self.policies[1]

    def get_cfn_attribute(self, name: str) -> str:
        """Return an attribute for Fn::GetAtt."""
        if name not in self.made.attributes:
            raise UnformattedGetAttTemplateException
        return self.made.attributes[name]

    def is_created(self) -> bool:
        return True


class Resources(ResourceMap):
    """Resources of one stack, made in the order of their references."""

    aws: Aws

    def __getitem__(self, key: str) -> Any:
        if key in self._parsed_resources:
            return self._parsed_resources[key]
        if key in self._resource_json_map and self._wanted(key):
            self._apply(key, None)
            return self._parsed_resources[key]
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a resource, or the default if the template has none of this name."""
        try:
            return self[key]
        except KeyError:
            return default

    def values(self) -> Any:
        return [self._parsed_resources[key] for key in self._resource_json_map if key in self._parsed_resources]

    def validate_outputs(self) -> None:
        """Leave outputs to their evaluation, which fails on what does not exist."""

    def create(self, template: dict[str, Any]) -> bool:
        """Make every resource; if one fails, those made before it are deleted again."""
        _checked(template)
        self._template, self._resource_json_map = template, template["Resources"]
        try:
            for logical_id in self._order():
                if logical_id not in self._parsed_resources:
                    self._apply(logical_id, None)
        except Exception as error:
            log.warning("stack %s: %s", self._stack_name(), error)
            self._delete_all(keep_retained=False)
            raise ValidationError(message=f"stack {self._stack_name()} could not be created: {error}") from error
        return True

    def update(self, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        """Make new resources, change or replace changed ones, then delete what is gone."""
        _checked(template)
        before = {key: value for key, value in self._parsed_resources.items() if isinstance(value, Resource)}
        self._template, self._resource_json_map = template, template["Resources"]
        self.input_parameters = parameters or self.input_parameters
        self._parsed_resources = {
            key: value for key, value in self._parsed_resources.items() if not isinstance(value, Resource)
        }
        self.load()
        obsolete: list[Resource] = []
        for logical_id in self._order():
            obsolete += self._apply(logical_id, before.get(logical_id))
        gone = [old for key, old in before.items() if key not in self._parsed_resources]
        for old in reversed(obsolete + gone):
            if old.deletion_policy not in {"Retain", "RetainExceptOnCreate"}:
                self._delete(old)

    def delete(self) -> None:
        """Delete every resource that its policy does not retain."""
        self._delete_all(keep_retained=True)

    def _apply(self, logical_id: str, old: Resource | None) -> list[Resource]:
        """Make or change one resource; returns the old one if it was replaced and is to be deleted."""
        given = self._resource_json_map[logical_id]
        kind = KINDS[given["Type"]]
        properties = _without_nothing(clean_json(given.get("Properties", {}), self))
        replaced = old is not None and (old.type != kind.type or _differs(old.properties, properties, kind))
        if old is None or replaced:
            made = self._described(
                logical_id, kind, lambda: kind.create(self.aws, self._name(logical_id, kind, properties), properties)
            )
        elif old.properties != properties:
            made = self._described(
                logical_id, kind, lambda: kind.update(self.aws, old.made, properties, old.properties)
            )
        else:
            made = old.made
        policies = given.get("DeletionPolicy", "Delete"), given.get("UpdateReplacePolicy", "Delete")
        self._parsed_resources[logical_id] = Resource(
            logical_resource_id=logical_id, type=kind.type, made=made, properties=properties, policies=policies
        )
        return [old] if old is not None and replaced and old.update_replace_policy != "Retain" else []

    def _described(self, logical_id: str, kind: Kind, action: Any) -> Made:
        try:
            made: Made = action()
        except Exception as error:
            error.add_note(f"while making {logical_id} ({kind.type})")
            raise ValidationError(message=f"{logical_id} ({kind.type}): {error}") from error
        return made

    def _delete(self, resource: Resource) -> None:
        KINDS[resource.type].delete(self.aws, resource.made, resource.properties)

    def _delete_all(self, *, keep_retained: bool) -> None:
        failures = []
        made = [item for item in self._parsed_resources.values() if isinstance(item, Resource)]
        for resource in reversed(made):
            if keep_retained and resource.deletion_policy == "Retain":
                continue
            try:
                self._delete(resource)
                del self._parsed_resources[resource.logical_resource_id]
            except Exception as error:
                failures.append(f"{resource.logical_resource_id} ({resource.type}): {error}")
        if failures and keep_retained:
            raise ValidationError(message=f"stack {self._stack_name()} could not be deleted: {'; '.join(failures)}")

    def _wanted(self, logical_id: str) -> bool:
        condition = self._resource_json_map[logical_id].get("Condition")
        return condition is None or bool(self.lazy_condition_map[condition])

    def _order(self) -> list[str]:
        """Return the wanted resources, each after those it refers to."""
        ordered: dict[str, None] = {}

        def visit(logical_id: str, path: tuple[str, ...]) -> None:
            if logical_id in path:
                raise ValidationError(message=f"Circular dependency between resources: {', '.join(path)}")
            if logical_id in ordered or not self._wanted(logical_id):
                return
            for needed in _references(self._resource_json_map[logical_id]):
                if needed in self._resource_json_map:
                    visit(needed, (*path, logical_id))
            ordered[logical_id] = None

        for logical_id in self._resource_json_map:
            visit(logical_id, ())
        return list(ordered)

    def _name(self, logical_id: str, kind: Kind, properties: Properties) -> str:
        given = properties.get(kind.name_property)
        if given is not None:
            return str(given)
        suffix = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
        room = kind.name_limit - len(suffix) - 1
        stack = self._stack_name()[: max(room - len(logical_id) - 1, 8)]
        name = f"{f'{stack}-{logical_id}'[:room].rstrip('-')}-{suffix}"
        return name.lower() if kind.lower_case else name

    def _stack_name(self) -> str:
        return str(self._parsed_resources["AWS::StackName"])


def install(state: EmulatorState) -> Undo:
    """Let moto's stacks use this engine."""
    parse = stacks.Stack.parse_template
    patches = Patches()
    patches.replace(stacks, "ResourceMap", type("EmulatedResources", (Resources,), {"aws": Aws(state)}))
    patches.replace(stacks.Stack, "parse_template", staticmethod(lambda text: _parsed(text, parse)))
    patches.replace(stacks.ChangeSet, "apply", _apply_change_set)
    return patches.undo


def _apply_change_set(change_set: Any) -> None:
    """Apply a change set and let its stack show the new template's outputs, which moto forgets."""
    stack = change_set.stack
    stack.resource_map.update(change_set.template_dict, change_set.parameters)
    stack.template, stack.template_dict = change_set.template, change_set.template_dict
    stack.output_map = stack._create_output_map()


def _parsed(text: str, parse_yaml: Any) -> dict[str, Any]:
    """Read JSON first: moto's YAML reader takes seconds for a template of a few hundred kilobytes."""
    try:
        parsed: dict[str, Any] = json.loads(text)
    except ValueError:
        parsed = parse_yaml(text)
    return parsed


def _checked(template: Mapping[str, Any]) -> None:
    try:
        check(template)
    except UnsupportedTemplate as error:
        raise ValidationError(message=str(error)) from error


def _differs(before: Properties, after: Properties, kind: Kind) -> bool:
    return any(before.get(name) != after.get(name) for name in kind.replaced_by)


def _references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a resource refers to or depends on."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.split(".")[0]
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                yield from (name.split(".")[0] for name in _SUBSTITUTION.findall(text))
                yield from _references(item)
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _without_nothing(value: Any) -> Any:
    """Drop list items that AWS::NoValue left behind; moto drops only map entries."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value if item is not None]
    return value

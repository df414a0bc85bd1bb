"""Reads `customizations.yaml`: its keys are the props of NovaCustomization, unknown keys are errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

SCHEMA_FILE = Path(__file__).with_name("customizations.schema.json")


class SettingsError(ValueError):
    """A settings file that cannot be used; the message names the file and every problem."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomizationSettings:
    """One entry of the file, checked against the schema; `props` are left in the file's own words."""

    name: str
    stack: str
    props: Mapping[str, Any]


def read_settings(path: Path) -> list[CustomizationSettings]:
    """Read and check a settings file.

    Raises SettingsError where the file is missing, is not YAML, has duplicate keys or does not fit the schema.
    """
    document = _load(path)
    problems = _problems(document)
    if problems:
        raise SettingsError("\n".join([f"{path} cannot be used:", *(f"  - {problem}" for problem in problems)]))
    entries = []
    for entry in document["customizations"]:
        props = {key: value for key, value in entry.items() if key not in ("name", "stack")}
        stack = entry.get("stack", f"Nova-{entry['name']}")
        entries.append(CustomizationSettings(name=entry["name"], stack=stack, props=props))
    places = [(entry.stack, entry.name) for entry in entries]
    twice = sorted({name for stack, name in places if places.count((stack, name)) > 1})
    if twice:
        raise SettingsError(f"{path}: name {', '.join(twice)} stands twice in one stack: give each its own name")
    return entries


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML readers otherwise settle silently."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [(loader.construct_object(key, deep=True), value) for key, value in node.value]
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
    return {key: loader.construct_object(value, deep=True) for key, value in pairs}


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _load(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: write it, or name another file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from None


def _problems(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    found = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    return [f"{_where(error)}: {error.message}" for error in found]


def _where(error: jsonschema.ValidationError) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return where.lstrip(".") or "the file"

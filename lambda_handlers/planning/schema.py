"""Check a value against a JSON Schema and say what is wrong in the words of whoever wrote the value.

Covers the keywords that the published schemas use; a keyword that is not known here is an error, never ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lambda_handlers.catalog.lookup import nearest

Schema = Mapping[str, Any]

_SILENT: Final = frozenset({"$schema", "$id", "$defs", "title", "description", "default"})
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "null": (type(None),),
    "number": (int, float),
}
_WORDS: Final = {"object": "an object", "string": "a text", "boolean": "true or false", "array": "a list"}


def problems(value: Any, schema: Schema) -> list[str]:
    """Return every problem of a value, each naming the key, the value received and what is allowed; empty if none."""
    return list(_problems(value, schema, schema, ""))


def _problems(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    for keyword, argument in schema.items():
        if keyword == "$ref":
            yield from _problems(value, _resolve(argument, root), root, path)
        elif keyword == "anyOf":
            yield from _any_of(value, argument, root, path)
        elif keyword == "properties":
            yield from _properties(value, argument, root, path)
        elif keyword not in _SILENT:
            yield from _CHECKS[keyword](value, argument, schema, path)


def _resolve(reference: str, root: Schema) -> Schema:
    target: Any = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    resolved: Schema = target
    return resolved


def _any_of(value: Any, branches: list[Schema], root: Schema, path: str) -> Iterator[str]:
    found = [list(_problems(value, branch, root, path)) for branch in branches]
    if all(found):
        fitting = [
            problems
            for branch, problems in zip(branches, found, strict=True)
            if _is_type(value, str(_expand(branch, root).get("type")))
        ]
        kinds = " or ".join(dict.fromkeys(_WORDS[str(_expand(branch, root)["type"])] for branch in branches))
        # Of several forms of one type, the one that was nearly met is the one that was meant.
        yield from min(fitting, key=len) if fitting else [f"{_name(path)}: received {_shown(value)}; allowed: {kinds}"]


def _expand(branch: Schema, root: Schema) -> Schema:
    return _resolve(branch["$ref"], root) if "$ref" in branch else branch


def _properties(value: Any, members: Mapping[str, Schema], root: Schema, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in members.items():
            if key in value:
                yield from _problems(value[key], member, root, f"{path}.{key}" if path else key)


def _additional(value: Any, allowed: bool, schema: Schema, path: str) -> Iterator[str]:
    if allowed or not isinstance(value, dict):
        return
    known = list(schema.get("properties", {}))
    for key in value:
        if key not in known:
            near = nearest(str(key), known)
            hint = f"did you mean {near}?" if near else f"allowed: {', '.join(known)}"
            yield f"{_name(f'{path}.{key}' if path else str(key))}: unknown key with value {_shown(value[key])}; {hint}"


def _required(value: Any, names: list[str], _schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield f"{_name(f'{path}.{name}' if path else name)}: missing"


def _type(value: Any, name: str, _schema: Schema, path: str) -> Iterator[str]:
    if not _is_type(value, name):
        yield f"{_name(path)}: received {_shown(value)}; allowed: {_WORDS.get(name, name)}"


def _enum(value: Any, allowed: list[Any], _schema: Schema, path: str) -> Iterator[str]:
    if not any(type(value) is type(each) and value == each for each in allowed):
        near = nearest(value, allowed) if isinstance(value, str) else None
        hint = f"; did you mean {near}?" if near else ""
        yield f"{_name(path)}: received {_shown(value)}; allowed: {', '.join(map(str, allowed))}{hint}"


def _pattern(value: Any, pattern: str, _schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(pattern, value):
        yield f"{_name(path)}: received {_shown(value)}; allowed: {_described(pattern)}"


def _min_length(value: Any, least: int, _schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, str) and len(value) < least:
        yield f"{_name(path)}: received {_shown(value)}; allowed: at least {least} characters"


def _max_length(value: Any, most: int, _schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, str) and len(value) > most:
        yield f"{_name(path)}: received {len(value)} characters; allowed: at most {most}"


_CHECKS: Final[Mapping[str, Callable[[Any, Any, Schema, str], Iterator[str]]]] = {
    "additionalProperties": _additional,
    "required": _required,
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minLength": _min_length,
    "maxLength": _max_length,
}


def _is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, ()))


def _name(path: str) -> str:
    return path or "input"


def _described(pattern: str) -> str:
    if "s3://" in pattern:
        return "the s3:// address of an object, such as s3://bucket/folder/file.jsonl"
    return f"a text of the form {pattern}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 100 else f"{text[:97]}..."

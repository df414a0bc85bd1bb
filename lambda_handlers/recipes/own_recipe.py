"""A recipe of the user's own: from S3, from a file, or as an object of the execution input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import own_document
from lambda_handlers.recipes.places import ObjectApi, object_place, read_object
from lambda_handlers.recipes.template import reference, unfilled


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecipe:
    """Hold a recipe as its author wrote it: a tree of YAML values, and the name that messages call it by."""

    values: Mapping[str, Any]
    source: str


def resolve(given: str | Mapping[str, Any], s3: ObjectApi) -> OwnRecipe:
    """Return the recipe that an execution input gives: an s3:// address (or that of an access point), or an object.

    Raises:
        RecipeInvalid: It cannot be read, or is no recipe; the message says why.
        TransientServiceError: The service could not answer now.
    """
    if isinstance(given, Mapping):
        return from_mapping(given)
    return parse(_download(given, s3), given)


def from_mapping(values: Mapping[str, Any], source: str = "recipe") -> OwnRecipe:
    """Return the recipe that an object is; raise RecipeInvalid where it cannot be one."""
    try:
        size = len(json.dumps(values).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeInvalid(f"{source} has values that a recipe cannot have: {error}.") from error
    if size > own_document.MAX_BYTES:
        raise own_document.too_large(source)
    return _checked(values, source)


def read_file(path: FilePath) -> OwnRecipe:
    """Return the recipe in a local file; raise RecipeInvalid where it is none, OSError where it cannot be read."""
    with path.open("rb") as file:
        return parse(file.read(own_document.MAX_BYTES + 1), str(path))


def parse(content: bytes, source: str) -> OwnRecipe:
    """Return the recipe that YAML in UTF-8 is; raise RecipeInvalid where it cannot be one."""
    return _checked(own_document.read(content, source), source)


def _download(uri: str, s3: ObjectApi) -> bytes:
    place = object_place(uri)
    if place is None:
        raise RecipeInvalid(f"recipe is {uri!r}: give the s3:// address of an object, or the recipe itself.")
    missing = f"The recipe {uri} does not exist."
    denied = f"The recipe {uri} cannot be read: allow s3:GetObject on it (and kms:Decrypt on its key)."
    return read_object(s3, place, missing=missing, denied=denied, limit=own_document.MAX_BYTES + 1)


def _checked(values: Mapping[str, Any], source: str) -> OwnRecipe:
    problems = [*own_document.value_problems(values), *_placeholders(values, ())]
    if problems:
        raise RecipeInvalid(f"{source} cannot be used as a recipe.", problems=problems)
    return OwnRecipe(values=values, source=source)


def _placeholders(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if found := unfilled(key):
                yield f"the key {'.'.join((*path, key))} has the placeholder {found}, which nothing fills."
            yield from _placeholders(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _placeholders(inner, path)
    elif isinstance(value, str) and not reference(value) and (found := unfilled(value)):
        yield f"{'.'.join(path)} has the placeholder {found}, which nothing fills; write the value."

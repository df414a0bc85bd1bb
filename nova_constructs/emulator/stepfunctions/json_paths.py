"""Reference paths give the one value they point at; moto gives a list for a member of an element, such as $[0].name."""

from __future__ import annotations

import re
from typing import Any

import jsonpath_ng.ext.parser
import moto.stepfunctions.parser.asl.utils.json_path as json_path

from nova_constructs.emulator.patches import Patches

_MANY = re.compile(r"\*|\?|\.\.|,|:")
"""What a path can contain that may point at several values; a name with such a sign in it is left to moto."""


def patch_paths(patches: Patches) -> None:
    """Let a path that points at one place give the value there."""
    extract = json_path.extract_json

    def extract_definite(path: str, data: Any) -> Any:
        if _MANY.search(path):
            return extract(path, data)
        matches = jsonpath_ng.ext.parser.parse(path).find(data)
        if not matches:
            raise json_path.NoSuchJsonPathError(json_path=path, data=data)
        return matches[0].value

    patches.replace_everywhere("extract_json", extract, extract_definite)

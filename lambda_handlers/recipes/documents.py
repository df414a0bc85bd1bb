"""Recipe documents as text: YAML in, YAML out, numbers staying numbers in every YAML version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

# YAML 1.1, which PyYAML reads, takes 1e-5 for a string; YAML 1.2 takes it for a number.
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_EXPONENT = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)[eE][-+]?\d+")
# PyYAML folds these into spaces unless they stand, escaped, between double quotes.
_UNUSUAL_BREAK = re.compile("[\x85\u2028\u2029\ufeff]")


def as_number(text: str) -> float | None:
    """Return the number that exponent notation such as '1e-5' stands for, or None."""
    return float(text) if _EXPONENT.fullmatch(text) else None


class Loader(yaml.SafeLoader):
    """Read plain exponent notation without a decimal point as a number, as recipe authors mean it.

    What looks like a date stays text: no recipe has dates, and names such as 2026-06-01 are meant as they stand.
    """


Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_EXPONENT.pattern})$"), list("-+.0123456789"))


def load(text: str) -> Any:
    """Read a YAML document; quoted text stays text.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    return yaml.load(text, Loader=Loader)


def construct(node: yaml.MappingNode) -> Any:
    """Return the values of a document that was composed with `Loader`.

    Raises:
        yaml.YAMLError: A tag stands for nothing that YAML knows.
    """
    loader = Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Dumper(yaml.SafeDumper):
    """Write strings that a YAML 1.2 reader would take for numbers in quotes, and repeated values in full."""

    def ignore_aliases(self, _data: object) -> bool:
        """Return True: a recipe never contains anchors."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if _NUMBER.fullmatch(text) else '"' if _UNUSUAL_BREAK.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(values: Mapping[str, Any]) -> str:
    """Write a recipe as block-style YAML in the order of its keys; floats carry a decimal point (1.0e-05)."""
    return str(yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096))

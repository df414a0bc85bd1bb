"""The payload of a HyperPod recipe: the Kubernetes objects of a job, with placeholders where each run differs.

The hub has it as a rendered Helm chart with `{{placeholders}}` in it, quoted or not, which is no YAML until they are
out of the way. Source: the hub's HpEksPayloadTemplateS3Uri, as the public recipe launcher writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from lambda_handlers.protocol.errors import RecipeInvalid

# Characters for private use: nobody writes them, and YAML takes them for letters.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")
_HIDDEN: Final = re.compile(f"{_OPEN}(.*?){_CLOSE}")


def parse(text: str, source: str = "the payload") -> list[dict[str, Any]]:
    """Return the objects of a payload in their order, every placeholder a text `{{name}}`, however it was written.

    Raises RecipeInvalid where the text is not YAML or holds something that is no Kubernetes object.
    """
    hidden = _PLACEHOLDER.sub(lambda found: f"{_OPEN}{found[1]}{_CLOSE}", text)
    try:
        found = [each for each in yaml.safe_load_all(hidden) if each is not None]
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeInvalid(f"{source} is not YAML: {error}.") from error
    for each in found:
        if not isinstance(each, dict) or not {"apiVersion", "kind", "metadata"} <= set(each):
            raise RecipeInvalid(f"{source} holds something that is no Kubernetes object: {str(each)[:100]!r}.")
    if not found:
        raise RecipeInvalid(f"{source} has no Kubernetes object in it.")
    return [_shown(each) for each in found]


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_shown(key): _shown(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return _HIDDEN.sub(r"{{\1}}", value) if isinstance(value, str) else value

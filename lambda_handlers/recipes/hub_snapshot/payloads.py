"""HyperPod payloads as the hub has them: the text of several Kubernetes objects, with placeholders in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog import Platform, Technique, images, regions
from lambda_handlers.recipes import documents
from lambda_handlers.recipes.hub_snapshot import payload_job, payload_rft
from lambda_handlers.recipes.hub_snapshot.payload_parts import Object
from lambda_handlers.recipes.hub_snapshot.recipes import SnapshotRecipe

# Where the launcher's templates have a placeholder without quotes, which makes a payload no YAML.
_BARE: Final = re.compile(
    r"^( *(?:- )?(?:name|namespace|app|image|replicas|run_id|job): )'(\{\{\w+\}\})'$", re.MULTILINE
)
_TRAINING_CONFIG: Final = "training-config.yaml"


def payload(recipe: SnapshotRecipe, technique: Technique, region: str) -> str:
    """Return the payload of a recipe in a Region; containers that no table has for it stay placeholders."""
    image = "{{container_image}}"
    others = {name: f"{{{{{name}}}}}" for name in images.JOB_CONTAINERS}
    if region in regions.REGIONS:
        others = images.job_containers(region)
        image = images.uri(technique=technique, model=recipe.model, platform=Platform.SMHP, region=region) or image
    template = recipe.template()
    if technique is Technique.RFT:
        found = payload_rft.objects(image, others)
        found[_TRAINING_CONFIG] = []
        configs = [_rft_config(name, task, template) for name, task in payload_rft.CONFIGS.items()]
        return "".join(_section(name, found[name], configs) for name in sorted(found))
    job = payload_job.job(
        image=image,
        init_image=others["init_container_image"],
        replicas=int(recipe.values["run"]["replicas"]),
        evaluates=recipe.evaluates,
    )
    config = _config({"name": payload_job.CONFIG}, template)
    return _section(_TRAINING_CONFIG, [], [config]) + _section("training.yaml", [job], [])


def _section(name: str, objects: list[Object], configs: list[str]) -> str:
    texts = configs if name == _TRAINING_CONFIG else [_text(each) for each in objects]
    return f"---\n# Source: templates/{name}\n\n" + "---\n".join(texts) + "\n"


def _rft_config(name: str, task: str, template: Mapping[str, Any]) -> str:
    own = {**template, "training_config": {**template["training_config"], "task_type": task}}
    return _config({"name": f"{{{{name}}}}-{name}", "namespace": "{{namespace}}"}, own)


def _config(metadata: Mapping[str, str], recipe: Mapping[str, Any]) -> str:
    head = _text({"apiVersion": "v1", "kind": "ConfigMap", "metadata": dict(metadata)})
    return f"{head}data:\n  config.yaml: |-\n{textwrap.indent(documents.dump(recipe), '    ')}"


def _text(thing: Mapping[str, Any]) -> str:
    return _BARE.sub(r"\1\2", documents.dump(thing))

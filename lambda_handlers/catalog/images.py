"""The containers that train and evaluate Nova models, as the public recipes list them per technique.

The hub entry of a recipe names its own image, and that one is used; this table is for the recipes whose entry names
none (judge and reward evaluations), for synth-time permissions and for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lambda_handlers.catalog.methods import Technique
from lambda_handlers.catalog.models import NovaModel
from lambda_handlers.catalog.platforms import Platform
from lambda_handlers.catalog.regions import registry

FINE_TUNE_REPOSITORY = "nova-fine-tune-repo"
EVALUATION_REPOSITORY = "nova-evaluation-repo"
INIT_CONTAINER = "init-container-repo:latest"

_Key = tuple[Technique, int, Platform]
"""Technique, model version and platform."""

_TRAINING_TAGS: dict[_Key, str] = {
    (Technique.SFT, 1, Platform.SMTJ): "SM-TJ-SFT-latest",
    (Technique.SFT, 1, Platform.SMHP): "SM-HP-SFT-latest",
    (Technique.SFT, 2, Platform.SMTJ): "SM-TJ-SFT-V2-latest",
    (Technique.SFT, 2, Platform.SMHP): "SM-HP-SFT-V2-latest",
    (Technique.RFT, 2, Platform.SMTJ): "SM-TJ-RFT-V2-latest",
    (Technique.RFT, 2, Platform.SMHP): "SM-HP-RFT-TRAIN-V2-latest",
    (Technique.CPT, 1, Platform.SMHP): "HP-CPT-latest",
    (Technique.CPT, 2, Platform.SMHP): "SM-HP-CPT-V2-latest",
}

_EVALUATION_TAGS: dict[_Key, str] = {
    (Technique.EVALUATION, version, where): f"SM-{short}-Eval-V2-latest"
    for version in (1, 2)
    for where, short in ((Platform.SMTJ, "TJ"), (Platform.SMHP, "HP"))
}

TAGS: Mapping[_Key, str] = MappingProxyType(
    {key: f"{FINE_TUNE_REPOSITORY}:{tag}" for key, tag in _TRAINING_TAGS.items()}
    | {key: f"{EVALUATION_REPOSITORY}:{tag}" for key, tag in _EVALUATION_TAGS.items()}
)


def uri(*, technique: Technique, model: NovaModel, platform: Platform, region: str) -> str | None:
    """Return the image URI for a technique, or None where no container is known for the combination.

    Raises:
        UnknownNameError: No registry is known in the Region.
    """
    tag = TAGS.get((technique, model.version, platform))
    return None if tag is None else f"{registry(region)}/{tag}"


_RFT_CONTAINERS: Mapping[str, str] = MappingProxyType(
    {
        "rft_generation_container_image": "SM-HP-RFT-GENERATION-V2-latest",
        "rft_storm_container_image": "SM-HP-RFT-STORM-V2-latest",
        "rft_nats_server_container_image": "SM-HP-RFT-NATS-server-V2-latest",
        "rft_nats_reloader_container_image": "SM-HP-RFT-NATS-reloader-V2-latest",
        "rft_redis_container_image": "SM-HP-RFT-REDIS-V2-latest",
    }
)


JOB_CONTAINERS = ("init_container_image", *_RFT_CONTAINERS)
"""The names that HyperPod payloads have for the containers beside the one that trains."""


def job_containers(region: str) -> dict[str, str]:
    """Return the containers beside the one that trains, by the names that HyperPod payloads have for them.

    Source: `nova_regional_parameters.json` of aws/sagemaker-hyperpod-recipes.

    Raises:
        UnknownNameError: No registry is known in the Region.
    """
    where = registry(region)
    services = {name: f"{where}/{FINE_TUNE_REPOSITORY}:{tag}" for name, tag in _RFT_CONTAINERS.items()}
    return {"init_container_image": f"{where}/{INIT_CONTAINER}", **services}


def repository_arns(region: str) -> tuple[str, ...]:
    """Return the ARNs of the repositories that jobs of a Region pull from."""
    account = registry(region).split(".", 1)[0]
    names = (FINE_TUNE_REPOSITORY, EVALUATION_REPOSITORY)
    return tuple(f"arn:aws:ecr:{region}:{account}:repository/{name}" for name in names)

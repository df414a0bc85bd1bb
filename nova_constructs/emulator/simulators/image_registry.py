"""Amazon ECR as far as the pull of a Nova container image needs it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from moto.ecr.responses import ECRResponse

from lambda_handlers.catalog.images import EVALUATION_REPOSITORY, FINE_TUNE_REPOSITORY
from lambda_handlers.catalog.regions import REGIONS
from nova_constructs.emulator.simulators.operations import FALL_BACK, Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo

_REPOSITORIES = {FINE_TUNE_REPOSITORY, EVALUATION_REPOSITORY, "nova-distillation-repo"}
_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repo>[^:]+):(?P<tag>.+)"
)


class NovaImage:
    """A parsed image URI of the Nova registry of a Region."""

    tags: tuple[str, ...] = ("SM-TJ-",)
    """How the tags of the platform's images begin."""
    purpose: str = "training jobs"
    repositories: frozenset[str] = frozenset(_REPOSITORIES)

    def __init__(self, uri: str, region: str) -> None:
        """Raise ValueError if the URI is not an image of the platform in the Region."""
        found = _IMAGE.fullmatch(uri)
        if not found or found["region"] != region or found["account"] != _registry_account(region):
            raise ValueError(f"{uri} is not an image of the Nova registry in {region}")
        if found["repo"] not in self.repositories or not found["tag"].startswith(self.tags):
            raise ValueError(f"{uri} is not an image for {self.purpose}")
        self.uri = uri
        self.registry, self.repository, self.tag = found["account"], found["repo"], found["tag"]

    @property
    def evaluates(self) -> bool:
        """Tell whether the image evaluates models rather than train them."""
        return self.repository == EVALUATION_REPOSITORY


def _registry_account(region: str) -> str | None:
    known = REGIONS.get(region)
    return known.registry_account if known else None


def layer_digest(repository: str) -> str:
    """Digest of the one layer that every image of a repository has."""
    return f"sha256:{hashlib.sha256(repository.encode()).hexdigest()}"


def install(state: SimulatorState) -> Undo:
    """Serve the pull operations for the Nova registry of the Region; other registries stay moto's."""

    def ours(parameters: Parameters) -> bool:
        return parameters.get("registryId") == _registry_account(state.region)

    def get_authorization_token(parameters: Parameters) -> Any:
        registries = parameters.get("registryIds") or [state.account]
        return {"authorizationData": [_token(state, registry) for registry in registries]}

    def batch_check_layer_availability(parameters: Parameters) -> Any:
        if not ours(parameters):
            return FALL_BACK
        _check_repository(parameters)
        digests = parameters["layerDigests"]
        return {"layers": [{"layerDigest": digest, "layerAvailability": "AVAILABLE"} for digest in digests]}

    def get_download_url_for_layer(parameters: Parameters) -> Any:
        if not ours(parameters):
            return FALL_BACK
        _check_repository(parameters)
        digest = parameters["layerDigest"]
        bucket = f"prod-{state.region}-starport-layer-bucket"
        return {"layerDigest": digest, "downloadUrl": f"https://{bucket}.s3.{state.region}.amazonaws.com/{digest}"}

    def batch_get_image(parameters: Parameters) -> Any:
        if not ours(parameters):
            return FALL_BACK
        _check_repository(parameters)
        return {"images": [_image(parameters, image_id) for image_id in parameters["imageIds"]], "failures": []}

    return serve(
        ECRResponse,
        {
            "GetAuthorizationToken": get_authorization_token,
            "BatchCheckLayerAvailability": batch_check_layer_availability,
            "GetDownloadUrlForLayer": get_download_url_for_layer,
            "BatchGetImage": batch_get_image,
        },
    )


def _token(state: SimulatorState, registry: str) -> dict[str, Any]:
    return {
        "authorizationToken": "QVdTOnRva2Vu",
        "expiresAt": state.clock.now() + timedelta(hours=12),
        "proxyEndpoint": f"https://{registry}.dkr.ecr.{state.region}.amazonaws.com",
    }


def _check_repository(parameters: Parameters) -> None:
    name = parameters["repositoryName"]
    if name not in _REPOSITORIES:
        raise aws_error(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{parameters['registryId']}'",
        )


def _image(parameters: Parameters, image_id: Mapping[str, str]) -> dict[str, Any]:
    repository = parameters["repositoryName"]
    manifest = f'{{"schemaVersion":2,"layers":[{{"digest":"{layer_digest(repository)}"}}]}}'
    digest = f"sha256:{hashlib.sha256((repository + str(image_id)).encode()).hexdigest()}"
    return {
        "registryId": parameters["registryId"],
        "repositoryName": repository,
        "imageId": {"imageDigest": digest, **image_id},
        "imageManifest": manifest,
    }

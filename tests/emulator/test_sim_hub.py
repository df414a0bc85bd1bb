"""The public hub and the Nova image registry, as handlers and jobs reach them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator.simulators.image_registry import NovaImage
from tests.emulator import sim_support as support
from tests.emulator.sim_support import World

HUB = {"HubName": "SageMakerPublicHub", "HubContentType": "Model", "HubContentName": "nova-textgeneration-lite-v2"}


@pytest.fixture
def world() -> Iterator[World]:
    with support.running() as running:
        yield running


def test_the_hub_document_names_templates_that_can_be_read(world: World) -> None:
    content = world.client("sagemaker").describe_hub_content(**HUB)
    assert content["HubContentArn"].startswith(
        "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/nova-textgeneration-lite-v2/"
    )
    recipes = json.loads(content["HubContentDocument"])["RecipeCollection"]
    assert recipes
    s3 = world.client("s3")
    for recipe in recipes:
        files = {field: place for field, place in recipe.items() if field.endswith(("TemplateS3Uri", "ParamsS3Uri"))}
        # A recipe is for training jobs, for clusters, or for both.
        platforms = [each for each in ("Smtj", "HpEks") if f"{each}OverrideParamsS3Uri" in recipe]
        assert platforms
        assert len(files) == 2 * len(platforms)
        for place in files.values():
            bucket, _, key = place.removeprefix("s3://").partition("/")
            assert bucket == "jumpstart-cache-prod-us-east-1"
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if "SmtjRecipeTemplateS3Uri" in recipe:
            NovaImage(recipe["SmtjImageUri"], "us-east-1")


def test_a_version_must_exist(world: World) -> None:
    sagemaker = world.client("sagemaker")
    version = sagemaker.describe_hub_content(**HUB)["HubContentVersion"]
    assert sagemaker.describe_hub_content(**HUB, HubContentVersion=version)["HubContentVersion"] == version
    for changes in (
        {"HubContentVersion": "9.9.9"},
        {"HubContentName": "nova-unknown"},
        {"HubName": "OtherHub"},
        {"HubContentType": "Notebook"},
    ):
        with pytest.raises(ClientError) as caught:
            sagemaker.describe_hub_content(**HUB | changes)
        assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_the_hub_is_back_after_a_reset(world: World) -> None:
    from moto.core.base_backend import BackendDict

    BackendDict.reset()
    world.reset()
    assert world.client("s3").list_objects_v2(Bucket="jumpstart-cache-prod-us-east-1")["KeyCount"] > 0


def test_the_nova_registry_serves_pulls_and_knows_its_repositories(world: World) -> None:
    ecr = world.client("ecr")
    image = {"registryId": "708977205387", "repositoryName": "nova-fine-tune-repo"}
    pulled = ecr.batch_get_image(**image, imageIds=[{"imageTag": "SM-TJ-SFT-V2-latest"}])["images"][0]
    digest = json.loads(pulled["imageManifest"])["layers"][0]["digest"]
    layers = ecr.batch_check_layer_availability(**image, layerDigests=[digest])["layers"]
    assert [layer["layerAvailability"] for layer in layers] == ["AVAILABLE"]
    assert ecr.get_download_url_for_layer(**image, layerDigest=digest)["layerDigest"] == digest
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.batch_get_image(registryId="708977205387", repositoryName="other", imageIds=[{"imageTag": "x"}])


def test_other_registries_stay_as_moto_has_them(world: World) -> None:
    ecr = world.client("ecr")
    ecr.create_repository(repositoryName="own")
    assert ecr.batch_get_image(repositoryName="own", imageIds=[{"imageTag": "x"}])["images"] == []
    (token,) = ecr.get_authorization_token()["authorizationData"]
    assert token["proxyEndpoint"] == "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "python:3.13",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-latest",
        "708977205387.dkr.ecr.eu-west-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-latest",
        "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-inference-repo:SM-Inference-latest",
        "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-HP-SFT-latest",
    ],
)
def test_images_that_training_jobs_cannot_use_are_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is not an image"):
        NovaImage(uri, "us-east-1")

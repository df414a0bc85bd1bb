"""Custom models and deployments of Bedrock, and inference on them, as boto3 sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import simulators
from nova_constructs.emulator.simulation import Simulation
from tests.emulator import sim_support as support
from tests.emulator.sim_support import World, prepare, until

FAST = Simulation(training_seconds=300, import_seconds=400, deployment_seconds=300)
IMPORT_ROLE = "arn:aws:iam::123456789012:role/Import"
TAGS = [{"key": "nova-constructs:stage", "value": "import"}]


@pytest.fixture
def world() -> Iterator[World]:
    with support.running(FAST) as running:
        prepare(running)
        yield running


def model_request(uri: str, name: str = "demo", **changes: Any) -> dict[str, Any]:
    source = {"s3DataSource": {"s3Uri": uri}}
    return {"modelName": name, "modelSourceConfig": source, "roleArn": IMPORT_ROLE, "modelTags": TAGS} | changes


def model_state(bedrock: Any, identifier: str) -> dict[str, Any]:
    read = lambda: bedrock.get_custom_model(modelIdentifier=identifier)  # noqa: E731
    return dict(until(read, lambda model: model["modelStatus"] != "Creating"))


def deployment_state(bedrock: Any, identifier: str) -> dict[str, Any]:
    read = lambda: bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=identifier)  # noqa: E731
    return dict(until(read, lambda deployment: deployment["status"] != "Creating"))


def imported(world: World, uri: str | None = None, name: str = "demo") -> str:
    bedrock = world.client("bedrock")
    arn = bedrock.create_custom_model(**model_request(uri or support.trained(world), name))["modelArn"]
    assert model_state(bedrock, arn)["modelStatus"] == "Active"
    return str(arn)


def deployed(world: World, model_arn: str, name: str = "live") -> str:
    bedrock = world.client("bedrock")
    created = bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model_arn)
    arn = created["customModelDeploymentArn"]
    assert deployment_state(bedrock, arn)["status"] == "Active"
    return str(arn)


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_an_import_reads_the_checkpoint_under_its_role_and_becomes_active(world: World) -> None:
    uri = support.trained(world)
    world.acted.clear()
    bedrock = world.client("bedrock")
    arn = bedrock.create_custom_model(**model_request(uri))["modelArn"]
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/[a-z0-9]{12}", arn)
    model = model_state(bedrock, arn)
    assert (model["modelName"], model["customizationType"], model["modelStatus"]) == ("demo", "IMPORTED", "Active")
    assert model["baseModelArn"] == "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0:256k"
    assert set(world.acted) == {(IMPORT_ROLE, "s3", "ListObjectsV2"), (IMPORT_ROLE, "s3", "GetObject")}
    assert bedrock.get_custom_model(modelIdentifier="demo")["modelArn"] == arn
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == TAGS


def test_only_an_escrow_checkpoint_can_be_imported(world: World) -> None:
    create = world.client("bedrock").create_custom_model
    answer = refused(create, **model_request("s3://work/run/"))
    assert answer == "ValidationException: s3://work/run/ is not a model checkpoint in an Amazon-managed S3 bucket."
    uri = support.trained(world)
    assert "ValidationException" in refused(create, **model_request(uri + "0"))
    request = {key: value for key, value in model_request(uri).items() if key != "roleArn"}
    assert "roleArn is required" in refused(create, **request)


def test_a_role_without_trust_is_refused_and_one_without_rights_fails_the_import(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    world.refuse.add("sts:AssumeRole")
    answer = refused(bedrock.create_custom_model, **model_request(uri))
    assert answer == f"ValidationException: Could not assume the provided role {IMPORT_ROLE}."
    world.refuse.clear()
    world.refuse.add("s3:GetObject")
    arn = bedrock.create_custom_model(**model_request(uri))["modelArn"]
    model = model_state(bedrock, arn)
    assert model["modelStatus"] == "Failed"
    assert "AccessDeniedException on s3:GetObject" in model["failureMessage"]


def test_a_client_token_makes_creation_safe_to_repeat(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    request = model_request(uri, clientRequestToken="token-1")
    arn = bedrock.create_custom_model(**request)["modelArn"]
    assert bedrock.create_custom_model(**request)["modelArn"] == arn
    changed = request | {"modelName": "other"}
    assert "different parameters" in refused(bedrock.create_custom_model, **changed)
    conflict = refused(bedrock.create_custom_model, **model_request(uri, clientRequestToken="token-2"))
    assert conflict.startswith("ConflictException: The model name demo")
    model_state(bedrock, arn)
    deployment = {"modelDeploymentName": "live", "modelArn": arn, "clientRequestToken": "token-3"}
    created = bedrock.create_custom_model_deployment(**deployment)["customModelDeploymentArn"]
    assert bedrock.create_custom_model_deployment(**deployment)["customModelDeploymentArn"] == created
    del deployment["clientRequestToken"]
    assert "name live is already in use" in refused(bedrock.create_custom_model_deployment, **deployment)


def test_a_lost_response_makes_one_model(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    world.faults.lose_response("bedrock", "CreateCustomModel")
    bedrock.create_custom_model(**model_request(uri, clientRequestToken="token"))
    assert len(bedrock.list_custom_models()["modelSummaries"]) == 1
    assert world.faults.fired["lose_response"] == 1


def test_injected_failures_and_quotas(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    world.faults.error("bedrock", "CreateCustomModel", "ServiceQuotaExceededException", "too many models")
    answer = refused(bedrock.create_custom_model, **model_request(uri))
    assert answer == "ServiceQuotaExceededException: too many models"
    world.faults.fail_import("bad")
    arn = bedrock.create_custom_model(**model_request(uri, "bad"))["modelArn"]
    assert model_state(bedrock, arn)["failureMessage"] == "The model artifacts could not be read."
    world.faults.fail_deployment("live", "no capacity")
    good = imported(world, uri, "good")
    created = bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=good)
    failed = deployment_state(bedrock, created["customModelDeploymentArn"])
    assert (failed["status"], failed["failureMessage"]) == ("Failed", "no capacity")


def test_what_cannot_be_deployed_is_refused(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    missing = "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/000000000000"
    create = bedrock.create_custom_model_deployment
    answer = refused(create, modelDeploymentName="live", modelArn=missing)
    assert answer.startswith("ResourceNotFoundException: ")
    world.faults.fail_import("bad")
    arn = bedrock.create_custom_model(**model_request(uri, "bad"))["modelArn"]
    model_state(bedrock, arn)
    assert "is not Active" in refused(create, modelDeploymentName="live", modelArn=arn)
    recipe = support.RECIPE.replace("peft_scheme: lora", "peft_scheme: null")
    world.client("s3").put_object(Bucket="work", Key="run/recipe/recipe.yaml", Body=recipe.encode())
    full = imported(world, support.trained(world, "demo-full"), "full")
    assert "supports only models customized with LoRA" in refused(create, modelDeploymentName="live", modelArn=full)


def test_deletion_waits_for_what_depends_on_it(world: World) -> None:
    model_arn, bedrock = imported(world), world.client("bedrock")
    deployment_arn = deployed(world, model_arn)
    answer = refused(bedrock.delete_custom_model, modelIdentifier=model_arn)
    assert answer.startswith("ConflictException: ")
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=deployment_arn)
    bedrock.delete_custom_model(modelIdentifier=model_arn)
    for call, identifier in (
        (bedrock.get_custom_model, {"modelIdentifier": model_arn}),
        (bedrock.get_custom_model_deployment, {"customModelDeploymentIdentifier": deployment_arn}),
        (bedrock.list_tags_for_resource, {"resourceARN": model_arn}),
    ):
        assert refused(call, **identifier).startswith("ResourceNotFoundException: ")


def package(world: World, uri: str, storage: str | None = "Restricted") -> str:
    """Return a version of a model package group that holds a checkpoint."""
    sagemaker = world.client("sagemaker")
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName="Models", ModelPackageGroupDescription="of Nova")
    source = {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    made = sagemaker.create_model_package(
        ModelPackageGroupName="Models",
        InferenceSpecification={"Containers": [{"ModelDataSource": source}]},
        ModelApprovalStatus="Approved",
        **({"ManagedStorageType": storage} if storage else {}),
    )
    return str(made["ModelPackageArn"])


def test_a_model_is_made_of_a_restricted_package_without_a_role(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    arn = package(world, uri)
    assert arn.endswith(":model-package/models/1")
    described = world.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert (described["ManagedStorageType"], described["ModelPackageStatus"]) == ("Restricted", "Completed")
    source = {"modelPackageArnDataSource": {"modelPackageArn": arn}}
    made = bedrock.create_custom_model(modelName="packaged", customModelDataSource=source)["modelArn"]
    assert model_state(bedrock, made)["modelStatus"] == "Active"
    question = [{"role": "user", "content": [{"text": "What is 7 plus 7?"}]}]
    reply = world.client("bedrock-runtime").converse(modelId=deployed(world, made), messages=question)
    assert reply["output"]["message"]["content"] == [{"text": "It is 14."}]


def test_a_package_that_cannot_be_imported_and_two_sources_are_refused(world: World) -> None:
    uri, create = support.trained(world), world.client("bedrock").create_custom_model
    arn = package(world, uri, storage=None)
    source = {"modelPackageArnDataSource": {"modelPackageArn": arn}}
    assert "not a completed one of restricted type" in refused(create, modelName="a", customModelDataSource=source)
    gone = {"modelPackageArnDataSource": {"modelPackageArn": arn.replace("/1", "/9")}}
    answer = refused(create, modelName="a", customModelDataSource=gone)
    assert answer.startswith("ResourceNotFoundException: ")
    assert "Give either" in refused(create, **model_request(uri, customModelDataSource=source))


def test_lists_tags_and_descriptions(world: World) -> None:
    model_arn, bedrock = imported(world), world.client("bedrock")
    deployment_arn = deployed(world, model_arn)
    (model,) = bedrock.list_custom_models(nameContains="dem")["modelSummaries"]
    assert (model["modelArn"], model["ownerAccountId"]) == (model_arn, "123456789012")
    assert bedrock.list_custom_models(nameContains="other")["modelSummaries"] == []
    (live,) = bedrock.list_custom_model_deployments(statusEquals="Active")["modelDeploymentSummaries"]
    assert (live["customModelDeploymentName"], live["modelArn"]) == ("live", model_arn)
    bedrock.tag_resource(resourceARN=deployment_arn, tags=[{"key": "a", "value": "b"}])
    assert simulators.tags_of(world, deployment_arn) == {"a": "b"}  # type: ignore[arg-type]
    bedrock.untag_resource(resourceARN=deployment_arn, tagKeys=["a"])
    assert bedrock.list_tags_for_resource(resourceARN=deployment_arn)["tags"] == []
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="live")
    assert found["customModelDeploymentArn"] == deployment_arn


def test_an_update_swaps_the_model_behind_the_deployment(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    first, second = imported(world, uri, "one"), imported(world, uri, "two")
    arn = deployed(world, first)
    bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=arn, modelArn=second)
    done = until(
        lambda: bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn),
        lambda deployment: deployment["updateDetails"]["updateStatus"] != "Updating",
    )
    assert done["updateDetails"] == {"modelArn": second, "updateStatus": "UpdateCompleted"}
    assert (done["modelArn"], done["status"]) == (second, "Active")


def test_a_deployed_model_answers_from_its_training_data(world: World) -> None:
    arn = deployed(world, imported(world))
    runtime = world.client("bedrock-runtime")
    question = [{"role": "user", "content": [{"text": "Tell me, what is 7 plus 7?"}]}]
    reply = runtime.converse(modelId=arn, messages=question)
    assert reply["output"]["message"] == {"role": "assistant", "content": [{"text": "It is 14."}]}
    assert reply["stopReason"] == "end_turn"
    assert reply["usage"]["totalTokens"] == reply["usage"]["inputTokens"] + reply["usage"]["outputTokens"]
    body = json.dumps({"messages": question, "inferenceConfig": {"maxTokens": 2}})
    raw = runtime.invoke_model(modelId=arn, body=body)
    invoked = json.loads(raw["body"].read())
    assert invoked["output"]["message"]["content"] == [{"text": "It is"}]
    assert invoked["stopReason"] == "max_tokens"
    again = runtime.converse(modelId=arn, messages=question)
    assert again["output"] == reply["output"]


def test_inference_needs_an_active_deployment(world: World) -> None:
    model_arn, bedrock, runtime = imported(world), world.client("bedrock"), world.client("bedrock-runtime")
    question = [{"role": "user", "content": [{"text": "hello"}]}]
    missing = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/000000000000"
    answer = refused(runtime.converse, modelId=missing, messages=question)
    assert answer.startswith("ResourceNotFoundException: ")
    assert refused(runtime.converse, modelId=model_arn, messages=question).startswith("ValidationException: ")
    world.faults.fail_deployment("live")
    arn = bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=model_arn)
    arn = arn["customModelDeploymentArn"]
    deployment_state(bedrock, arn)
    assert refused(runtime.converse, modelId=arn, messages=question).startswith("ModelNotReadyException: ")

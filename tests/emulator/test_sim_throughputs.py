"""Provisioned throughput of Bedrock, and inference on it, as boto3 sees them."""

from __future__ import annotations

from typing import Any

from nova_constructs.emulator.iam.actions import needs
from tests.emulator import sim_support as support
from tests.emulator.iam_support import FixedFacts, api_call, pairs
from tests.emulator.sim_support import World, until
from tests.emulator.test_sim_bedrock import imported, refused, world

__all__ = ["world"]
QUESTION = [{"role": "user", "content": [{"text": "What is 7 plus 7?"}]}]
MODEL = "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/abcdefabcdef"
THROUGHPUT = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefabcdef"


def provisioned(world: World, model_arn: str, name: str = "mine", **more: Any) -> str:
    made = world.client("bedrock").create_provisioned_model_throughput(
        modelUnits=2, provisionedModelName=name, modelId=model_arn, **more
    )
    return str(made["provisionedModelArn"])


def settled(world: World, arn: str) -> dict[str, Any]:
    read = lambda: world.client("bedrock").get_provisioned_model_throughput(provisionedModelId=arn)  # noqa: E731
    return dict(until(read, lambda found: found["status"] not in {"Creating", "Updating"}))


def test_full_rank_models_are_served_by_provisioned_throughput(world: World) -> None:
    recipe = support.RECIPE.replace("peft_scheme: lora", "peft_scheme: null")
    world.client("s3").put_object(Bucket="work", Key="run/recipe/recipe.yaml", Body=recipe.encode())
    model = imported(world, support.trained(world, "demo-full"))
    arn = provisioned(world, model, tags=[{"key": "a", "value": "b"}])
    found = settled(world, arn)
    assert (found["status"], found["modelUnits"], found["modelArn"]) == ("InService", 2, model)
    reply = world.client("bedrock-runtime").converse(modelId=arn, messages=QUESTION)
    assert reply["output"]["message"]["content"][0]["text"]
    assert world.client("bedrock").list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "a", "value": "b"}]
    [listed] = world.client("bedrock").list_provisioned_model_throughputs(nameContains="min")[
        "provisionedModelSummaries"
    ]
    assert (listed["provisionedModelName"], listed["status"]) == ("mine", "InService")


def test_a_repeated_or_taken_name(world: World) -> None:
    model = imported(world)
    arn = provisioned(world, model, clientRequestToken="token")
    assert provisioned(world, model, clientRequestToken="token") == arn
    create = world.client("bedrock").create_provisioned_model_throughput
    assert "already in use" in refused(create, modelUnits=1, provisionedModelName="mine", modelId=model)


def test_an_update_keeps_the_old_model_answering_until_it_is_done(world: World) -> None:
    uri, bedrock = support.trained(world), world.client("bedrock")
    first, second = imported(world, uri, "one"), imported(world, uri, "two")
    arn = provisioned(world, first)
    settled(world, arn)
    bedrock.update_provisioned_model_throughput(provisionedModelId=arn, desiredModelId=second)
    world.client("bedrock-runtime").converse(modelId=arn, messages=QUESTION)
    assert "in use" in refused(bedrock.delete_custom_model, modelIdentifier=second)
    assert settled(world, arn)["modelArn"] == second
    world.faults.fail_update("mine", "no capacity")
    bedrock.update_provisioned_model_throughput(provisionedModelId=arn, desiredModelId=first)
    failed = settled(world, arn)
    assert (failed["status"], failed["failureMessage"], failed["modelArn"]) == ("Failed", "no capacity", second)


def test_a_commitment_cannot_be_left(world: World) -> None:
    model, bedrock = imported(world), world.client("bedrock")
    arn = provisioned(world, model, commitmentDuration="OneMonth")
    assert settled(world, arn)["commitmentExpirationTime"]
    assert "committed until" in refused(bedrock.delete_provisioned_model_throughput, provisionedModelId=arn)
    free = provisioned(world, model, "free")
    settled(world, free)
    bedrock.delete_provisioned_model_throughput(provisionedModelId=free)
    assert refused(bedrock.get_provisioned_model_throughput, provisionedModelId=free).startswith("ResourceNotFound")


def test_an_injected_answer_is_given_by_whatever_serves_the_model(world: World) -> None:
    arn = provisioned(world, imported(world))
    settled(world, arn)
    world.faults.answer("demo", "", times=1)
    converse = world.client("bedrock-runtime").converse
    assert converse(modelId=arn, messages=QUESTION)["output"]["message"]["content"] == [{"text": ""}]
    assert converse(modelId=arn, messages=QUESTION)["output"]["message"]["content"] != [{"text": ""}]


def test_a_model_with_a_hosting_fault_answers_nothing_and_is_in_service_all_the_same(world: World) -> None:
    arn = provisioned(world, imported(world))
    settled(world, arn)
    world.faults.no_answer("demo", times=1)
    converse = world.client("bedrock-runtime").converse
    assert refused(converse, modelId=arn, messages=QUESTION).startswith("ModelErrorException")
    assert converse(modelId=arn, messages=QUESTION)["output"]["message"]["content"] != [{"text": ""}]


def test_what_the_calls_need() -> None:
    facts = FixedFacts(models={MODEL: MODEL, THROUGHPUT: THROUGHPUT, "mine": THROUGHPUT})
    tags = [{"key": "a", "value": "b"}]
    call = api_call("bedrock", "CreateProvisionedModelThroughput", facts, modelId=MODEL, tags=tags)
    new = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/000000000000"
    assert pairs(needs(call)) == [("bedrock:CreateProvisionedModelThroughput", MODEL), ("bedrock:TagResource", new)]
    call = api_call(
        "bedrock", "UpdateProvisionedModelThroughput", facts, provisionedModelId="mine", desiredModelId=MODEL
    )
    update = "bedrock:UpdateProvisionedModelThroughput"
    assert pairs(needs(call)) == [(update, THROUGHPUT), (update, MODEL)]
    assert needs(api_call("bedrock", "DeleteProvisionedModelThroughput", facts, provisionedModelId="gone")) == []

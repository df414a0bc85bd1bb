"""A model package goes into production in mode deploy, under a key of the models' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow import furnishing
from tests.workflow.deploying import QUESTION
from tests.workflow.harness import SPEED, Workflow, synthesize
from tests.workflow.paths import GROUP, MODEL_KEY, checkpoint_of, package_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEPLOYMENT = {"target": "BEDROCK_OD", "model_key_arn": MODEL_KEY, "model_package_groups": [GROUP]}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization with one run in production."""
    assembly = synthesize(tmp_path_factory.mktemp("packages"), deployment=DEPLOYMENT)
    with Emulator(speed=SPEED) as emulator:
        furnishing.key(emulator, MODEL_KEY)
        made = Workflow(emulator, assembly)
        ended = made.run()
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        yield made


def test_a_package_is_deployed_and_answers(workflow: Workflow) -> None:
    before, package = workflow.pointer(), package_of(workflow, checkpoint_of(workflow))
    ended = workflow.finish(workflow.start(mode="deploy", model_package=package, force=True))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    record = workflow.record(ended["name"])
    assert record["checkpoint_uri"] == package
    model = workflow.emulator.client("bedrock").get_custom_model(modelIdentifier=record["model_arn"])
    assert (model["modelStatus"], model["modelKmsKeyArn"]) == ("Active", MODEL_KEY)
    assert workflow.pointer() == record["deployment_arn"] != before
    runtime = workflow.emulator.client("bedrock-runtime")
    reply = runtime.converse(modelId=workflow.pointer(), messages=QUESTION)
    assert reply["output"]["message"]["content"][0]["text"]

    again = workflow.finish(workflow.start(mode="deploy", model_package=package, force=True))
    assert workflow.record(again["name"])["model_arn"] == record["model_arn"]
    assert workflow.emulator.calls.denied() == []


def test_a_package_that_cannot_be_imported_is_refused_by_the_plan(workflow: Workflow) -> None:
    before = workflow.pointer()
    package = package_of(workflow, checkpoint_of(workflow), storage=None)
    ended = workflow.finish(workflow.start(mode="deploy", model_package=package, force=True))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
    assert "is not of the restricted type" in ended["cause"]
    assert "ImportModel" not in workflow.path(ended["executionArn"])
    assert workflow.pointer() == before


def test_a_key_that_nobody_may_use_any_more_fails_the_run_and_production_stays(workflow: Workflow) -> None:
    before, kms = workflow.pointer(), workflow.emulator.client("kms")
    kms.disable_key(KeyId=MODEL_KEY.rpartition("/")[2])
    ended = workflow.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
    assert f"The KMS key {MODEL_KEY} is Disabled" in ended["cause"]
    assert workflow.pointer() == before

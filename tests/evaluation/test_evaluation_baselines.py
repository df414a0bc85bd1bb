"""What a candidate is compared with: production, or the base model before there is any; measured once."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.evaluation import results
from lambda_handlers.protocol.errors import EvaluationFailed
from tests.evaluation.evaluation_world import World
from tests.training.training_support import RUN, URI, archive

BASE = {"model": "base", "model_path": "nova-lite-2/prod"}
SCORES = b'{"results": {"all": {"accuracy": 0.71, "accuracy_stderr": 0.01}}}'


@pytest.fixture
def world() -> World:
    return World()


def measured(world: World, subject: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Read the scores of a job that evaluated a model by mmlu."""
    world.s3.objects[URI] = archive({"results_1.json": SCORES})
    event = {
        "run": RUN,
        "task": {"task": "mmlu", "subtask": None, "overrides": {}},
        "submitted": {"output_uri": URI, "job": {"kind": "TrainingJob"}},
        "subject": subject,
        "config": {"model": "NOVA_LITE_2"},
        "hub_content_version": "1.0",
        **more,
    }
    return results.read_evaluation(event, s3=world.s3, artifacts_bucket="artifacts", ledger=world.ledger)


def test_without_production_the_base_model_stands_for_it(world: World) -> None:
    assert world.baseline("production") == {"decision": "MEASURE", "subject": BASE}
    assert world.baseline("base") == {"decision": "MEASURE", "subject": BASE}


def test_the_base_model_is_measured_once_in_a_run(world: World) -> None:
    assert world.baseline("production", base_measured=True) == {"decision": "NONE"}


def test_production_is_the_checkpoint_of_the_run_that_moved_the_pointer(world: World) -> None:
    checkpoint = world.trained("run-0")
    world.promote("run-0")
    subject = {"model": "production", "model_path": checkpoint, "run_id": "run-0"}
    assert world.baseline("production", base_measured=True) == {"decision": "MEASURE", "subject": subject}


def test_scores_of_a_candidate_are_known_once_it_is_production(world: World) -> None:
    checkpoint = world.trained("run-0")
    world.promote("run-0")
    record = measured(world, {"model": "candidate", "model_path": checkpoint})
    found = world.baseline("production")
    assert found["decision"] == "KNOWN"
    assert found["record"] == {**record, "model": "production"}


@pytest.mark.parametrize(
    "change",
    [
        {"set": {"uri": "s3://x", "sha256": "ab" * 32, "rows": 3}},
        {"hub_content_version": "2.0"},
        {"task": {"task": "mmlu", "subtask": "anatomy", "overrides": {}, "baseline": "base"}},
        {"task": {"task": "mmlu", "subtask": None, "overrides": {"top_k": 1}, "baseline": "base"}},
        {"config": {"model": "NOVA_PRO"}},
        {"config": {"model": "NOVA_LITE_2", "code_version": "ab"}},
    ],
    ids=["set", "recipes", "subtask", "overrides", "model", "recipes of our own"],
)
def test_scores_are_measured_anew_where_anything_that_decides_on_them_is_other(
    world: World, change: dict[str, Any]
) -> None:
    measured(world, BASE)
    assert world.baseline("base")["decision"] == "KNOWN"
    assert world.baseline("base", **change)["decision"] == "MEASURE"


FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:score"


@pytest.mark.parametrize(("arn", "known"), [(FUNCTION, False), (f"{FUNCTION}:live", False), (f"{FUNCTION}:7", True)])
@pytest.mark.parametrize("kind", ["processor", "reward_function"])
def test_scores_of_a_function_are_known_only_where_its_code_cannot_change(
    world: World, kind: str, arn: str, known: bool
) -> None:
    settings = {"processor": {"function_arn": arn}, "reward_function": arn}
    task = {"task": "mmlu", "subtask": None, "overrides": {}, kind: settings[kind]}
    measured(world, BASE, task=task)
    found = world.baseline("base", task={**task, "baseline": "base"})
    assert found["decision"] == ("KNOWN" if known else "MEASURE")


def test_where_a_job_runs_does_not_decide_on_scores(world: World) -> None:
    measured(world, BASE)
    task: dict[str, Any] = {
        "task": "mmlu",
        "subtask": None,
        "overrides": {},
        "instance_type": "ml.p4d.24xlarge",
        "baseline": "base",
    }
    assert world.baseline("base", task=task)["decision"] == "KNOWN"


def test_production_without_a_known_checkpoint_fails_the_evaluation(world: World) -> None:
    world.promote("run-9")
    with pytest.raises(EvaluationFailed, match=r"Production cannot be compared with: .*run-9"):
        world.baseline("production")


def deployed(world: World, **model: Any) -> None:
    """Bring a model into production by a run of mode deploy."""
    detail = {"plan": {"mode": "deploy", "model": model}, "config": {"training": {"platform": "SMTJ"}}}
    world.ledger.append(run_id="run-9", event_id="run-started", type="run_started", detail=detail)
    world.promote("run-9")


def test_production_that_a_run_of_mode_deploy_brought_is_the_checkpoint_it_deployed(world: World) -> None:
    checkpoint = world.trained("run-0")
    deployed(world, kind="run", model_path=checkpoint, run_id="run-0")
    subject = {"model": "production", "model_path": checkpoint, "run_id": "run-0"}
    assert world.baseline("production")["subject"] == subject


def test_production_that_was_deployed_by_its_address_is_that_checkpoint(world: World) -> None:
    checkpoint = "s3://customer-escrow-123456789012-smtj-abc/elsewhere/step_4"
    deployed(world, kind="checkpoint", model_path=checkpoint, run_id=None)
    subject = {"model": "production", "model_path": checkpoint, "run_id": "run-9"}
    assert world.baseline("production")["subject"] == subject


def test_a_model_package_in_production_cannot_be_measured(world: World) -> None:
    deployed(world, kind="package", model_path="arn:aws:sagemaker:us-east-1:1:model-package/g/1", run_id=None)
    with pytest.raises(EvaluationFailed, match=r"model-package/g/1, which jobs cannot load: compare with the base"):
        world.baseline("production")


def test_what_was_found_is_in_the_ledger(world: World) -> None:
    world.baseline("base")
    [event] = world.ledger.events
    assert (event["type"], event["event_id"]) == ("baseline_found", "evaluation-mmlu-base-found")
    assert event["detail"] == {"stage": "evaluation-mmlu-base", "decision": "MEASURE", "subject": BASE}

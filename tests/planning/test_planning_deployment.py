"""What a run may deploy, and under which name, before anything is spent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lambda_handlers.checks.findings import Findings
from lambda_handlers.planning import deployment_checks, earlier_runs
from lambda_handlers.planning.deployment_checks import check_deployment, find_measured
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.modes import DEPLOY, FULL, TRAIN
from lambda_handlers.protocol.errors import DeploymentExists, InvalidRequest, UnsupportedCombination

CHECKPOINT = "s3://customer-escrow-123456789012-smtj-1/run/step_10"
ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
MODEL = "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/abcdefghijkl"
CONFIG: dict[str, Any] = {
    "customization": "Nova-Demo/Demo",
    "model": "NOVA_LITE_2",
    "method": "SFT_LORA",
    "training": {"platform": "SMTJ"},
    "deployment": {"target": "BEDROCK_OD", "mode": "SWAP", "name": None},
}
NAMED = {"target": "BEDROCK_OD", "mode": "FAIL_IF_EXISTS", "name": "mine"}


class Bedrock:
    """Answers the calls that find deployments."""

    def __init__(self, customization: str | None = None, status: str = "Active") -> None:
        self.customization, self.status = customization, status

    def list_custom_model_deployments(self, **_: Any) -> Any:
        summary = {
            "customModelDeploymentName": "mine",
            "customModelDeploymentArn": ARN,
            "modelArn": MODEL,
            "status": self.status,
        }
        return {"modelDeploymentSummaries": [summary] if self.customization is not None else []}

    def list_tags_for_resource(self, **_: Any) -> Any:
        return {"tags": [{"key": "nova-constructs:customization", "value": self.customization}]}


def context(config: dict[str, Any] | None = None, bedrock: Any = None, region: str = "us-east-1") -> Any:
    return SimpleNamespace(
        config=config or CONFIG,
        findings=Findings(),
        history=SimpleNamespace(events=None, control=None),
        account=SimpleNamespace(bedrock=bedrock),
        places=SimpleNamespace(region=region),
    )


def recorded(monkeypatch: pytest.MonkeyPatch, verdict: str | None) -> None:
    plan = {"mode": "full", "dataset": {"sha256": "data"}, "training": {"recipe_sha256": "recipe"}}
    events = [
        SimpleNamespace(type="run_started", detail={"plan": plan, "config": CONFIG}),
        SimpleNamespace(type="checkpoint_resolved", detail={"uri": CHECKPOINT, "platform": "SMTJ"}),
    ]
    if verdict:
        events.append(SimpleNamespace(type="gate_decided", detail={"verdict": verdict, "sentence": "mmlu is low."}))
    for module in (deployment_checks, earlier_runs):
        monkeypatch.setattr(module, "read", lambda *_: events)


def test_a_run_whose_gate_passed_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(monkeypatch, "PASSED")
    here = context()
    found = find_measured(here, ExecutionInput(mode="deploy", base_run="r1"))
    assert found is not None
    assert (found.model.model_path, found.model.run_id) == (CHECKPOINT, "r1")
    assert found.origin == {
        "run_id": "r1",
        "dataset_sha256": "data",
        "recipe_sha256": "recipe",
        "verdict": "PASSED",
        "sentence": "mmlu is low.",
    }
    assert (here.findings.problems, here.findings.warnings) == ((), [])


@pytest.mark.parametrize(
    ("verdict", "told"), [("FAILED", "said no: mmlu is low."), (None, "the gate of run r1 has decided nothing")]
)
def test_what_the_gate_has_not_let_pass_needs_force(
    monkeypatch: pytest.MonkeyPatch, verdict: str | None, told: str
) -> None:
    recorded(monkeypatch, verdict)
    here = context()
    find_measured(here, ExecutionInput(mode="deploy", base_run="r1"))
    [problem] = here.findings.problems
    assert told in problem
    assert "nothing is deployed that the gate has not let pass" in problem
    forced = context()
    assert find_measured(forced, ExecutionInput(mode="deploy", base_run="r1", force=True)) is not None
    assert forced.findings.problems == ()
    [warning] = forced.findings.warnings
    assert warning.endswith("it is deployed by force.")


def test_a_checkpoint_of_which_nobody_knows_needs_force() -> None:
    here = context()
    find_measured(here, ExecutionInput(mode="deploy", model_path=CHECKPOINT))
    [problem] = here.findings.problems
    assert "no run is known that has measured" in problem
    forced = context()
    find_measured(forced, ExecutionInput(mode="deploy", model_path=CHECKPOINT, force=True))
    assert forced.findings.problems == ()


@pytest.mark.parametrize(
    ("bedrock", "settings", "told"),
    [
        (Bedrock(), NAMED, None),
        (Bedrock("Nova-Demo/Demo"), NAMED, "mode FAIL_IF_EXISTS creates it only"),
        (Bedrock("Nova-Demo/Demo", "Failed"), NAMED, None),
        (Bedrock("Nova-Demo/Demo"), {**NAMED, "mode": "UPDATE_IF_EXISTS"}, None),
        (Bedrock("Other/One"), {**NAMED, "mode": "UPDATE_IF_EXISTS"}, "is not this customization's"),
        (Bedrock("Other/One"), CONFIG["deployment"], None),
    ],
)
def test_a_name_that_is_taken_is_told_before_anything_is_bought(
    bedrock: Bedrock, settings: dict[str, Any], told: str | None
) -> None:
    here = context({**CONFIG, "deployment": settings}, bedrock)
    check_deployment(here, FULL)
    check_deployment(here, TRAIN)
    if told is None:
        assert here.findings.problems == ()
        return
    with pytest.raises(DeploymentExists, match=told):
        here.findings.raise_all()


def test_a_region_without_on_demand_and_a_customization_without_deployment() -> None:
    here = context(region="eu-west-2")
    check_deployment(here, FULL)
    nothing = context({**CONFIG, "deployment": None})
    check_deployment(nothing, DEPLOY)
    with pytest.raises(InvalidRequest, match="deploys nothing"):
        nothing.findings.raise_all()
    with pytest.raises(UnsupportedCombination, match="on demand in eu-west-2"):
        here.findings.raise_all()

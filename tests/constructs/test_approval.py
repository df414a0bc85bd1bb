"""The approval stage as it is synthesized: where it stands, how long it waits, who may do what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match
from aws_cdk.assertions import Template as Assertions

from nova_constructs import Approval, Floor, NovaCustomization, QualityGate, TrainingJobs
from nova_constructs.approval import ApprovalStage
from nova_constructs.checks import ConfigurationError
from nova_constructs.evaluation_task import EvaluationTask

Template = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role/Release"
SETTINGS = {"deadline_hours": 48, "approvers": [ROLE]}


@pytest.fixture(scope="module")
def asked(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    return synthesize({**entry, "approval": SETTINGS})["Nova-Support"]


@pytest.fixture(scope="module")
def definition(definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
    return definition_of({**entry, "approval": SETTINGS})


def statements(template: Template, part: str) -> Iterator[dict[str, Any]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy" and part in name:
            yield from resource["Properties"]["PolicyDocument"]["Statement"]


def test_a_run_waits_between_gate_and_deployment(definition: dict[str, Any]) -> None:
    states = definition["States"]
    assert states["GateDecision"]["Choices"][0]["Next"] == "AwaitApproval"
    wait, decision = states["AwaitApproval"], states["ApprovalDecision"]
    assert (wait["Next"], states["SettleApproval"]["Next"]) == ("ApprovalDecision", "ApprovalDecision")
    assert wait["Resource"].endswith(":states:::lambda:invoke.waitForTaskToken")
    [choice] = decision["Choices"]
    assert (choice["Variable"], choice["StringEquals"]) == ("$.approval.decision", "APPROVED")
    assert (choice["Next"], decision["Default"]) == ("ImportModel", "CloseRejectedRun")


def test_nobody_polls_and_the_deadline_is_the_states_own(definition: dict[str, Any]) -> None:
    wait = definition["States"]["AwaitApproval"]
    assert wait["TimeoutSeconds"] == 48 * 3600
    assert wait["Parameters"]["Payload"]["config"]["deadline_seconds"] == 48 * 3600
    assert [(each["ErrorEquals"], each["Next"]) for each in wait["Catch"]] == [
        (["States.Timeout"], "SettleApproval"),
        (["States.ALL"], "CloseFailedRun"),
    ]
    assert definition["States"]["SettleApproval"]["Catch"][0]["Next"] == "CloseFailedRun"


def test_without_approval_there_is_none(definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]) -> None:
    assert not {"AwaitApproval", "SettleApproval", "ApprovalDecision"} & set(definition_of(entry)["States"])


def test_each_function_may_do_what_it_does_and_no_more(asked: Template) -> None:
    def actions(part: str) -> set[str]:
        found = [each["Action"] for each in statements(asked, part)]
        kept = {name for names in found for name in (names if isinstance(names, list) else [names])}
        return {name for name in kept if not name.startswith(("logs:", "kms:"))}

    table = {"dynamodb:GetItem", "dynamodb:PutItem", "lambda:InvokeFunction"}
    assert actions("ApprovalRequest") == {*table, "states:SendTaskSuccess"}
    assert actions("ApprovalPeopleAnswer") == {*table, "states:SendTaskSuccess"}
    assert actions("ApprovalSettle") == table


def test_the_state_machine_may_not_answer_for_people(asked: Template) -> None:
    [called] = [s for s in statements(asked, "StateMachineRole") if s["Sid"] == "CallStageFunctions"]
    names = str(called["Resource"])
    assert "ApprovalRequest" in names
    assert "ApprovalSettle" in names
    assert "Answer" not in names


def test_the_stack_says_where_answers_go(asked: Template) -> None:
    assert "SupportApprovalFunctionName" in asked["Outputs"]


def customization(scope: Stack, approval: Approval | None) -> NovaCustomization:
    return NovaCustomization(
        scope,
        "Support",
        model="NOVA_LITE_2",
        method="SFT_LORA",
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4),
        evaluation=[EvaluationTask(task="mmlu")],
        gate=QualityGate(criteria=[Floor(task="mmlu", floor=0.5)]),
        approval=approval,
    )


def test_a_role_of_the_stack_may_approve() -> None:
    stack = Stack(App(), "Nova")
    role = iam.Role(stack, "Release", assumed_by=iam.AccountRootPrincipal())
    made = customization(stack, Approval(deadline=Duration.hours(1), approvers=[role.role_arn]))
    assert isinstance(made.approval, ApprovalStage)
    made.approval.grant_answer(role)
    template = Assertions.from_stack(stack)
    allowed = {"Action": "lambda:InvokeFunction", "Effect": "Allow"}
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {"Statement": Match.array_with([Match.object_like(allowed)])},
            "Roles": [{"Ref": stack.get_logical_id(role.node.default_child)}],  # type: ignore[arg-type]
        },
    )


@pytest.mark.parametrize(
    ("approval", "words"),
    [
        (Approval(deadline=Duration.seconds(59)), "59 seconds: use 1 minute to 60 days"),
        (Approval(deadline=Duration.days(61)), "use 1 minute to 60 days"),
        (Approval(approvers=["alice"]), "approvers has 'alice'"),
    ],
)
def test_what_cannot_work_is_told_at_synth(approval: Approval, words: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        customization(Stack(App(), "Nova"), approval)
    assert words in str(told.value)


def test_approval_without_a_deployment_is_told(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="approval is given, but nothing is deployed"):
        synthesize({**entry, "deployment": {"target": "NONE"}, "approval": {}})


def test_a_settings_file_gives_what_python_gives() -> None:
    given = Approval.from_settings({**SETTINGS, "self_approval": True})
    assert given.config() == {"deadline_seconds": 172800, "approvers": [ROLE], "self_approval": True}
    assert Approval.from_settings({}).config() == {
        "deadline_seconds": 259200,
        "approvers": [],
        "self_approval": False,
    }

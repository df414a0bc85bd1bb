"""What becomes of a run that starts while another works, and that nothing of a run can last for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nova_constructs.checks import ConfigurationError
from tests.constructs.conftest import _definition

Synthesize = Callable[..., dict[str, dict[str, Any]]]
RICH: dict[str, Any] = {
    "concurrency": "QUEUE",
    "approval": {},
    "further_training": [{"name": "more", "dataset": "uploads/more.jsonl"}],
    "batch_inference": {"dataset": "uploads/answer.jsonl"},
    "deployment": {"target": "BEDROCK_OD", "mode": "UPDATE_IF_EXISTS"},
    "queue_deadline_hours": 2,
    "max_run_age_hours": 24 * 60,
}
"""Every state that a run can have."""


@pytest.fixture(scope="module")
def rich(synthesize: Synthesize, entry: dict[str, Any]) -> dict[str, Any]:
    return synthesize({**entry, **RICH})["Nova-Support"]


@pytest.fixture(scope="module")
def machine(rich: dict[str, Any]) -> dict[str, Any]:
    return _definition(rich)


def states_of(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state, those in branches and Maps too."""
    for name, state in definition["States"].items():
        yield name, state
        inner = [*state.get("Branches", []), *(state[key] for key in ("ItemProcessor", "Iterator") if key in state)]
        for each in inner:
            yield from states_of(each)


def test_no_state_can_wait_for_ever(machine: dict[str, Any]) -> None:
    states = dict(states_of(machine))
    bounded = {name: state for name, state in states.items() if state["Type"] == "Task"}
    assert {"AwaitTurn", "Train", "AwaitApproval", "UpdateDeployment", "Evaluate-mmlu", "Transform"} <= set(bounded)
    assert [name for name, state in bounded.items() if not 0 < state.get("TimeoutSeconds", 0) < 91 * 86400] == []
    # Whatever else there is ends by itself: these wait for nothing but the Tasks in them.
    assert {state["Type"] for state in states.values()} <= {
        *("Task", "Choice", "Pass", "Map", "Parallel", "Succeed", "Fail"),
    }
    assert machine["TimeoutSeconds"] == 61 * 86400


def test_a_run_that_waits_is_planned_again_once_its_turn_has_come(machine: dict[str, Any]) -> None:
    states = machine["States"]
    [queued] = [each for each in states["PlanDecision"]["Choices"] if each.get("StringEquals") == "QUEUE"]
    assert queued["Next"] == "AwaitTurn"
    assert states["PlanRun"]["Parameters"]["input.$"] == "$$.Execution.Input"
    assert states["PlanRun"]["Parameters"]["config"]["queue_deadline_seconds"] == 7200
    wait = states["AwaitTurn"]
    assert (wait["Next"], wait["ResultPath"]) == ("TurnDecision", "$.turn")
    assert wait["TimeoutSeconds"] > 7200
    [taken] = states["TurnDecision"]["Choices"]
    assert (taken["StringEquals"], taken["Next"]) == ("TAKEN", "PlanRun")
    assert states["TurnDecision"]["Default"] == "CloseSkippedRun"


def test_without_a_queue_nothing_waits(definition: dict[str, Any]) -> None:
    assert not {"AwaitTurn", "TurnDecision"} & set(definition["States"])
    assert "QUEUE" not in str(definition["States"]["PlanDecision"])


def statements_of(template: dict[str, Any], sid: str) -> list[tuple[str, Any, Any]]:
    return [
        (str(resource["Properties"]["Roles"][0]["Ref"]), statement["Action"], str(statement["Resource"]))
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Sid") == sid
    ]


def test_only_the_reconciler_ends_runs_and_only_those_of_this_customization(rich: dict[str, Any]) -> None:
    [(role, action, resource)] = statements_of(rich, "EndRunsTooOld")
    assert ("Reconcile" in role, action) == (True, "states:StopExecution")
    assert ":execution:" in resource
    assert "StateMachine" in resource
    assert "'*'" not in resource
    allowed = [
        str(each["Properties"]["Roles"][0]["Ref"])
        for each in rich["Resources"].values()
        if each["Type"] == "AWS::IAM::Policy" and "states:StopExecution" in str(each["Properties"]["PolicyDocument"])
    ]
    # The state machine itself may end the children of its Maps.
    assert [each for each in allowed if "StateMachineRole" not in each] == [role]


def test_who_passes_the_lock_on_may_answer_tokens_and_no_more(rich: dict[str, Any], template: dict[str, Any]) -> None:
    found = statements_of(rich, "PassLockOn")
    assert sorted("Close" in role for role, _, _ in found) == [False, True]
    assert {action for _, action, _ in found} == {"states:SendTaskSuccess"}
    assert statements_of(template, "PassLockOn") == []


def test_the_reconciler_and_the_dead_letters_are_watched(rich: dict[str, Any]) -> None:
    alarms = {
        name: resource["Properties"]
        for name, resource in rich["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    [stalled] = [each for name, each in alarms.items() if "Stalled" in name]
    assert (stalled["EvaluationPeriods"], stalled["Threshold"], stalled["TreatMissingData"]) == (3, 1, "breaching")
    assert stalled["ComparisonOperator"] == "LessThanThreshold"
    metrics = {each["Id"]: each for each in stalled["Metrics"]}
    stats = {name: each["MetricStat"] for name, each in metrics.items() if "MetricStat" in each}
    assert {name: each["Metric"]["MetricName"] for name, each in stats.items()} == {
        "calls": "Invocations",
        "errors": "Errors",
    }
    assert {each["Period"] for each in stats.values()} == {300}
    assert {each["Metric"]["Dimensions"][0]["Value"]["Ref"] for each in stats.values()} == {
        name
        for name, each in rich["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function" and "reconcile_jobs" in each["Properties"]["Handler"]
    }
    [failing] = [each for name, each in alarms.items() if "Failing" in name]
    assert (failing["MetricName"], failing["DatapointsToAlarm"], failing["EvaluationPeriods"]) == ("Errors", 2, 3)
    [letters] = [each for name, each in alarms.items() if "UndeliveredAlarm" in name]
    assert letters["MetricName"] == "ApproximateNumberOfMessagesVisible"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"concurrency": "QUEUE", "queue_deadline_hours": 24 * 100},
            "queue_deadline is 100 days: use 1 minute to less",
        ),
        ({"queue_deadline_hours": 1}, "queue_deadline is given, but with concurrency SKIP no run waits"),
        ({"max_run_age_hours": 24}, "max_run_age is 1 day, in which a training job does not end: it may take 2 days"),
        ({"max_run_age_hours": 60, "approval": {}}, "but people may take 3 days to approve"),
        (
            {"concurrency": "PARALLEL", "deployment": {"target": "BEDROCK_OD", "mode": "UPDATE_IF_EXISTS"}},
            "runs at the same time would update the same deployment",
        ),
    ],
)
def test_rules_that_cannot_work_are_refused(
    synthesize: Synthesize, entry: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        synthesize({**entry, **changes})


def test_an_unknown_policy_is_told_with_what_there_is() -> None:
    from nova_constructs.deployment_targets import OnDemand
    from nova_constructs.platforms import TrainingJobs
    from nova_constructs.run_rules import RunRules

    platform = TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4)
    assert list(RunRules(concurrency="WAIT").problems(platform, OnDemand(), None)) == [
        "concurrency is 'WAIT': use one of SKIP, QUEUE, QUEUE_LATEST, PARALLEL"
    ]

"""The state machine as it will run: order, catches, timeouts, retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

NEVER_RETRIED = {
    *("InvalidRequest", "DatasetRejected", "DataPreparationFailed", "RecipeInvalid", "UnsupportedCombination"),
    *("JobFailed", "JobStopped", "JobTimedOut", "EvaluationFailed", "ModelImportFailed", "DeploymentFailed"),
    *("QuotaExceeded", "CostCeilingExceeded", "States.ALL", "States.TaskFailed"),
}


def tasks(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield every Task with its name and whether it stands in a branch or a Map."""
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            yield name, state, False
        for branch in [*state.get("Branches", []), *([state["ItemProcessor"]] if state["Type"] == "Map" else [])]:
            for inner, inner_state, _ in tasks(branch):
                yield inner, inner_state, True


def walk(definition: dict[str, Any], choices: dict[str, str]) -> list[str]:
    """Return the states of a run that takes the default of a choice where `choices` says so, else its first branch."""
    states, name, path = definition["States"], definition["StartAt"], []
    while name:
        path.append(name)
        state = states[name]
        chosen = choices.get(name) or (state["Choices"][0]["Next"] if state["Type"] == "Choice" else "")
        name = state.get("Next") or chosen
    return path


def test_a_run_goes_from_plan_to_pointer(definition: dict[str, Any]) -> None:
    assert walk(definition, {"DataIsCut": definition["States"]["DataIsCut"]["Default"]}) == [
        *("PlanRun", "PlanDecision", "PrepareData", "DataIsCut", "DataReady", "DataDone", "FreezeEvaluationSets"),
        *(
            "SetsFrozen",
            "Train",
            "FindCheckpoint",
            "TrainingDone",
            "Evaluate",
            "DecideGate",
            "GateDecision",
            "ImportModel",
        ),
        *("DeployModel", "PromoteDeployment", "RetireModels", "CloseRun", "RunSucceeded"),
    ]


def test_a_dry_run_goes_from_the_plan_to_its_end(definition: dict[str, Any]) -> None:
    dry = next(c for c in definition["States"]["PlanDecision"]["Choices"] if c.get("StringEquals") == "DRY_RUN")
    assert walk(definition, {"PlanDecision": dry["Next"]}) == ["PlanRun", "PlanDecision", "CloseDryRun", "RunDryRun"]


def test_a_large_dataset_takes_two_maps(definition: dict[str, Any]) -> None:
    assert walk(definition, {})[2:9] == [
        *("PrepareData", "DataIsCut", "TransformShards", "ReduceShards", "AssembleShards", "FinishData", "DataReady")
    ]
    states = definition["States"]
    assert states["DataIsCut"]["Choices"][0]["Variable"] == "$.data.shards"
    for name, after in (("TransformShards", "ReduceShards"), ("AssembleShards", "FinishData")):
        state = states[name]
        assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        assert state["ItemReader"]["Parameters"]["Key.$"] == "$.data.shards.key"
        # The next state is told what became of each shard, and refuses to go on without one of them.
        assert states[after]["Parameters"]["done.$"] == state["ResultPath"]
        [call] = [inner for inner in state["ItemProcessor"]["States"].values() if inner["Type"] == "Task"]
        assert "Runtime.ExitError" in {error for retry in call["Retry"] for error in retry["ErrorEquals"]}
        [caught] = call["Catch"]
        lost = state["ItemProcessor"]["States"][caught["Next"]]
        assert lost["Parameters"] == {"shard.$": "$.shard.number", "error.$": "$.error"}
        assert (call["ResultPath"], call["OutputPath"]) == (None, "$.shard.number")


def modes_of(choice: dict[str, Any]) -> set[str]:
    """Return the modes that a choice is for: nowhere does a mode stand but in a comparison of `$.plan.mode`."""
    found: set[str] = set()
    for rule in (choice, *choice.get("And", ()), *choice.get("Or", ())):
        if rule.get("Variable") == "$.plan.mode":
            found.add(rule["StringEquals"])
        elif rule is not choice:
            found |= modes_of(rule)
    return found


def test_each_mode_ends_where_its_work_is_done(definition: dict[str, Any]) -> None:
    states = definition["States"]
    ways = {
        name: [(modes_of(choice), choice["Next"]) for choice in states[name]["Choices"]]
        for name in ("PlanDecision", "DataDone", "SetsFrozen", "TrainingDone", "GateDecision")
    }
    assert ways == {
        "PlanDecision": [
            ({"full", "prepare", "train"}, "PrepareData"),
            ({"evaluate"}, "FreezeEvaluationSets"),
            ({"deploy"}, "ImportModel"),
            (set(), "CloseDryRun"),
        ],
        "DataDone": [({"full"}, "FreezeEvaluationSets"), ({"full", "train"}, "Train")],
        "SetsFrozen": [({"full", "train"}, "Train"), ({"evaluate"}, "Evaluate")],
        "TrainingDone": [({"full", "evaluate"}, "Evaluate")],
        "GateDecision": [({"full"}, "ImportModel"), (set(), "CloseRun")],
    }
    assert {states[name]["Default"] for name in ("DataDone", "SetsFrozen", "TrainingDone")} == {"CloseRun"}
    for name in ("PlanDecision", "GateDecision"):
        first = states[name]["Choices"][0]["And"]
        assert first[0]["StringEquals"] in {"RUN", "PASSED"}


def test_a_choice_that_does_not_match_never_deploys(definition: dict[str, Any]) -> None:
    states = definition["States"]
    assert states["GateDecision"]["Default"] == "CloseRejectedRun"
    assert states["PlanDecision"]["Default"] == "CloseSkippedRun"


def test_every_failure_is_closed_before_it_fails(definition: dict[str, Any]) -> None:
    closing = {"CloseRun", "CloseRejectedRun", "CloseSkippedRun", "CloseDryRun", "CloseFailedRun"}
    states = definition["States"]
    for name, state in states.items():
        if state["Type"] in {"Task", "Parallel", "Map"} and name not in closing:
            catch = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "CloseFailedRun"}
            assert state["Catch"] == [catch], name
    assert states["CloseFailedRun"]["Next"] == "RunFailed"
    assert states["RunFailed"]["ErrorPath"] == "$.failure.error"


def test_every_task_has_a_timeout(definition: dict[str, Any]) -> None:
    assert [name for name, state, _ in tasks(definition) if not state.get("TimeoutSeconds")] == []


def test_only_what_passes_by_itself_is_retried(definition: dict[str, Any]) -> None:
    for name, state, _ in tasks(definition):
        retried = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
        assert not retried & NEVER_RETRIED, name


def test_jobs_wait_by_token_and_give_up_after_their_deadline(definition: dict[str, Any]) -> None:
    waiting = {name: s for name, s, _ in tasks(definition) if s["Resource"].endswith(".waitForTaskToken")}
    assert set(waiting) == {"Train", "Evaluate-mmlu", "Evaluate-gen_qa", "ImportModel", "DeployModel"}
    for name, state in waiting.items():
        payload = state["Parameters"]["Payload"]
        assert payload["token.$"] == "$$.Task.Token"
        assert state["TimeoutSeconds"] > payload["config"]["deadline_seconds"], name


def test_without_a_deployment_a_run_ends_after_the_gate(
    definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]
) -> None:
    made = definition_of({**entry, "method": "SFT_FULL", "deployment": {"target": "NONE"}})
    end = walk(made, {"DataIsCut": made["States"]["DataIsCut"]["Default"]})[-4:]
    assert end == ["DecideGate", "GateDecision", "CloseRun", "RunSucceeded"]
    assert made["States"]["GateDecision"]["Default"] == "CloseRejectedRun"
    assert not {"ImportModel", "DeployModel", "PromoteDeployment"} & set(made["States"])


def test_training_is_given_validation_data_only_where_the_split_has_a_share(
    definition: dict[str, Any], definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]
) -> None:
    assert "validation.$" not in definition["States"]["Train"]["Parameters"]["Payload"]
    for share, expected in ((0.1, "$.data.validation"), (0.0, None)):
        split = {"train": 0.9 - share, "validation": share, "test": 0.1}
        made = definition_of({**entry, "data": {"split": split}})
        assert made["States"]["Train"]["Parameters"]["Payload"].get("validation.$") == expected


def test_evaluations_run_side_by_side(definition: dict[str, Any]) -> None:
    branches = definition["States"]["Evaluate"]["Branches"]
    assert [branch["StartAt"] for branch in branches] == ["Evaluate-mmlu", "Evaluate-gen_qa"]


def test_tasks_name_published_versions(definition: dict[str, Any]) -> None:
    for name, state, _ in tasks(definition):
        target = state.get("Parameters", {}).get("FunctionName") or state["Resource"]
        assert "CurrentVersion" in target, name

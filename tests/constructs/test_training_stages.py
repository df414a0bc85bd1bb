"""Further training stages: what is refused when the template is made, and the states that the others become."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Annotations, Match

from nova_constructs import ConfigurationError, TrainingStage
from nova_constructs.app import FEATURE_FLAGS, props
from nova_constructs.customization import NovaCustomization
from tests.constructs.test_state_machine import tasks, walk
from tests.constructs.test_template import STATEFUL, statements

Template = dict[str, Any]
SCORE = "arn:aws:lambda:us-east-1:111122223333:function:score"
OTHER = "arn:aws:lambda:us-east-1:111122223333:function:other"
SMALL = {"type": "SMTJ", "instance_type": "ml.p5.48xlarge", "instance_count": 2, "max_runtime_hours": 2}
STAGES: list[dict[str, Any]] = [
    {
        "name": "rl",
        "method": "RFT_LORA",
        "dataset": "uploads/rl.jsonl",
        "reward_function": SCORE,
        "overrides": {"max_steps": 20},
        "data": {"dedupe": True, "no_leak_with": ["evaluation/gen_qa.jsonl"], "media_buckets": ["photos"]},
        "platform": SMALL,
    },
    {"name": "polish", "dataset": "s3://some-bucket/datasets/polish/", "data": {"split": {"test": 0.1}}},
]


@pytest.fixture(scope="session")
def chained(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    return synthesize({**entry, "further_training": STAGES})["Nova-Support"]


@pytest.fixture(scope="session")
def states(definition_of: Callable[[dict[str, Any]], dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
    return definition_of({**entry, "further_training": STAGES})


def problems(synthesize: Callable[..., Any], entry: dict[str, Any], *stages: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, **more, "further_training": list(stages)})
    return list(caught.value.problems)


def test_all_data_is_prepared_before_the_first_job_and_stages_follow_one_another(states: dict[str, Any]) -> None:
    uncut = {name: state["Default"] for name, state in states["States"].items() if name.startswith("DataIsCut")}
    assert walk(states, uncut)[2:23] == [
        *("PrepareData", "DataIsCut", "DataReady"),
        *("PrepareData-rl", "DataIsCut-rl", "DataReady-rl"),
        *("PrepareData-polish", "DataIsCut-polish", "DataReady-polish"),
        *("DataDone", "FreezeEvaluationSets", "SetsFrozen"),
        *("Train", "FindCheckpoint", "Train-rl", "FindCheckpoint-rl", "Train-polish", "FindCheckpoint-polish"),
        *("TrainingDone", "Evaluate", "DecideGate"),
    ]


def test_a_large_dataset_of_a_stage_takes_its_own_maps(states: dict[str, Any]) -> None:
    made = states["States"]
    assert walk(states, {})[9:16] == [
        *("PrepareData-rl", "DataIsCut-rl", "TransformShards-rl", "ReduceShards-rl", "AssembleShards-rl"),
        *("FinishData-rl", "DataReady-rl"),
    ]
    transform = made["TransformShards-rl"]
    assert transform["ItemReader"]["Parameters"]["Key.$"] == "$.further_data.rl.shards.key"
    assert transform["ItemSelector"]["stage"] == "rl"
    assert transform["ResultPath"] == made["ReduceShards-rl"]["Parameters"]["done.$"]
    assert made["FinishData-rl"]["Parameters"]["done.$"] == made["AssembleShards-rl"]["ResultPath"]
    assert len(transform["Label"]) <= 40


def test_names_of_states_are_unique_in_the_whole_state_machine(states: dict[str, Any]) -> None:
    def names(part: dict[str, Any]) -> list[str]:
        inner = [
            each
            for state in part["States"].values()
            for each in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]
        ]
        return [*part["States"], *(name for each in inner for name in names(each))]

    found = names(states)
    assert sorted(found) == sorted(set(found))


def test_a_stage_trains_by_its_own_settings_from_the_checkpoint_before_it(states: dict[str, Any]) -> None:
    train = states["States"]["Train-rl"]
    payload = train["Parameters"]["Payload"]
    assert (payload["stage"], payload["checkpoint.$"]) == ("rl", "$.checkpoint")
    assert payload["recipe.$"] == "$.plan.further_training.rl"
    assert payload["train_uri.$"] == "$.further_data.rl.train.uri"
    assert payload["config"]["method"] == "RFT_LORA"
    assert payload["config"]["training"]["instance_count"] == 2
    # Two hours of work, and a day to wait for capacity.
    assert payload["config"]["deadline_seconds"] == 26 * 3600 < train["TimeoutSeconds"]
    assert "validation.$" not in payload
    found = states["States"]["FindCheckpoint-rl"]
    assert (found["Parameters"]["training.$"], found["ResultPath"]) == (train["ResultPath"], "$.checkpoint")


def test_a_stage_without_settings_of_its_own_takes_method_and_platform_of_the_customization(
    states: dict[str, Any],
) -> None:
    first, last = (states["States"][name]["Parameters"]["Payload"] for name in ("Train", "Train-polish"))
    assert last["config"] == first["config"]
    assert last["validation.$"] == "$.further_data.polish.validation"
    assert "validation.$" not in first


def test_each_stage_prepares_by_its_own_format(states: dict[str, Any]) -> None:
    first, rl, polish = (
        states["States"][f"PrepareData{suffix}"]["Parameters"]["config"] for suffix in ("", "-rl", "-polish")
    )
    assert (first["columns"], rl["columns"]) == ({"question": "question", "answer": "answer"}, {})
    assert [config.get("dedupe", False) for config in (first, rl, polish)] == [False, True, False]
    assert polish["split"]["validation"] == 0.1
    assert states["States"]["PrepareData-rl"]["Parameters"]["dataset.$"] == "$.plan.further_training.rl.dataset"


def test_every_state_of_a_stage_is_closed_before_it_fails(states: dict[str, Any]) -> None:
    for name, state, _ in tasks(states):
        if name.startswith(("Train", "FindCheckpoint", "PrepareData")) and "Next" in state:
            assert [each["Next"] for each in state["Catch"]] == ["CloseFailedRun"], name


def test_stages_share_the_functions_and_no_stateful_resource_changes(template: Template, chained: Template) -> None:
    def named(made: Template, *types: str) -> set[str]:
        return {name for name, resource in made["Resources"].items() if resource["Type"] in types}

    assert named(chained, *STATEFUL) == named(template, *STATEFUL)
    assert named(chained, "AWS::Lambda::Function") == named(template, "AWS::Lambda::Function")


def test_only_with_stages_may_recipes_be_written_when_a_job_is_submitted(template: Template, chained: Template) -> None:
    def writing(made: Template) -> list[str]:
        found = statements(made)
        return [
            json.dumps(each["Resource"]) for name, each in found if "Submit" in name and each["Sid"] == "WriteRecipe"
        ]

    assert not [each for each in writing(template) if "training" in each]
    [written] = [each for each in writing(chained) if "training" in each]
    assert "/runs/*/training-*/recipe/*" in written


def test_jobs_may_call_the_reward_function_of_every_stage(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    again = {"name": "rl2", "method": "RFT_LORA", "dataset": "uploads/b.jsonl", "reward_function": OTHER}
    third = {**again, "name": "rl3"}
    made = synthesize({**entry, "further_training": [STAGES[0], again, third]})["Nova-Support"]
    [calling] = [found for _, found in statements(made) if found["Sid"] == "CallRewardFunction"]
    assert sorted(calling["Resource"]) == [OTHER, SCORE]


def test_jobs_may_join_the_vpc_of_a_stage(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    inside = {"name": "a", "dataset": "uploads/b.jsonl"}
    inside["platform"] = {**SMALL, "vpc": {"subnets": ["subnet-0abc"], "security_groups": ["sg-0abc"]}}  # type: ignore[assignment]
    made = synthesize({**entry, "further_training": [inside]})["Nova-Support"]
    [joining] = [found for _, found in statements(made) if found["Sid"] == "CreateNetworkInterfaces"]
    assert "subnet/subnet-0abc" in json.dumps(joining["Resource"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "SFT_FULL"}, "method SFT_FULL trains at full rank, and SFT_LORA, which the customization begins"),
        ({"method": "SFT_LORE"}, "SFT_LORA"),
        ({"method": "RFT_LORA"}, "RFT_LORA needs a reward_function"),
        ({"reward_function": SCORE}, "reward_function is given, which SFT_LORA does not use"),
        ({"method": "CPT"}, "CPT runs only on SageMaker HyperPod"),
        (
            {"method": "RFT_LORA", "reward_function": SCORE, "data": {"split": {"validation": 0.1}}},
            "split puts rows aside for validation, which RFT_LORA does not use",
        ),
        ({"data": {"split": {"train": 0.5, "validation": 0.1, "test": 0.1}}}, "split: "),
        ({"dataset": "evaluation/a.jsonl"}, "dataset is 'evaluation/a.jsonl': use a key under datasets/ or uploads/"),
        ({"dataset": "s3://bucket/elsewhere/a.jsonl"}, "dataset is 's3://bucket/elsewhere/a.jsonl': use a key under"),
        ({"dataset": "uploads/"}, "dataset is 'uploads/': use a key under"),
        ({"overrides": {"max_steps": None}}, "overrides: max_steps is null"),
        ({"name": "media"}, "name is 'media': use up to 20 of a-z"),
        ({"platform": {**SMALL, "max_pending_hours": 0.1}}, "max_pending is"),
    ],
)
def test_what_cannot_work_is_refused_under_the_name_of_its_stage(
    synthesize: Callable[..., Any], entry: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    stage = {"name": "more", "dataset": "uploads/more.jsonl", **change}
    [problem] = [each for each in problems(synthesize, entry, stage) if words in each]
    assert problem.startswith(f"further_training {stage['name']!r}: ")


def test_stages_of_one_name_are_refused(synthesize: Callable[..., Any], entry: dict[str, Any]) -> None:
    stage = {"name": "more", "dataset": "uploads/more.jsonl"}
    told = "further_training has 2 stages named 'more': give each a name of its own"
    assert problems(synthesize, entry, stage, stage) == [told]


@pytest.mark.parametrize("name", ["", "RL", "1st", "a-b", "a b", "a/b", "a.b", "a" * 21, "rl\n"])
def test_a_name_that_is_no_part_of_a_path_is_refused(name: str) -> None:
    [problem] = TrainingStage(name=name, dataset="uploads/a.jsonl").problems()
    assert problem.startswith(f"name is {name!r}: ")


def test_problems_of_the_customization_are_told_once(synthesize: Callable[..., Any], entry: dict[str, Any]) -> None:
    stage = {"name": "more", "dataset": "uploads/more.jsonl"}
    platform = {**entry["platform"], "max_pending_hours": 0.1}
    found = problems(synthesize, entry, stage, platform=platform)
    assert [each for each in found if "more" in each] == []


def test_every_stage_counts_for_the_ceiling(synthesize: Callable[..., Any], entry: dict[str, Any]) -> None:
    stage = {"name": "more", "dataset": "uploads/more.jsonl", "platform": SMALL}
    most = (4 + 1 + 1) * 24 * 63.296
    [problem] = problems(synthesize, entry, stage, cost_ceiling={"usd": round(most + 1)})
    assert f"a run may cost {most + 2 * 2 * 63.296:,.2f} USD" in problem
    assert "training-more 2 x ml.p5.48xlarge x 2 h" in problem


def test_an_undocumented_choice_of_instances_is_a_warning_that_names_the_stage(entry: dict[str, Any]) -> None:
    stage = {"name": "more", "dataset": "uploads/more.jsonl", "platform": {**SMALL, "instance_count": 3}}
    given = {name: value for name, value in entry.items() if name != "name"}
    stack = Stack(App(context=FEATURE_FLAGS, analytics_reporting=False), "Warned")
    NovaCustomization(stack, "Support", **props({**given, "further_training": [stage]}))
    [warned] = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert "instances-training-more-0" in json.dumps(warned.entry.data)

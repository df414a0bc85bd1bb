"""The twelve evaluation tasks, and which combinations can never work."""

from __future__ import annotations

import pytest

from lambda_handlers.catalog import EVALUATION_TASKS, combinations, evaluation_task
from lambda_handlers.catalog.subtasks import MMLU

TASKS = {
    "mmlu": ("zs_cot", "accuracy", 57, False),
    "mmlu_pro": ("zs_cot", "accuracy", 0, False),
    "bbh": ("fs_cot", "accuracy", 27, False),
    "gpqa": ("zs_cot", "accuracy", 0, False),
    "math": ("zs_cot", "exact_match", 7, False),
    "strong_reject": ("zs", "deflection", 2, False),
    "gen_qa": ("gen_qa", "all", 0, True),
    "ifeval": ("zs", "accuracy", 0, False),
    "mmmu": ("zs_cot", "accuracy", 29, False),
    "llm_judge": ("judge", "all", 0, True),
    "rubric_llm_judge": ("judge", "all", 0, True),
    "rft_eval": ("rft_eval", "all", 0, True),
}


def test_the_twelve_tasks_have_strategy_metric_subtasks_and_data() -> None:
    found = {
        name: (task.strategy, task.metric, len(task.subtasks), task.takes_data)
        for name, task in EVALUATION_TASKS.items()
    }
    assert found == TASKS


def test_subtasks_are_distinct_and_spelled_for_the_container() -> None:
    for task in EVALUATION_TASKS.values():
        assert len(set(task.subtasks)) == len(task.subtasks)
        assert all(name == name.lower().strip() and " " not in name for name in task.subtasks)
    assert EVALUATION_TASKS["mmlu"].subtasks[0] == "abstract_algebra"
    assert "tracking_shuffled_objects_three_objects" in EVALUATION_TASKS["bbh"].subtasks
    assert EVALUATION_TASKS["strong_reject"].subtasks == ("dangerous_or_sensitive_topics", "offensive_language")


def test_a_benchmark_refuses_data_and_an_own_data_task_needs_it() -> None:
    assert evaluation_task("MMLU").problems() == []
    assert evaluation_task("gen_qa").problems(has_dataset=True) == []
    assert evaluation_task("mmlu").problems(has_dataset=True) == [
        "Evaluation task mmlu brings its own data; remove the dataset."
    ]
    assert evaluation_task("gen_qa").problems() == [
        "Evaluation task gen_qa needs a dataset of your own; give its location."
    ]


def test_a_wrong_subtask_is_answered_with_the_nearest_and_all_there_are() -> None:
    assert evaluation_task("mmlu").problems(subtask="anatomy") == []
    [problem] = evaluation_task("mmlu").problems(subtask="anatomie")
    assert problem.startswith("Evaluation task mmlu has no subtask 'anatomie'. Did you mean anatomy? Allowed: abstract")
    assert all(name in problem for name in MMLU)
    assert evaluation_task("gpqa").problems(subtask="x") == [
        "Evaluation task gpqa has no subtasks; remove subtask 'x'."
    ]
    assert evaluation_task("strong_reject").problems(subtask="zzz") == [
        "Evaluation task strong_reject has no subtask 'zzz'. "
        "Allowed: dangerous_or_sensitive_topics, offensive_language."
    ]


@pytest.mark.parametrize("model", ["NOVA_MICRO", "NOVA_LITE", "NOVA_LITE_2", "NOVA_PRO"])
@pytest.mark.parametrize("platform", ["SMTJ", "SMHP"])
def test_supervised_lora_works_for_every_model_and_platform(model: str, platform: str) -> None:
    assert combinations.check(model, "SFT_LORA", platform, "BEDROCK_OD", ["mmlu", "gen_qa", "rft_eval"]) == []
    assert combinations.check(model, "SFT_FULL", platform, "BEDROCK_PT") == []


@pytest.mark.parametrize("model", ["NOVA_MICRO", "NOVA_LITE", "NOVA_PRO"])
@pytest.mark.parametrize("method", ["RFT_LORA", "RFT_FULL"])
def test_reinforcement_needs_nova_2(model: str, method: str) -> None:
    assert combinations.check(model, method, "SMTJ") == [
        f"{method} needs a Nova 2 model; {model} is Nova 1. Use NOVA_LITE_2."
    ]
    assert combinations.check("NOVA_LITE_2", method, "SMTJ") == []


def test_continued_pre_training_needs_hyperpod() -> None:
    assert combinations.check("NOVA_PRO", "CPT", "SMTJ") == ["CPT runs only on SageMaker HyperPod; use platform SMHP."]
    assert combinations.check("NOVA_PRO", "CPT", "SMHP", "BEDROCK_PT") == []


@pytest.mark.parametrize(("method", "model"), [("SFT_FULL", "NOVA_LITE"), ("RFT_FULL", "NOVA_LITE_2")])
def test_full_rank_models_are_not_served_on_demand(method: str, model: str) -> None:
    (problem,) = combinations.check(model, method, "SMTJ", "BEDROCK_OD")
    assert method in problem
    assert "BEDROCK_PT" in problem


def test_judges_belong_to_one_version_each() -> None:
    assert combinations.check("NOVA_LITE_2", "SFT_LORA", "SMTJ", None, ["llm_judge"]) == [
        "Evaluation task llm_judge does not exist for NOVA_LITE_2. Use rubric_llm_judge."
    ]
    assert combinations.check("NOVA_PRO", "SFT_LORA", "SMTJ", None, ["rubric_llm_judge"]) == [
        "Evaluation task rubric_llm_judge does not exist for NOVA_PRO. Use llm_judge."
    ]


def test_micro_cannot_be_shown_images() -> None:
    assert combinations.check("NOVA_MICRO", "SFT_LORA", "SMTJ", None, ["mmmu"]) == [
        "Evaluation task mmmu shows images, and NOVA_MICRO reads only text."
    ]


def test_every_problem_comes_at_once() -> None:
    problems = combinations.check("NOVA_LYTE", "CPT", "smtj", "BEDROCK_OD", ["mmluu", "mmlu"])
    assert [problem.split(".")[0] for problem in problems] == [
        "Unknown model 'NOVA_LYTE'",
        "Unknown evaluation task 'mmluu'",
        "CPT runs only on SageMaker HyperPod; use platform SMHP",
        "Amazon Bedrock serves CPT models, whose every weight is changed, only with provisioned throughput; "
        "use deployment target BEDROCK_PT, or a LoRA method for on-demand",
    ]

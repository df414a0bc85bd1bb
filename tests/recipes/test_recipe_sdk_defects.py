"""What the SDK is known to do wrong with recipes and jobs, and what happens here instead: docs/sdk-defects.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from lambda_handlers.catalog import MODELS, Platform, combinations, evaluation_task, method
from lambda_handlers.protocol.errors import RecipeInvalid, UnsupportedCombination
from lambda_handlers.recipes import Recipe, arguments_before_a_run, hub, own_recipe, render
from lambda_handlers.recipes.finding import find
from tests.recipes.hub_support import FakeS3, FakeSageMaker


def _template(model: str, work: str) -> hub.RecipeTemplate:
    chosen: Any = method(work) if work.isupper() else evaluation_task(work)
    platform = Platform.SMHP if work == "CPT" else Platform.SMTJ
    return find(FakeS3(), hub.fetch(FakeSageMaker(), MODELS[model]), chosen, platform, None).template


def _render(model: str, work: str, overrides: Mapping[str, Any], own: str | None = None) -> Recipe:
    template = _template(model, work)
    chosen: Any = method(work) if work.isupper() else evaluation_task(work)
    arguments = arguments_before_a_run(model=MODELS[model], work=chosen, spec=template.spec)
    recipe = own_recipe.parse(own.encode(), "mine.yaml") if own else None
    return render(*template, arguments, overrides, recipe)


def _problems(model: str, work: str, overrides: Mapping[str, Any]) -> tuple[str, ...]:
    with pytest.raises(RecipeInvalid) as raised:
        _render(model, work, overrides)
    return raised.value.problems


def test_an_override_by_the_parameter_s_name_is_not_ignored() -> None:
    for name in ("learning_rate", "lr"):
        config = _render("NOVA_LITE_2", "SFT_LORA", {name: 3e-05}).values["training_config"]
        assert config["optim_config"]["lr"] == 3e-05


@pytest.mark.parametrize(
    ("name", "near"),
    [("max_epochs", "max_steps"), ("loraplus_lr_ratio", "lora_plus_lr_ratio"), ("max_step", "max_steps")],
)
def test_an_unknown_override_is_not_ignored(name: str, near: str) -> None:
    (problem,) = _problems("NOVA_LITE_2", "SFT_LORA", {name: 2})
    assert problem == f"{name} is not a value of this recipe. Did you mean {near}?"


def test_save_steps_does_not_set_max_steps_where_one_parameter_feeds_both() -> None:
    template = {"training_config": {"max_steps": "{{max_steps}}", "save_steps": "{{max_steps}}"}}
    spec = {"max_steps": {"type": "integer", "min": 4, "default": 10}}
    assert render(template, spec, {}, {"save_steps": 5}).values == {
        "training_config": {"max_steps": 10, "save_steps": 5}
    }
    both = render(template, spec, {}, {"save_steps": 5, "max_steps": 50}).values
    assert both == {"training_config": {"max_steps": 50, "save_steps": 5}}


def test_equal_keys_of_two_sections_are_two_values() -> None:
    (problem,) = _problems("NOVA_LITE_2", "gen_qa", {"enabled": False})
    assert problem == (
        "enabled names several values; use one of processor.preprocessing.enabled, processor.postprocessing.enabled."
    )
    processor = _render("NOVA_LITE_2", "gen_qa", {"postprocessing.enabled": False}).values["processor"]
    assert (processor["preprocessing"], processor["postprocessing"]) == ({"enabled": False}, {"enabled": False})
    own = "processor: {preprocessing: {enabled: true}, postprocessing: {enabled: false}}\n"
    processor = _render("NOVA_LITE_2", "gen_qa", {}, own).values["processor"]
    assert (processor["preprocessing"], processor["postprocessing"]) == ({"enabled": True}, {"enabled": False})


def test_the_run_s_name_is_not_the_optimizer_s() -> None:
    values = _render("NOVA_MICRO", "SFT_LORA", {"run.name": "mine"}).values
    assert values["run"]["name"] == "mine"
    assert values["training_config"]["model"]["optim"]["name"] == "distributed_fused_adam"


@pytest.mark.parametrize(
    ("model", "work", "overrides"),
    [
        ("NOVA_LITE_2", "SFT_LORA", {"lr": 1}),
        ("NOVA_LITE_2", "SFT_LORA", {"weight_decay": 0}),
        ("NOVA_LITE_2", "mmlu", {"top_p": 1}),
        ("NOVA_LITE_2", "SFT_LORA", {"lr": "1e-5"}),
    ],
)
def test_a_whole_number_or_exponent_notation_is_taken_for_a_number(
    model: str, work: str, overrides: dict[str, Any]
) -> None:
    text = _render(model, work, overrides).yaml_text
    ((name, value),) = overrides.items()
    assert f"  {name}: {float(value):.1e}\n" in text or f"  {name}: {float(value)}\n" in text


def test_true_is_no_integer() -> None:
    assert _problems("NOVA_LITE_2", "SFT_LORA", {"max_steps": True}) == ("max_steps: expects an integer, got True.",)


def test_a_protected_override_is_refused_and_hides_no_other() -> None:
    problems = _problems("NOVA_LITE_2", "SFT_LORA", {"peft_scheme": "full", "max_steps": 3, "replicas": 8})
    assert [problem.split()[0] for problem in problems] == ["peft_scheme", "replicas", "max_steps:"]


@pytest.mark.parametrize("name", ["data_s3_path", "output_s3_path", "strategy", "metric", "task", "model_type"])
def test_what_the_workflow_says_cannot_be_overridden_by_any_text(name: str) -> None:
    (problem,) = _problems("NOVA_LITE_2", "mmlu", {name: "anything"})
    assert problem.startswith(f"{name} cannot be overridden: ")


def test_the_overrides_given_are_left_as_they_were() -> None:
    overrides = {"max_steps": 50, "lr": 1}
    _render("NOVA_LITE_2", "SFT_LORA", overrides)
    assert overrides == {"max_steps": 50, "lr": 1}


@pytest.mark.parametrize(
    ("model", "work"), [("NOVA_LITE", "llm_judge"), ("NOVA_LITE_2", "rubric_llm_judge"), ("NOVA_LITE_2", "rft_eval")]
)
@pytest.mark.parametrize("temperature", [0.1, 1])
def test_the_temperature_of_judges_and_reward_evaluations_can_be_set(model: str, work: str, temperature: float) -> None:
    found = _render(model, work, {"temperature": temperature}).values["inference"]["temperature"]
    assert (found, type(found)) == (temperature, float)


def test_a_limit_of_tokens_that_a_judge_has_not_is_not_ignored() -> None:
    (problem,) = _problems("NOVA_LITE", "llm_judge", {"max_new_tokens": 10})
    assert problem.startswith("max_new_tokens is not a value of this recipe.")


def test_mmmu_has_the_multimodal_recipe_and_is_refused_for_a_text_model() -> None:
    content = hub.fetch(FakeSageMaker(), MODELS["NOVA_LITE_2"])
    entry = hub.select(content, evaluation_task("mmmu"), Platform.SMTJ, "ml.p5.48xlarge")
    assert entry.name == "nova_lite_2_0_p5_48xl_gpu_general_multi_modal_benchmark_eval"
    assert combinations.check("NOVA_MICRO", "EVALUATION", "SMTJ", None, ["mmmu"])


def test_an_evaluation_never_is_the_recipe_of_a_training() -> None:
    values = _render("NOVA_LITE_2", "gen_qa", {}).values
    assert "training_config" not in values
    content = hub.fetch(FakeSageMaker(), MODELS["NOVA_LITE_2"])
    with pytest.raises(UnsupportedCombination):
        hub.select(content, method("EVALUATION"), Platform.SMTJ, "ml.p5.48xlarge")


def test_a_scoring_function_for_a_task_without_one_is_not_dropped() -> None:
    for task, name in (("mmlu", "lambda_arn"), ("mmlu", "reward_lambda_arn"), ("gen_qa", "reward_lambda_arn")):
        (problem,) = _problems("NOVA_LITE_2", task, {name: "arn"})
        assert problem.startswith(f"{name} cannot be overridden: it is the customization's")


def test_validation_data_that_a_pre_training_of_nova_1_cannot_take_is_not_dropped() -> None:
    (problem,) = _problems("NOVA_MICRO", "CPT", {"validation_s3_path": "s3://b/v.jsonl"})
    assert problem.startswith("validation_s3_path is not a value of this recipe.")
    run = _render("NOVA_LITE_2", "CPT", {"validation_s3_path": "s3://b/v.jsonl"}).values["run"]
    assert run["validation_data_s3_path"] == "s3://b/v.jsonl"


def test_an_own_recipe_keeps_the_keys_that_the_hub_does_not_know() -> None:
    rendered = _render("NOVA_LITE_2", "SFT_LORA", {}, "training_config: {gradient_clip: 0.5}\n")
    assert rendered.values["training_config"]["gradient_clip"] == 0.5
    assert len(rendered.warnings) == 1


def test_an_own_recipe_for_another_model_is_not_trained_on_this_one() -> None:
    with pytest.raises(RecipeInvalid, match=r"run\.model_type is 'amazon\.nova-micro-v1:0:128k' and has to be"):
        _render("NOVA_LITE_2", "SFT_LORA", {}, "run: {model_type: 'amazon.nova-micro-v1:0:128k'}\n")


def test_an_own_recipe_s_text_stays_text() -> None:
    run = _render("NOVA_LITE_2", "SFT_LORA", {}, "run: {name: '1e-5', mlflow_run_name: '2.5E-3'}\n").values["run"]
    assert (run["name"], run["mlflow_run_name"]) == ("1e-5", "2.5E-3")


@pytest.mark.parametrize("written", ["1e-5", "1.0e-05", "1E-5", "0.00001", "+1e-5"])
def test_numbers_reach_a_yaml_1_1_reader_as_numbers_however_they_are_written(written: str) -> None:
    own = (
        f"training_config:\n  optim_config: {{lr: {written}}}\n  lr_scheduler: {{min_lr: '1e-5'}}\n  extra: {written}\n"
    )
    config = yaml.safe_load(_render("NOVA_LITE_2", "SFT_LORA", {}, own).yaml_text)["training_config"]
    found = (config["optim_config"]["lr"], config["lr_scheduler"]["min_lr"], config["extra"])
    assert found == (1e-05, 1e-05, 1e-05)
    assert {type(each) for each in found} == {float}


@pytest.mark.parametrize("given", [1e-05, "1e-5", "1E-5", "+1.0e-05"])
def test_numbers_of_overrides_reach_a_yaml_1_1_reader_as_numbers(given: float | str) -> None:
    config = yaml.safe_load(_render("NOVA_LITE_2", "SFT_LORA", {"lr": given}).yaml_text)["training_config"]
    assert (config["optim_config"]["lr"], type(config["optim_config"]["lr"])) == (1e-05, float)

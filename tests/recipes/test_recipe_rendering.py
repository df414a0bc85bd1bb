"""Templates filled with typed values."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import PROTECTED, documents, render

TEMPLATE: Mapping[str, Any] = {
    "run": {"name": "{{name}}", "model_type": "m", "model_name_or_path": "nova-lite-2/prod", "replicas": 1},
    "training_config": {
        "max_steps": "{{max_steps}}",
        "save_steps": "{{max_steps}}",
        "max_length": 32768,
        "global_batch_size": "{{global_batch_size}}",
        "reasoning_enabled": "{{reasoning_enabled}}",
        "optim": {"lr": "{{learning_rate}}", "name": "distributed_fused_adam", "betas": [0.9, 0.999]},
        "peft": {"peft_scheme": "lora"},
    },
    "inference": {"temperature": 0, "reasoning_effort": None},
}
SPEC: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "string", "required": True, "default": "my-run"},
    "max_steps": {"type": "integer", "required": True, "min": 4, "max": 100000, "default": 10},
    "global_batch_size": {"type": "integer", "enum": [32, 64], "default": 32},
    "reasoning_enabled": {"type": "boolean", "default": True},
    "learning_rate": {"type": "float", "min": 0, "max": 1, "default": 1e-05},
    "max_context_length": {"type": "integer", "default": 8192},
}


def _rendered(
    overrides: Mapping[str, Any] | None = None, arguments: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    return render(TEMPLATE, SPEC, arguments or {}, overrides or {}).values


def _problems(overrides: Mapping[str, Any], arguments: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    with pytest.raises(RecipeInvalid) as raised:
        render(TEMPLATE, SPEC, arguments or {}, overrides)
    return raised.value.problems


def test_without_values_the_defaults_and_literals_stand() -> None:
    assert _rendered() == {
        "run": {"name": "my-run", "model_type": "m", "model_name_or_path": "nova-lite-2/prod", "replicas": 1},
        "training_config": {
            "max_steps": 10,
            "save_steps": 10,
            "max_length": 32768,
            "global_batch_size": 32,
            "reasoning_enabled": True,
            "optim": {"lr": 1e-05, "name": "distributed_fused_adam", "betas": [0.9, 0.999]},
            "peft": {"peft_scheme": "lora"},
        },
        "inference": {"temperature": 0, "reasoning_effort": None},
    }


def test_the_order_of_precedence_is_override_argument_default_literal() -> None:
    assert _rendered()["run"]["name"] == "my-run"
    assert _rendered(arguments={"name": "run-7"})["run"]["name"] == "run-7"
    assert _rendered(arguments={"name": "run-7"}, overrides={"name": "mine"})["run"]["name"] == "mine"
    assert _rendered(arguments={"replicas": 4})["run"]["replicas"] == 4
    assert _rendered(overrides={"max_length": 8192})["training_config"]["max_length"] == 8192


def test_an_argument_called_name_is_not_the_optimizer_s() -> None:
    template = {"run": {"name": "literal"}, "optim": {"name": "distributed_fused_adam"}}
    values = render(template, {}, {"name": "run-7"}, {}).values
    assert values == {"run": {"name": "run-7"}, "optim": {"name": "distributed_fused_adam"}}


def test_arguments_without_a_place_or_a_value_are_left_out() -> None:
    assert _rendered(arguments={"reward_lambda_arn": "arn", "name": None}) == _rendered()


@pytest.mark.parametrize("name", ["lr", "learning_rate", "optim.lr", "training_config.optim.lr"])
def test_overrides_go_by_key_parameter_or_path(name: str) -> None:
    assert _rendered({name: 2e-05})["training_config"]["optim"]["lr"] == 2e-05


def test_a_parameter_that_feeds_several_keys_sets_them_all() -> None:
    config = _rendered({"max_steps": 50})["training_config"]
    assert (config["max_steps"], config["save_steps"]) == (50, 50)


def test_a_key_fed_by_another_parameter_is_set_alone() -> None:
    config = _rendered({"save_steps": 5})["training_config"]
    assert (config["max_steps"], config["save_steps"]) == (10, 5)
    for overrides in ({"save_steps": 5, "max_steps": 50}, {"max_steps": 50, "save_steps": 5}):
        config = _rendered(overrides)["training_config"]
        assert (config["max_steps"], config["save_steps"]) == (50, 5)


def test_one_value_under_two_names_must_be_the_same() -> None:
    assert _rendered({"lr": 2e-05, "learning_rate": 2e-05})["training_config"]["optim"]["lr"] == 2e-05
    assert _problems({"lr": 2e-05, "learning_rate": 3e-05}) == (
        "learning_rate and lr both set training_config.optim.lr, to different values; give one.",
    )


@pytest.mark.parametrize(
    ("name", "given_value", "expected"),
    [
        ("lr", 1, 1.0),
        ("lr", "2e-5", 2e-05),
        ("lr", "2.5E-3", 0.0025),
        ("max_steps", 20.0, 20),
        ("temperature", 0.7, 0.7),
        ("temperature", 1, 1.0),
        ("reasoning_effort", "low", "low"),
        ("reasoning_enabled", False, False),
        ("betas", [0.8, 0.9], [0.8, 0.9]),
    ],
)
def test_values_take_the_type_of_their_place(name: str, given_value: object, expected: object) -> None:
    flat = {
        key: value
        for section in ("training_config", "inference")
        for key, value in (_rendered({name: given_value})[section]).items()
    }
    found = (flat | flat["optim"])[name]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("max_steps", True, "max_steps: expects an integer, got True."),
        ("max_steps", 4.5, "max_steps: expects an integer, got 4.5."),
        ("max_steps", "20", "max_steps: expects an integer, got '20'."),
        ("max_steps", 3, "max_steps: 3 is below the minimum 4."),
        ("max_steps", 100001, "max_steps: 100001 is above the maximum 100000."),
        ("lr", True, "lr: expects a number, got True."),
        ("lr", "fast", "lr: expects a number, got 'fast'."),
        ("lr", math.nan, "lr: expects a finite number, got nan."),
        ("lr", math.inf, "lr: expects a finite number, got inf."),
        ("lr", 1.5, "lr: 1.5 is above the maximum 1."),
        ("lr", None, "lr: expects a number, got None."),
        ("global_batch_size", 48, "global_batch_size: 48 is not allowed; allowed: 32, 64."),
        ("reasoning_enabled", 1, "reasoning_enabled: expects true or false, got 1."),
        ("reasoning_effort", "very", "reasoning_effort: 'very' is not allowed; allowed: None, low, medium, high."),
        ("temperature", 2.1, "temperature: 2.1 is above the maximum 2.0."),
        ("max_length", "8k", "max_length: expects an integer, got '8k'."),
        ("betas", 0.9, "betas: expects a list, got 0.9."),
        ("name", 7, "name: expects a string, got 7."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name: str, value: object, problem: str) -> None:
    assert _problems({name: value}) == (problem,)


def test_arguments_are_checked_too() -> None:
    spec = {**SPEC, "replicas": {"type": "integer", "enum": [4, 8]}}
    with pytest.raises(RecipeInvalid, match="replicas: 3 is not allowed; allowed: 4, 8"):
        render(TEMPLATE, spec, {"replicas": 3}, {})


def test_an_unknown_override_is_refused_with_the_nearest_name() -> None:
    assert _problems({"max_step": 5}) == ("max_step is not a value of this recipe. Did you mean max_steps?",)
    assert _problems({"loraplus_lr_ratio": 5})[0].startswith("loraplus_lr_ratio is not a value of this recipe.")


def test_a_parameter_of_the_spec_that_the_template_does_not_use_is_unknown() -> None:
    (problem,) = _problems({"max_context_length": 8192})
    assert problem.startswith("max_context_length is not a value of this recipe.")


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_protected_keys_cannot_be_overridden(name: str) -> None:
    (problem,) = _problems({name: "x"})
    assert problem == f"{name} cannot be overridden: {PROTECTED[name]}."


def test_a_protected_key_cannot_be_reached_by_its_path() -> None:
    assert _problems({"run.model_type": "x"}) == (f"run.model_type cannot be overridden: {PROTECTED['model_type']}.",)


def test_a_key_in_several_places_asks_for_a_path() -> None:
    template = {"processor": {"preprocessing": {"enabled": False}, "postprocessing": {"enabled": True}}}
    with pytest.raises(RecipeInvalid) as raised:
        render(template, {}, {}, {"enabled": True})
    assert raised.value.problems == (
        "enabled names several values; use one of processor.preprocessing.enabled, processor.postprocessing.enabled.",
    )
    values = render(template, {}, {}, {"preprocessing.enabled": True}).values
    assert values["processor"]["preprocessing"]["enabled"] is True
    assert values["processor"]["postprocessing"]["enabled"] is True


def test_all_problems_come_together() -> None:
    problems = _problems({"task": "mmlu", "max_steps": 1, "lr": "x", "colour": 1, "global_batch_size": 1})
    assert [problem.split(" ", 1)[0] for problem in problems] == [
        "task",
        "colour",
        "max_steps:",
        "global_batch_size:",
        "lr:",
    ]


def test_a_placeholder_without_value_or_default_is_a_problem() -> None:
    with pytest.raises(RecipeInvalid) as raised:
        render({"run": {"arn": "{{reward}}"}}, {"reward": {"type": "string"}}, {}, {})
    assert raised.value.problems == ("reward has no value and no default; run.arn needs it.",)
    assert render({"run": {"arn": "{{reward}}"}}, {}, {"reward": "a"}, {}).values == {"run": {"arn": "a"}}


@pytest.mark.parametrize("literal", [["{{a}}"], [{"b": ["s3://{{ a }}/x"]}], "${oc.env:BUCKET}", "s3://${a.b}/x"])
def test_a_placeholder_that_cannot_be_filled_never_reaches_a_job(literal: object) -> None:
    with pytest.raises(RecipeInvalid, match=r"run\.x has the placeholder [{$].*}, which nothing fills\."):
        render({"run": {"x": literal}}, {"a": {"type": "string", "default": "v"}}, {}, {})


def test_an_override_is_no_template() -> None:
    with pytest.raises(RecipeInvalid, match=r"run\.name has the placeholder {{x}}, which nothing fills"):
        render(TEMPLATE, SPEC, {}, {"name": "{{x}}"})


def test_placeholders_inside_a_text_are_replaced() -> None:
    template = {"run": {"path": "s3://{{bucket}}/{{name}}/x"}}
    spec = {"bucket": {"type": "string", "default": "b"}, "name": {"type": "string"}}
    assert render(template, spec, {"name": "n"}, {}).values == {"run": {"path": "s3://b/n/x"}}
    assert render(template, spec, {"name": "n"}, {"bucket": "c"}).values == {"run": {"path": "s3://c/n/x"}}


def test_a_reference_follows_the_value_it_refers_to() -> None:
    template = {"a": {"max_steps": "{{max_steps}}", "save_steps": "${oc.select:a.max_steps}"}}
    assert render(template, SPEC, {}, {"max_steps": 7}).values == {"a": {"max_steps": 7, "save_steps": 7}}
    assert render(template, SPEC, {}, {"save_steps": 5}).values == {"a": {"max_steps": 10, "save_steps": 5}}
    with pytest.raises(RecipeInvalid, match="save_steps: expects an integer, got 'x'"):
        render(template, SPEC, {}, {"save_steps": "x"})


def test_references_may_follow_one_another_but_must_end_in_a_value() -> None:
    chain = {"a": {"x": "${a.y}", "y": "${recipes.a.z}", "z": 3}}
    assert render(chain, {}, {}, {}).values == {"a": {"x": 3, "y": 3, "z": 3}}
    assert render(chain, {}, {}, {"y": 5}).values == {"a": {"x": 5, "y": 5, "z": 3}}
    circle = {"a": {"b": "${a.c}", "c": "${a.b}"}}
    assert render(circle, {}, {}, {"b": 5}).values == {"a": {"b": 5, "c": 5}}
    for broken in ({"b": "${a.c}"}, {"b": "${a.c}", "c": "${a.b}"}, {"b": "${a.b}"}):
        with pytest.raises(RecipeInvalid, match=r"a\.b refers to a\.\w, which has no value"):
            render({"a": broken}, {}, {}, {})


def test_an_enumeration_of_whole_numbers_takes_floats_equal_to_them() -> None:
    template, spec = {"a": {"x": "{{x}}"}}, {"x": {"type": "float", "enum": [1, 2.5], "default": 2.5}}
    assert render(template, spec, {}, {"x": 1}).values == {"a": {"x": 1.0}}
    with pytest.raises(RecipeInvalid, match=r"allowed: 1, 2\.5"):
        render(template, spec, {}, {"x": 2})


def test_a_default_outside_its_own_enumeration_may_be_given_explicitly() -> None:
    template = {"processor": {"preset": "{{preset}}"}}
    spec = {"preset": {"type": "string", "enum": ["prime_math"], "default": ""}}
    assert render(template, spec, {}, {"preset": ""}).values == {"processor": {"preset": ""}}


def test_the_digest_is_of_the_yaml_text() -> None:
    recipe = render(TEMPLATE, SPEC, {}, {})
    assert recipe.sha256 == hashlib.sha256(recipe.yaml_text.encode()).hexdigest()
    assert recipe.sha256 != render(TEMPLATE, SPEC, {}, {"max_steps": 11}).sha256
    assert render(TEMPLATE, SPEC, {}, {}).sha256 == recipe.sha256


def test_rendering_leaves_the_template_as_it_was() -> None:
    before = documents.dump(TEMPLATE)
    render(TEMPLATE, SPEC, {"name": "n"}, {"max_steps": 5})
    assert documents.dump(TEMPLATE) == before


def test_numbers_are_written_so_that_yaml_1_1_reads_numbers() -> None:
    text = render(TEMPLATE, SPEC, {}, {"lr": 2e-05}).yaml_text
    assert "lr: 2.0e-05\n" in text
    assert yaml.safe_load(text)["training_config"]["optim"]["lr"] == 2e-05


@settings(deadline=None)  # a busy machine is not a failure
@given(st.floats(min_value=0, max_value=1) | st.integers(min_value=0, max_value=1))
def test_every_number_within_bounds_is_taken_as_a_float(number: float) -> None:
    found = _rendered({"lr": number})["training_config"]["optim"]["lr"]
    assert found == number
    assert type(found) is float

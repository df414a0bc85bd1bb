"""A recipe of the user's own in the template of the hub: what wins, what is kept, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from lambda_handlers.catalog import MODELS, Platform, method
from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import Recipe, hub, own_recipe, render, training_arguments
from lambda_handlers.training.recipe import Locations, Recipes
from tests.recipes.hub_support import FakeS3, FakeSageMaker

TEMPLATE: Mapping[str, Any] = {
    "run": {
        "name": "{{name}}",
        "model_type": "amazon.nova-2-lite-v1:0:256k",
        "model_name_or_path": "nova-lite-2/prod",
        "replicas": 1,
        "data_s3_path": "{{data_s3_path}}",
        "reward_lambda_arn": "{{reward_lambda_arn}}",
    },
    "training_config": {
        "max_steps": "{{max_steps}}",
        "save_steps": "{{max_steps}}",
        "max_length": 32768,
        "optim_config": {"lr": "{{learning_rate}}", "weight_decay": 0.0},
        "rewards": {"lambda_arn": "{{reward_lambda_arn}}"},
        "peft": {"peft_scheme": "lora", "lora_tuning": {"alpha": "{{lora_alpha}}"}},
        "lists": {},
    },
}
SPEC: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "string", "default": "my-run"},
    "data_s3_path": {"type": "string", "default": "s3://my-bucket-name/train.jsonl"},
    "reward_lambda_arn": {"type": "string", "default": ""},
    "max_steps": {"type": "integer", "min": 4, "max": 100000, "default": 10},
    "learning_rate": {"type": "float", "min": 0, "max": 1, "default": 1e-05},
    "lora_alpha": {"type": "integer", "enum": [32, 64], "default": 64},
    "max_context_length": {"type": "integer", "min": 1, "max": 131072, "default": 8192},
}


def _render(own: str, overrides: Mapping[str, Any] | None = None, arguments: Mapping[str, Any] | None = None) -> Recipe:
    recipe = own_recipe.parse(own.encode(), "mine.yaml")
    return render(TEMPLATE, SPEC, arguments or {}, overrides or {}, recipe)


def _config(own: str, overrides: Mapping[str, Any] | None = None) -> Any:
    return _render(own, overrides).values["training_config"]


def _problems(own: str, arguments: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    with pytest.raises(RecipeInvalid) as raised:
        _render(own, arguments=arguments)
    return raised.value.problems


def test_precedence_is_override_own_recipe_argument_default_literal() -> None:
    own = "run: {name: mine}\ntraining_config: {max_length: 8192}\n"
    assert _render("{}").values["run"]["name"] == "my-run"
    assert _render("{}", arguments={"name": "run-7"}).values["run"]["name"] == "run-7"
    assert _render(own, arguments={"name": "run-7"}).values["run"]["name"] == "mine"
    assert _render(own, {"name": "theirs"}, {"name": "run-7"}).values["run"]["name"] == "theirs"
    assert (_config("{}")["max_length"], _config(own)["max_length"]) == (32768, 8192)
    assert _config(own, {"max_length": 4096})["max_length"] == 4096


def test_without_an_own_recipe_nothing_changes() -> None:
    assert _render("{}") == render(TEMPLATE, SPEC, {}, {})


def test_a_value_takes_the_type_of_its_place() -> None:
    config = _config("training_config: {max_steps: 20.0, optim_config: {lr: 1, weight_decay: 1e-2}}\n")
    assert (config["max_steps"], type(config["max_steps"])) == (20, int)
    assert (config["optim_config"]["lr"], type(config["optim_config"]["lr"])) == (1.0, float)
    assert config["optim_config"]["weight_decay"] == 0.01


def test_keys_that_the_template_lacks_are_kept_and_listed() -> None:
    own = (
        "run: {team: a}\n"
        "training_config: {lr: 2e-5, clip: {low: 0.8, high: [1, 2]}, empty: {}}\n"
        "callbacks: {early_stopping: null}\n"
    )
    rendered = _render(own)
    assert rendered.values["run"]["team"] == "a"
    assert rendered.values["training_config"]["clip"] == {"low": 0.8, "high": [1, 2]}
    assert rendered.values["training_config"]["lr"] == 2e-05
    assert rendered.values["training_config"]["optim_config"]["lr"] == 1e-05
    assert rendered.values["callbacks"] == {"early_stopping": None}
    assert [warning.partition(" is not")[0] for warning in rendered.warnings] == [
        "mine.yaml: run.team",
        "mine.yaml: training_config.lr",
        "mine.yaml: training_config.clip.low",
        "mine.yaml: training_config.clip.high",
        "mine.yaml: training_config.empty",
        "mine.yaml: callbacks.early_stopping",
    ]
    assert rendered.warnings[1] == (
        "mine.yaml: training_config.lr is not a value of the hub's recipe; it is kept as written. "
        "Did you mean training_config.optim_config.lr?"
    )
    assert list(rendered.values) == ["run", "training_config", "callbacks"]


def test_a_kept_key_can_be_overridden_and_is_no_argument() -> None:
    assert _config("training_config: {clip: 0.8}\n", {"clip": 0.9})["clip"] == 0.9
    rendered = _render("optimizer: {name: adam}\n", arguments={"name": "run-7"})
    assert (rendered.values["run"]["name"], rendered.values["optimizer"]["name"]) == ("run-7", "adam")


def test_a_kept_key_is_not_set_by_the_run() -> None:
    rendered = _render("run: {output_s3_path: 's3://mine/'}\n", arguments={"output_s3_path": "s3://theirs/"})
    assert rendered.values["run"]["output_s3_path"] == "s3://mine/"


def test_an_argument_finds_its_place_beside_a_kept_key_of_the_same_name() -> None:
    own = own_recipe.from_mapping({"notes": {"lambda_arn": "x"}})
    rendered = render({"processor": {"lambda_arn": ""}}, {}, {"lambda_arn": "scorer"}, {}, own)
    assert rendered.values == {"processor": {"lambda_arn": "scorer"}, "notes": {"lambda_arn": "x"}}


def test_all_that_the_spec_knows_is_checked_and_reported_together() -> None:
    own = (
        "training_config:\n"
        "  max_steps: 3\n"
        "  max_length: long\n"
        "  max_context_length: 0\n"
        "  optim_config: {lr: fast}\n"
        "  peft: {lora_tuning: {alpha: 65}}\n"
        "  rewards: none\n"
    )
    assert _problems(own) == (
        "mine.yaml: training_config.max_steps: 3 is below the minimum 4.",
        "mine.yaml: training_config.max_length: expects an integer, got 'long'.",
        "mine.yaml: training_config.max_context_length: 0 is below the minimum 1.",
        "mine.yaml: training_config.optim_config.lr: expects a number, got 'fast'.",
        "mine.yaml: training_config.peft.lora_tuning.alpha: 65 is not allowed; allowed: 32, 64.",
        "mine.yaml: training_config.rewards is a section of the recipe, not 'none'.",
    )


def test_one_of_two_keys_of_a_parameter_is_set_alone_its_own_key_sets_both() -> None:
    assert _config("training_config: {save_steps: 5}\n")["max_steps"] == 10
    both = _config("training_config: {max_steps: 50}\n")
    assert (both["max_steps"], both["save_steps"]) == (50, 50)
    each = _config("training_config: {max_steps: 50, save_steps: 5}\n")
    assert (each["max_steps"], each["save_steps"]) == (50, 5)


def test_the_reward_function_is_the_run_s_own_in_both_places_and_before_a_run_the_recipe_s() -> None:
    rendered = _render("run: {reward_lambda_arn: mine}\n", arguments={"reward_lambda_arn": "theirs"})
    assert rendered.values["run"]["reward_lambda_arn"] == "theirs"
    assert rendered.values["training_config"]["rewards"]["lambda_arn"] == "theirs"
    assert "run.reward_lambda_arn is 'mine'; the run's own value, 'theirs', is used." in rendered.warnings[0]
    before = _render("run: {reward_lambda_arn: mine}\n").values
    assert (before["run"]["reward_lambda_arn"], before["training_config"]["rewards"]["lambda_arn"]) == ("mine", "mine")


def test_references_of_the_public_recipes_are_followed() -> None:
    own = "training_config: {max_steps: 40, save_steps: '${oc.select:training_config.max_steps}'}\n"
    assert _config(own)["save_steps"] == 40
    assert _config(own, {"max_steps": 60})["save_steps"] == 60
    assert _config(own, {"save_steps": 7})["save_steps"] == 7
    assert _config("training_config: {every: '${training_config.max_steps}'}\n")["every"] == 10


def test_a_reference_goes_before_an_argument() -> None:
    rendered = _render("run: {name: '${oc.select:run.model_type}'}\n", arguments={"name": "run-7"})
    assert rendered.values["run"]["name"] == "amazon.nova-2-lite-v1:0:256k"


def test_references_that_end_nowhere_or_in_the_wrong_type_are_refused() -> None:
    (absent,) = _problems("training_config: {max_length: '${oc.select:training_config.none}'}\n")
    assert absent == "training_config.max_length refers to training_config.none, which has no value."
    (wrong,) = _problems("training_config: {max_length: '${oc.select:run.name}'}\n")
    assert wrong == "training_config.max_length: expects an integer, got 'my-run'."


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        (
            "run: {model_type: 'amazon.nova-pro-v1:0:300k'}",
            "mine.yaml: run.model_type is 'amazon.nova-pro-v1:0:300k' and has to be 'amazon.nova-2-lite-v1:0:256k': "
            "it follows from the customization's model.",
        ),
        (
            "run: {model_name_or_path: 's3://other/checkpoint'}",
            "mine.yaml: run.model_name_or_path is 's3://other/checkpoint' and has to be 's3://escrow/step_4': "
            "give the run a model_path instead.",
        ),
        (
            "training_config: {peft: {peft_scheme: null}}\nrun: {model_type: x}",
            "mine.yaml: run.model_type is 'x'",
        ),
        (
            "training_config: {peft: {peft_scheme: full}}",
            "mine.yaml: training_config.peft.peft_scheme is 'full' and has to be 'lora': "
            "it follows from the customization's method.",
        ),
    ],
)
def test_a_recipe_for_another_model_or_method_is_refused(own: str, problem: str) -> None:
    (found,) = _problems(own, {"model_name_or_path": "s3://escrow/step_4"})
    assert found.startswith(problem)


def test_where_things_are_is_said_by_the_run() -> None:
    own = "run: {data_s3_path: 's3://old/train.jsonl', replicas: 8}\n"
    rendered = _render(own, arguments={"data_s3_path": "s3://new/train.jsonl", "replicas": 4})
    assert (rendered.values["run"]["data_s3_path"], rendered.values["run"]["replicas"]) == ("s3://new/train.jsonl", 4)
    assert rendered.warnings == (
        "mine.yaml: run.data_s3_path is 's3://old/train.jsonl'; the run's own value, 's3://new/train.jsonl', is used.",
        "mine.yaml: run.replicas is 8; the run's own value, 4, is used.",
    )
    before_a_run = _render(own)
    assert before_a_run.values["run"]["replicas"] == 8
    assert before_a_run.warnings == ()


def test_a_copy_of_the_public_recipe_says_nothing_new() -> None:
    own = "run: {model_name_or_path: nova-lite-2/prod, replicas: 1, data_s3_path: ''}\n"
    rendered = _render(own, arguments={"model_name_or_path": "s3://escrow/step_4", "replicas": 4, "data_s3_path": "d"})
    assert rendered.warnings == ()
    assert rendered.values["run"]["model_name_or_path"] == "s3://escrow/step_4"
    assert (rendered.values["run"]["replicas"], rendered.values["run"]["data_s3_path"]) == (4, "d")


def test_an_empty_mapping_of_the_template_may_be_filled() -> None:
    rendered = _render("training_config: {lists: {a: s3://b/a}}\n")
    assert rendered.values["training_config"]["lists"] == {"a": "s3://b/a"}
    assert rendered.warnings == ()
    assert _problems("training_config: {lists: 3}\n") == (
        "mine.yaml: training_config.lists: expects a mapping, got 3.",
    )


def test_numbers_are_written_so_that_yaml_1_1_reads_numbers() -> None:
    text = _render("training_config: {optim_config: {lr: 2e-5}, extra: 1e-8, id: '1e5'}\n").yaml_text
    assert "lr: 2.0e-05\n" in text
    config = yaml.safe_load(text)["training_config"]
    assert (config["optim_config"]["lr"], config["extra"], config["id"]) == (2e-05, 1e-08, "1e5")


@pytest.mark.parametrize("name", ["NOVA_MICRO", "NOVA_LITE", "NOVA_LITE_2", "NOVA_PRO"])
def test_a_rendered_recipe_as_own_recipe_gives_itself(name: str) -> None:
    content = hub.fetch(FakeSageMaker(), MODELS[name])
    template = hub.load_template(FakeS3(), hub.select(content, method("SFT_LORA"), Platform.SMTJ, "ml.p5.48xlarge"))
    arguments = training_arguments(model=MODELS[name], name="n", replicas=4, data_uri="s3://d/x", output_uri="s3://o/")
    first = render(*template, arguments, {"lr": 3e-05})
    again = render(*template, arguments, {}, own_recipe.parse(first.yaml_text.encode(), "mine.yaml"))
    assert again == first


def test_a_training_job_is_rendered_by_the_own_recipe() -> None:
    recipes = Recipes(sagemaker=FakeSageMaker(), s3=FakeS3(), model=MODELS["NOVA_LITE_2"], content_version=None)
    asked: dict[str, Any] = {
        "method": method("SFT_LORA"),
        "settings": {"instance_type": "ml.p5.48xlarge", "instance_count": 4},
        "name": "n",
        "overrides": {},
        "locations": Locations(data_uri="s3://d/x", output_uri="s3://o/"),
    }
    own = own_recipe.from_mapping({"training_config": {"max_steps": 77, "clip": 0.5}})
    plain, by_own = recipes.training(**asked), recipes.training(**asked, own=own)
    assert by_own.recipe.values["training_config"]["max_steps"] == 77
    assert by_own.recipe.warnings == (
        "recipe: training_config.clip is not a value of the hub's recipe; it is kept as written.",
    )
    assert by_own.identity != plain.identity
    elsewhere = asked | {"locations": Locations(data_uri="s3://e/y", output_uri="s3://p/")}
    assert recipes.training(**elsewhere, own=own).identity == by_own.identity

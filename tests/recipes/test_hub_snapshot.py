"""The snapshot of the hub: complete, consistent, and as the public recipes have it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from lambda_handlers.catalog import MODELS, Platform, evaluation_task, method
from lambda_handlers.recipes import constraints, documents, hub, render
from lambda_handlers.recipes.template import leaves
from nova_constructs.emulator import hub as snapshot
from nova_constructs.emulator.hub.snapshot import SnapshotRecipe, recipes
from tests.recipes.hub_support import REGION, FakeS3, FakeSageMaker

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not SHARED.is_dir(), reason="no reference beside this checkout")

RECIPES = {recipe.name: recipe for recipe in recipes()}
HUB_NAMES = [model.hub_content_name for model in MODELS.values()]


def _entries(name: str, region: str = REGION) -> list[dict[str, Any]]:
    return list(json.loads(snapshot.hub_content(name, region)["HubContentDocument"])["RecipeCollection"])


def test_every_model_has_its_recipes() -> None:
    assert {name: len(_entries(name)) for name in HUB_NAMES} == {
        "nova-textgeneration-micro": 7,
        "nova-textgeneration-lite": 7,
        "nova-textgeneration-lite-v2": 7,
        "nova-textgeneration-pro": 5,
    }
    assert len(RECIPES) == 26


@pytest.mark.parametrize("name", HUB_NAMES)
def test_the_answer_has_the_shape_of_the_api(name: str) -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model("DescribeHubContent").output_shape
    found = snapshot.hub_content(name, REGION)
    assert set(shape.required_members) <= set(found) <= set(shape.members)
    assert len(found["HubContentDocument"]) <= 327_680


def test_a_content_or_version_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        snapshot.hub_content("nova-premier", REGION)
    with pytest.raises(KeyError):
        snapshot.hub_content(HUB_NAMES[0], REGION, "9.9.9")
    assert snapshot.hub_content(HUB_NAMES[0], REGION, snapshot.CONTENT_VERSION)


def test_every_file_that_an_entry_names_is_there_and_no_other() -> None:
    named = {
        entry[key]
        for name in HUB_NAMES
        for entry in _entries(name, "us-west-2")
        for key in ("SmtjRecipeTemplateS3Uri", "SmtjOverrideParamsS3Uri")
    }
    assert named == {f"s3://jumpstart-cache-prod-us-west-2/{key}" for key in snapshot.objects()}


def test_images_are_the_region_s_and_absent_where_there_are_none() -> None:
    (entry,) = [each for each in _entries(HUB_NAMES[0], "us-west-2") if each["Name"].endswith("g6_12x_gpu_lora_sft")]
    assert entry["SmtjImageUri"] == (
        "176779409107.dkr.ecr.us-west-2.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-latest"
    )
    for region in ("eu-west-2", "sa-east-1"):
        assert not any("SmtjImageUri" in each for each in _entries(HUB_NAMES[0], region))


def test_an_entry_describes_its_recipe() -> None:
    (entry,) = [each for each in _entries("nova-textgeneration-lite-v2") if each["Name"].endswith("gpu_lora_sft")]
    assert {key: value for key, value in entry.items() if not key.startswith("Smtj")} == {
        "Name": "nova_lite_2_0_p5_gpu_lora_sft",
        "DisplayName": "Nova Lite LoRA SFT on P5 GPU",
        "Type": "FineTuning",
        "CustomizationTechnique": "SFT",
        "Peft": "lora",
        "InstanceCount": 1,
        "SequenceLength": "32K",
        "Versions": ["2.5.0"],
        "Hardware": "GPU",
        "SupportedInstanceTypes": ["ml.p5.48xlarge", "ml.p5en.48xlarge", "ml.p4d.24xlarge"],
        "IsSubscriptionModel": False,
    }


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_placeholders_and_parameters_belong_together(recipe: SnapshotRecipe) -> None:
    used = {leaf.placeholder for leaf in leaves(recipe.template()) if leaf.placeholder}
    assert used == set(recipe.spec()) - {"max_context_length"}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_placeholders_are_quoted_text_in_the_template(recipe: SnapshotRecipe) -> None:
    (text,) = [body.decode() for key, body in snapshot.objects().items() if f"/{recipe.name}_payload" in key]
    assert yaml.safe_load(text) == recipe.template()
    assert "name: '{{name}}'\n" in text


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_defaults_satisfy_their_own_constraints(recipe: SnapshotRecipe) -> None:
    for name, entry in recipe.spec().items():
        rest = {key: value for key, value in entry.items() if key != "default"}
        if not (rest.get("enum") and entry["default"] == ""):  # an empty choice stands for none
            assert constraints.conform(entry["default"], rest) == entry["default"], name


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_the_rendered_recipe_has_the_public_values(recipe: SnapshotRecipe) -> None:
    steps = (
        {name: recipe.values["training_config"]["trainer"][name] for name in ("max_steps", "save_steps")}
        if (recipe.technique == "RLVR")
        else {}
    )
    if recipe.technique == "SFT" and recipe.model.version == 2:
        steps = dict.fromkeys(("max_steps", "save_steps"), 100)  # the hub's own default is lower
    assert render(recipe.template(), recipe.spec(), {}, steps).values == recipe.values


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("work", ["SFT_LORA", "SFT_FULL", "mmlu", "gen_qa"])
def test_every_model_can_be_tuned_and_evaluated(model: str, work: str) -> None:
    chosen = method(work) if work.isupper() else evaluation_task(work)
    found = hub.select(hub.fetch(FakeSageMaker(), MODELS[model]), chosen, Platform.SMTJ, "ml.p5.48xlarge")
    values = render(*hub.load_template(FakeS3(), found), {"name": "run-1", "replicas": 4}, {}).values
    assert values["run"]["name"] == "run-1"
    assert values["run"]["model_type"] == MODELS[model].model_type
    assert values["run"]["model_name_or_path"] == MODELS[model].model_path
    assert values["run"]["replicas"] == 4


def test_supervised_recipes_of_nova_1_differ_in_length_batch_epochs_and_nodes() -> None:
    found = {
        name: (
            recipe.values["training_config"]["max_length"],
            recipe.values["training_config"]["global_batch_size"],
            recipe.values["training_config"]["trainer"]["max_epochs"],
            recipe.values["run"]["replicas"],
        )
        for name, recipe in RECIPES.items()
        if recipe.technique == "SFT" and recipe.model.version == 1
    }
    assert found == {
        "nova_micro_1_0_g5_g6_12x_gpu_lora_sft": (8192, 64, 2, 1),
        "nova_micro_1_0_g5_g6_48x_gpu_lora_sft": (8192, 64, 2, 1),
        "nova_micro_1_0_p5_p4d_gpu_lora_sft": (32768, 64, 2, 2),
        "nova_micro_1_0_g5_g6_48x_gpu_sft": (4096, 64, 2, 1),
        "nova_micro_1_0_p5_p4d_gpu_sft": (32768, 16, 1, 2),
        "nova_lite_1_0_g5_g6_12x_gpu_lora_sft": (8192, 64, 2, 1),
        "nova_lite_1_0_g5_g6_48x_gpu_lora_sft": (8192, 64, 2, 1),
        "nova_lite_1_0_p5_p4d_gpu_lora_sft": (32768, 64, 2, 4),
        "nova_lite_1_0_p5_p4d_gpu_sft": (32768, 16, 1, 4),
        "nova_pro_1_0_p5_p4d_gpu_lora_sft": (32768, 32, 2, 6),
        "nova_pro_1_0_p5_gpu_sft": (32768, 16, 2, 6),
    }


@needs_reference
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("launch-json-smtj-sft.json", "nova_lite_2_0_p5_gpu_lora_sft"),
        ("launch-json-smtj-eval.json", "nova_lite_2_0_p5_48xl_gpu_bring_your_own_dataset_eval"),
    ],
)
def test_template_and_spec_have_the_form_of_the_public_launcher(file: str, name: str) -> None:
    reference = json.loads((SHARED / "oracle" / "hyperpod" / file).read_text(encoding="utf-8"))
    recipe = RECIPES[name]
    assert documents.dump(recipe.template()) == reference["training_recipe.yaml"]
    theirs = {
        parameter: {key: value for key, value in entry.items() if key not in ("category", "description")}
        for parameter, entry in reference["recipe_override_parameters"].items()
    }
    theirs["name"]["default"] = re.sub(r"-abc12$", "", theirs["name"]["default"])  # the launcher's random suffix
    assert recipe.spec() == theirs


@needs_reference
def test_instance_types_images_and_versions_are_those_of_the_public_recipes() -> None:
    text = (SHARED / "nova-recipes.md").read_text(encoding="utf-8")
    rows = {
        Path(cells[0]).stem: cells
        for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
        if len(cells) == 6 and cells[0].endswith(".yaml")
    }
    for name, recipe in RECIPES.items():
        (entry,) = [each for each in _entries(recipe.model.hub_content_name) if each["Name"] == name]
        row = rows[name]
        assert {f"ml.{each.strip()}" for each in row[1].split(",")} == set(recipe.instance_types), name
        assert entry["SmtjImageUri"].endswith(f"/{row[3]}"), name
        assert recipe.version == row[5], name


@needs_reference
@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("SFT v1 LoRA", "nova_lite_1_0_p5_p4d_gpu_lora_sft"),
        ("SFT v1 full", "nova_pro_1_0_p5_gpu_sft"),
        ("SFT v2 LoRA", "nova_lite_2_0_p5_gpu_lora_sft"),
        ("SFT v2 full", "nova_lite_2_0_p5_gpu_sft"),
        ("RFT SMTJ LoRA", "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft"),
        ("eval text v1", "nova_lite_1_0_p5_48xl_gpu_general_text_benchmark_eval"),
        ("eval text v2", "nova_lite_2_0_p5_48xl_gpu_general_text_benchmark_eval"),
        ("eval byod v2", "nova_lite_2_0_p5_48xl_gpu_bring_your_own_dataset_eval"),
    ],
)
def test_values_are_those_of_the_public_recipes(family: str, name: str) -> None:
    text = (SHARED / "nova-recipes.md").read_text(encoding="utf-8")
    line = re.search(rf"^- \*\*{re.escape(family)}\*\* \(`{name}`\): (.*)$", text, re.MULTILINE)
    assert line
    pairs = re.findall(r"`([\w.]+)`=(.+?)(?=, `[\w.]+`=|$)", line[1])
    theirs = {
        key: documents.as_number(json.loads(value)) if re.match(r'"\d+(\.\d+)?e', value) else json.loads(value)
        for key, value in pairs
        if "${" not in value
    }
    ours = {leaf.dotted: leaf.literal for leaf in leaves(RECIPES[name].values)}
    assert {key: ours[key] for key in theirs} == theirs
    assert set(ours) - set(theirs) <= {"training_config.save_steps", "training_config.trainer.save_steps"}


@needs_reference
@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("nova_lora_sft", "nova_micro_1_0_p5_p4d_gpu_lora_sft"),
        ("nova_sft", "nova_pro_1_0_p5_gpu_sft"),
        ("nova_sft_2_0", "nova_lite_2_0_p5_gpu_sft"),
        ("nova_smtj_lora_rft", "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft"),
        ("nova_smtj_rft", "nova_lite_v2_smtj_p5_p5en_gpu_rft"),
        ("nova_general_text_benchmark_eval", "nova_pro_1_0_p5_48xl_gpu_general_text_benchmark_eval"),
        ("nova_general_text_benchmark_2_0_eval", "nova_lite_2_0_p5_48xl_gpu_general_text_benchmark_eval"),
        ("nova_general_multi_modal_benchmark_eval", "nova_lite_1_0_p5_48xl_gpu_general_multi_modal_benchmark_eval"),
        ("nova_bring_your_own_dataset_eval", "nova_micro_1_0_p5_48xl_gpu_bring_your_own_dataset_eval"),
        ("nova_bring_your_own_dataset_2_0_eval", "nova_lite_2_0_p5_48xl_gpu_bring_your_own_dataset_eval"),
    ],
)
def test_constraints_are_those_of_the_public_parameter_file(table: str, name: str) -> None:
    text = (SHARED / "nova-recipes.md").read_text(encoding="utf-8")
    line = re.search(rf"^- \*\*{table}\*\*: (.*)$", text, re.MULTILINE)
    assert line
    theirs = {key: json.loads(entry) for key, entry in re.findall(r"(\w+) (\{.*?\})(?:; |$)", line[1])}
    hidden = ("namespace", "replicas", "mlflow_tracking_uri", "mlflow_experiment_name", "mlflow_run_name")

    def bare(spec: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in entry.items() if key != "default"}
            for name, entry in spec.items()
            if name not in hidden
        }

    assert bare(RECIPES[name].spec()) == bare(theirs)

"""The snapshot of the hub against the public recipes, where a reference lies beside the checkout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.catalog import Platform
from lambda_handlers.recipes import documents, render
from lambda_handlers.recipes import hub_snapshot as snapshot
from lambda_handlers.recipes.hub import HubRecipe, load_template
from lambda_handlers.recipes.hub_snapshot.recipes import recipes
from lambda_handlers.recipes.template import leaves
from tests.recipes.hub_support import FakeS3

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference"
RECIPES = {recipe.name: recipe for recipe in recipes()}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no reference beside this checkout")


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


def test_instance_types_images_and_versions_are_those_of_the_public_recipes() -> None:
    text = (SHARED / "nova-recipes.md").read_text(encoding="utf-8")
    rows = {
        Path(cells[0]).stem: cells
        for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
        if len(cells) == 6 and cells[0].endswith(".yaml")
    }
    for name, recipe in RECIPES.items():
        content = snapshot.hub_content(recipe.model.hub_content_name, "us-east-1")
        entries = json.loads(content["HubContentDocument"])["RecipeCollection"]
        (entry,) = [each for each in entries if each["Name"] == name]
        row = rows[name]
        assert {f"ml.{each.strip()}" for each in row[1].split(",")} == set(recipe.instance_types), name
        if recipe.platform is Platform.SMTJ:
            assert entry.get("SmtjImageUri", "-").rpartition("/")[2] == row[3], name
        if recipe.technique == "CPT":
            assert recipe.spec()["replicas"]["enum"] == json.loads(row[2]), name
        assert recipe.version == row[5], name


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("SFT v1 LoRA", "nova_lite_1_0_p5_p4d_gpu_lora_sft"),
        ("SFT v1 full", "nova_pro_1_0_p5_gpu_sft"),
        ("SFT v2 LoRA", "nova_lite_2_0_p5_gpu_lora_sft"),
        ("SFT v2 full", "nova_lite_2_0_p5_gpu_sft"),
        ("RFT SMTJ LoRA", "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft"),
        ("RFT SMHP LoRA", "nova_lite_2_0_p5_gpu_lora_rft"),
        ("CPT v1", "nova_micro_1_0_p5x8_gpu_pretrain"),
        ("CPT v2", "nova_lite_2_0_p5x8_gpu_pretrain"),
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
    assert set(ours) - set(theirs) <= {
        "training_config.save_steps",
        "training_config.trainer.save_steps",
        "training_config.rollout.rewards.api_endpoint.lambda_arn",
    }


_MLFLOW = ("tracking_uri", "experiment_name", "run_name")


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("nova_lora_rft", "nova_lite_2_0_p5_gpu_lora_rft"),
        ("nova_rft", "nova_lite_2_0_p5_gpu_rft"),
        ("nova_lora_sft", "nova_micro_1_0_p5_p4d_gpu_lora_sft"),
        ("nova_sft", "nova_pro_1_0_p5_gpu_sft"),
        ("nova_sft_2_0", "nova_lite_2_0_p5_gpu_sft"),
        ("nova_smtj_lora_rft", "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft"),
        ("nova_smtj_rft", "nova_lite_v2_smtj_p5_p5en_gpu_rft"),
        ("nova_pretrain", "nova_pro_1_0_p5x24_gpu_pretrain"),
        ("nova_pretrain_2_0", "nova_lite_2_0_p5x8_gpu_pretrain"),
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
    hidden = ("namespace", "replicas", "instance_type", *(f"mlflow_{each}" for each in _MLFLOW))

    def bare(spec: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in entry.items() if key != "default"}
            for name, entry in spec.items()
            if name not in hidden
        }

    assert bare(RECIPES[name].spec()) == bare(theirs)


def test_a_recipe_is_found_in_the_payload_that_the_public_launcher_makes() -> None:
    reference = json.loads((SHARED / "oracle" / "hyperpod" / "launch-json-k8s-sft-v2-lora.json").read_text("utf-8"))
    payload = f"{reference['training-config.yaml']}{reference['training.yaml']}"
    entry = HubRecipe(
        name="x", display_name="", instance_types=(), image_uri="", template_uri="s3://b/t", spec_uri="s3://b/s"
    )
    spec = json.dumps(reference["recipe_override_parameters"]).encode()
    found = load_template(FakeS3({("b", "t"): payload.encode(), ("b", "s"): spec}), entry)
    rendered = render(*found, {}, {"max_steps": 100, "save_steps": 100}).values
    public = {leaf.dotted: leaf.literal for leaf in leaves(RECIPES["nova_lite_2_0_p5_gpu_lora_sft"].values)}
    launcher = {"run.name": "my-lora-sft-run-abc12", "run.replicas": 4}
    assert {leaf.dotted: leaf.literal for leaf in leaves(rendered)} == public | launcher

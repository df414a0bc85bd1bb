"""The snapshot of the hub: complete, consistent, and as the public recipes have it."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import botocore.session
import pytest
import yaml

from lambda_handlers.catalog import MODELS, Platform, evaluation_task, method
from lambda_handlers.recipes import constraints, documents, hub, payload, render
from lambda_handlers.recipes import hub_snapshot as snapshot
from lambda_handlers.recipes.hub_snapshot.recipes import SnapshotRecipe, recipes
from lambda_handlers.recipes.template import leaves
from tests.recipes.hub_support import REGION, FakeS3, FakeSageMaker

RECIPES = {recipe.name: recipe for recipe in recipes()}
HUB_NAMES = [model.hub_content_name for model in MODELS.values()]


def _entries(name: str, region: str = REGION) -> list[dict[str, Any]]:
    return list(json.loads(snapshot.hub_content(name, region)["HubContentDocument"])["RecipeCollection"])


def test_every_model_has_its_recipes() -> None:
    assert {name: len(_entries(name)) for name in HUB_NAMES} == {
        "nova-textgeneration-micro": 11,
        "nova-textgeneration-lite": 11,
        "nova-textgeneration-lite-v2": 13,
        "nova-textgeneration-pro": 9,
    }
    assert len(RECIPES) == 32
    for name in HUB_NAMES:
        forge = [each["Name"] for each in _entries(name) if each["IsSubscriptionModel"]]
        assert len(forge) == 3
        assert all(each.endswith("_text_with_datamix") for each in forge)


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
        for key in entry
        if key.endswith(("TemplateS3Uri", "ParamsS3Uri"))
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
    assert {key: value for key, value in entry.items() if not key.startswith(("Smtj", "HpEks"))} == {
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
    assert used == set(recipe.spec()) - {"max_context_length", "namespace", "instance_type"}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_placeholders_are_quoted_text_in_the_template(recipe: SnapshotRecipe) -> None:
    flavour = "k8s" if recipe.platform is Platform.SMHP else "sm_jobs"
    stem = f"/{recipe.name}_payload_template_{flavour}_"
    (text,) = [body.decode() for key, body in snapshot.objects().items() if stem in key]
    assert "name: '{{name}}'\n" in text
    if recipe.platform is Platform.SMTJ:
        assert yaml.safe_load(text) == recipe.template()
    else:
        assert "# Source: templates/training-config.yaml\n" in text
        # Reinforcement recipes have what tells the parts of a job apart besides.
        assert textwrap.indent(documents.dump(recipe.template()), "    ").rstrip("\n") in text
        assert "\n  name: {{name}}\n" in text


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


ON_HYPERPOD = [
    *((model, work) for model in MODELS for work in ("SFT_LORA", "SFT_FULL", "CPT", "mmlu", "gen_qa")),
    ("NOVA_LITE_2", "RFT_LORA"),
    ("NOVA_LITE_2", "RFT_FULL"),
]


@pytest.mark.parametrize(("model", "work"), ON_HYPERPOD)
def test_all_work_on_hyperpod_has_a_payload_whose_recipe_can_be_rendered(model: str, work: str) -> None:
    chosen = method(work) if work.isupper() else evaluation_task(work)
    found = hub.select(hub.fetch(FakeSageMaker(), MODELS[model]), chosen, Platform.SMHP, "ml.p5.48xlarge")
    template, spec = hub.load_template(FakeS3(), found)
    assert spec["namespace"]["default"] == "kubeflow"
    assert spec["instance_type"]["enum"][0] == "ml.p5.48xlarge"
    values = render(template, spec, {"name": "run-1"}, {}).values
    assert values["run"]["model_type"] == MODELS[model].model_type
    objects = payload.parse(hub.load_payload(FakeS3(), found))
    assert len(objects) == (21 if work.startswith("RFT") else 2)
    if work.isupper():
        assert set(spec["replicas"]["enum"]) == _COUNTS[work.partition("_")[0], model]


# Those of the public recipes; the customization SDK's table differs for NOVA_PRO (48, not 24).
_COUNTS = {
    ("SFT", "NOVA_MICRO"): {2, 4, 8},
    ("SFT", "NOVA_LITE"): {4, 8, 16},
    ("SFT", "NOVA_LITE_2"): {4, 8, 16, 32},
    ("SFT", "NOVA_PRO"): {6, 12, 24},
    ("CPT", "NOVA_MICRO"): {2, 4, 8, 16, 32},
    ("CPT", "NOVA_LITE"): {4, 8, 16, 32},
    ("CPT", "NOVA_LITE_2"): {4, 8, 16, 32},
    ("CPT", "NOVA_PRO"): {6, 12, 24},
    ("RFT", "NOVA_LITE_2"): {2, 4, 8, 16},
}


def test_payloads_name_the_containers_of_their_region_and_leave_open_those_that_no_table_has() -> None:
    def text(region: str) -> str:
        key = "recipes/nova_lite_2_0_p5_gpu_lora_rft_payload_template_k8s_v2.2.0.yaml"
        return snapshot.objects(region)[key].decode()

    west = "176779409107.dkr.ecr.us-west-2.amazonaws.com/nova-fine-tune-repo:SM-HP-RFT-TRAIN-V2-latest"
    assert west in text("us-west-2")
    assert "us-east-1.amazonaws" not in text("us-west-2")
    assert "image: {{container_image}}" in text("sa-east-1")


def test_a_recipe_that_mixes_data_has_shares_by_category_and_a_catalog() -> None:
    key = "recipes/nova_lite_2_0_p5_gpu_lora_sft_text_with_datamix_override_params_k8s_v2.5.0.json"
    spec = json.loads(snapshot.objects()[key])
    assert {name: entry["default"] for name, entry in spec.items() if name.endswith("_percent")} == {
        "customer_data_percent": 50.0,
        "nova_code_percent": 30.0,
        "nova_general_percent": 70.0,
    }
    assert spec["dataset_catalog"]["default"] == "nova-sft-text"

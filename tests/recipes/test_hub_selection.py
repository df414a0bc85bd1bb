"""The hub's entry of a model, and the choice of one of its recipes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lambda_handlers.catalog import MODELS, Platform, evaluation_task, method
from lambda_handlers.protocol.errors import RecipeInvalid, TransientServiceError, UnsupportedCombination
from lambda_handlers.recipes import hub
from lambda_handlers.recipes.finding import find
from tests.recipes.hub_support import REGION, FakeS3, FakeSageMaker, client_error

LITE_2 = MODELS["NOVA_LITE_2"]
P5 = "ml.p5.48xlarge"


def _work(name: str) -> Any:
    return method(name) if name.isupper() else evaluation_task(name)


def _select(model: str, work: str, instance_type: str = P5, platform: Platform = Platform.SMTJ) -> hub.HubRecipe:
    return hub.select(hub.fetch(FakeSageMaker(), MODELS[model]), _work(work), platform, instance_type)


def _content(*entries: dict[str, Any]) -> hub.HubContent:
    return hub.HubContent(model=LITE_2, version="1.0.0", arn="arn", recipes=entries)


ENTRY = {
    "Name": "lora",
    "CustomizationTechnique": "SFT",
    "Peft": "LORA",
    "SupportedInstanceTypes": [P5],
    "SmtjRecipeTemplateS3Uri": "s3://b/t.yaml",
    "SmtjOverrideParamsS3Uri": "s3://b/s.json",
    "SmtjImageUri": "image",
}


def test_the_latest_content_is_fetched_unless_a_version_is_given(sagemaker: FakeSageMaker) -> None:
    content = hub.fetch(sagemaker, LITE_2)
    assert content.version == "1.0.20"
    assert content.arn == (
        f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model/nova-textgeneration-lite-v2/1.0.20"
    )
    assert sagemaker.requests == [
        {
            "HubName": "SageMakerPublicHub",
            "HubContentType": "Model",
            "HubContentName": "nova-textgeneration-lite-v2",
        }
    ]
    hub.fetch(sagemaker, LITE_2, "1.0.20")
    assert sagemaker.requests[1]["HubContentVersion"] == "1.0.20"


def test_a_version_that_does_not_exist_is_the_user_s_error(sagemaker: FakeSageMaker) -> None:
    with pytest.raises(RecipeInvalid, match=r"no content nova-textgeneration-lite-v2 9\.9\.9"):
        hub.fetch(sagemaker, LITE_2, "9.9.9")


def test_throttling_is_transient_and_a_denial_is_left_as_it_is() -> None:
    with pytest.raises(TransientServiceError):
        hub.fetch(FakeSageMaker(error=client_error("ThrottlingException")), LITE_2)
    denied = client_error("AccessDeniedException", 403)
    with pytest.raises(type(denied), match="AccessDenied"):
        hub.fetch(FakeSageMaker(error=denied), LITE_2)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "no RecipeCollection"),
        ("{}", "no RecipeCollection"),
        ('{"RecipeCollection": [{"Name": 5}]}', "recipe 5 has Name 5, which is not text."),
        (
            '{"RecipeCollection": [{"Name": "x", "SupportedInstanceTypes": ["a", 1]}]}',
            "recipe 'x' has SupportedInstanceTypes .*, which is not a list of names.",
        ),
    ],
)
def test_a_document_that_is_not_the_hub_s_is_refused(document: str, message: str) -> None:
    with pytest.raises(RecipeInvalid, match=message):
        hub.fetch(FakeSageMaker(document=document), LITE_2)


def test_a_document_may_come_decoded() -> None:
    assert hub.fetch(FakeSageMaker(document={"RecipeCollection": [ENTRY, "x"]}), LITE_2).recipes == (ENTRY,)


@pytest.mark.parametrize(
    ("model", "work", "instance_type", "name"),
    [
        ("NOVA_LITE_2", "SFT_LORA", P5, "nova_lite_2_0_p5_gpu_lora_sft"),
        ("NOVA_LITE_2", "SFT_FULL", P5, "nova_lite_2_0_p5_gpu_sft"),
        ("NOVA_LITE_2", "RFT_LORA", P5, "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft"),
        ("NOVA_LITE_2", "RFT_FULL", "ml.p5en.48xlarge", "nova_lite_v2_smtj_p5_p5en_gpu_rft"),
        ("NOVA_MICRO", "SFT_LORA", "ml.g5.12xlarge", "nova_micro_1_0_g5_g6_12x_gpu_lora_sft"),
        ("NOVA_MICRO", "SFT_LORA", "ml.g6.48xlarge", "nova_micro_1_0_g5_g6_48x_gpu_lora_sft"),
        ("NOVA_MICRO", "SFT_LORA", P5, "nova_micro_1_0_p5_p4d_gpu_lora_sft"),
        ("NOVA_LITE", "SFT_FULL", "ml.p4d.24xlarge", "nova_lite_1_0_p5_p4d_gpu_sft"),
        ("NOVA_PRO", "SFT_LORA", P5, "nova_pro_1_0_p5_p4d_gpu_lora_sft"),
        ("NOVA_LITE_2", "mmlu", P5, "nova_lite_2_0_p5_48xl_gpu_general_text_benchmark_eval"),
        ("NOVA_LITE_2", "mmmu", P5, "nova_lite_2_0_p5_48xl_gpu_general_multi_modal_benchmark_eval"),
        ("NOVA_MICRO", "gen_qa", "ml.g5.24xlarge", "nova_micro_1_0_p5_48xl_gpu_bring_your_own_dataset_eval"),
    ],
)
def test_the_recipe_of_the_method_and_instance_type_is_chosen(
    model: str, work: str, instance_type: str, name: str
) -> None:
    assert _select(model, work, instance_type).name == name


def test_a_recipe_says_where_its_files_and_its_container_are() -> None:
    assert _select("NOVA_LITE_2", "SFT_LORA") == hub.HubRecipe(
        name="nova_lite_2_0_p5_gpu_lora_sft",
        display_name="Nova Lite LoRA SFT on P5 GPU",
        instance_types=("ml.p5.48xlarge", "ml.p5en.48xlarge", "ml.p4d.24xlarge"),
        image_uri="708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-V2-latest",
        template_uri="s3://jumpstart-cache-prod-us-east-1/recipes/"
        "nova_lite_2_0_p5_gpu_lora_sft_payload_template_sm_jobs_v2.5.0.yaml",
        spec_uri="s3://jumpstart-cache-prod-us-east-1/recipes/"
        "nova_lite_2_0_p5_gpu_lora_sft_override_params_sm_jobs_v2.5.0.json",
    )


@pytest.mark.parametrize(
    ("model", "work", "platform", "instance_type", "message"),
    [
        ("NOVA_LITE", "RFT_LORA", Platform.SMTJ, P5, "The hub has no recipe for RFT_LORA for NOVA_LITE."),
        ("NOVA_LITE_2", "CPT", Platform.SMTJ, P5, "The hub has no recipe for CPT for NOVA_LITE_2 on SMTJ."),
        ("NOVA_LITE_2", "EVALUATION", Platform.SMTJ, P5, "The hub has no recipe for EVALUATION for NOVA_LITE_2."),
        (
            "NOVA_PRO",
            "SFT_LORA",
            Platform.SMTJ,
            "ml.g5.12xlarge",
            "The recipes for SFT_LORA for NOVA_PRO on SMTJ do not run on ml.g5.12xlarge; "
            "they run on ml.p4d.24xlarge, ml.p5.48xlarge, ml.p5en.48xlarge.",
        ),
    ],
)
def test_what_the_hub_does_not_have_is_refused_with_what_it_has(
    model: str, work: str, platform: Platform, instance_type: str, message: str
) -> None:
    with pytest.raises(UnsupportedCombination) as raised:
        _select(model, work, instance_type, platform)
    assert raised.value.message.partition(" It has: ")[0] == message
    if message.startswith("The hub has no recipe"):
        assert "_p5_48xl_gpu_general_text_benchmark_eval" in raised.value.message.partition(" It has: ")[2]


def test_recipes_that_need_a_subscription_are_passed_over() -> None:
    content = _content(ENTRY | {"Name": "forge", "IsSubscriptionModel": True}, ENTRY)
    assert hub.select(content, method("SFT_LORA"), Platform.SMTJ, P5).name == "lora"


def test_low_and_full_rank_are_told_apart_and_the_first_of_equals_wins() -> None:
    full = {key: value for key, value in ENTRY.items() if key != "Peft"} | {"Name": "full"}
    content = _content(full, ENTRY, ENTRY | {"Name": "second"})
    assert hub.select(content, method("SFT_LORA"), Platform.SMTJ, P5).name == "lora"
    assert hub.select(content, method("SFT_FULL"), Platform.SMTJ, P5).name == "full"


def test_the_technique_is_read_in_any_letter_case() -> None:
    content = _content(ENTRY | {"CustomizationTechnique": "sft"})
    assert hub.select(content, method("SFT_LORA"), Platform.SMTJ, P5).name == "lora"


def test_the_two_judges_are_told_apart() -> None:
    def judge(name: str) -> dict[str, Any]:
        return ENTRY | {"Name": name, "Type": "Evaluation"}

    content = _content(judge("nova_rubric_llm_judge_eval"), judge("nova_llm_judge_eval"))
    for task, name in (("llm_judge", "nova_llm_judge_eval"), ("rubric_llm_judge", "nova_rubric_llm_judge_eval")):
        assert hub.select(content, evaluation_task(task), Platform.SMTJ, P5).name == name


def test_hyperpod_recipes_name_their_own_files_and_no_image() -> None:
    content = _content(
        {**ENTRY, "HpEksPayloadTemplateS3Uri": "s3://b/k8s.yaml", "HpEksOverrideParamsS3Uri": "s3://b/k"}
    )
    found = hub.select(content, method("SFT_LORA"), Platform.SMHP, P5)
    assert (found.template_uri, found.spec_uri, found.image_uri) == ("s3://b/k8s.yaml", "s3://b/k", "")


def test_an_entry_without_container_or_parameters_is_refused() -> None:
    for key, what in (("SmtjImageUri", "container image"), ("SmtjOverrideParamsS3Uri", "override parameters")):
        entry = {name: value for name, value in ENTRY.items() if name != key}
        with pytest.raises(UnsupportedCombination, match=f"has no {what}"):
            hub.select(_content(entry), method("SFT_LORA"), Platform.SMTJ, P5)


def test_template_and_spec_are_read_from_s3(s3: FakeS3) -> None:
    template, spec = hub.load_template(s3, _select("NOVA_LITE_2", "SFT_LORA"))
    assert template["training_config"]["max_steps"] == "{{max_steps}}"
    assert spec["max_steps"] == {"type": "integer", "required": True, "min": 4, "max": 100000, "default": 10}


def test_an_access_point_is_read_by_its_arn() -> None:
    arn = "arn:aws:s3:us-east-1:334772094012:accesspoint/forge"
    recipe = replace(_select("NOVA_LITE_2", "SFT_LORA"), template_uri=f"s3://{arn}/t.yaml", spec_uri=f"{arn}/d/s.json")
    s3 = FakeS3({(arn, "t.yaml"): b"lr: 1e-5\n", (arn, "d/s.json"): json.dumps({"a": {"default": 1}, "b": 2}).encode()})
    assert hub.load_template(s3, recipe) == ({"lr": 1e-05}, {"a": {"default": 1}})


@pytest.mark.parametrize(
    ("template_uri", "body", "message"),
    [
        ("s3://b/absent.yaml", None, "names s3://b/absent.yaml, which does not exist"),
        ("https://b/t.yaml", None, "is not the location of an object"),
        ("s3://b/t.yaml", b"a: [", "s3://b/t.yaml is not one YAML document"),
        ("s3://b/t.yaml", b"\xff\xfe\xfd", "s3://b/t.yaml is not text in UTF-8"),
        ("s3://b/t.yaml", b"- 1\n", "s3://b/t.yaml is a list; a recipe is a mapping"),
        ("s3://b/t.yaml", b"[" * 30_000, "s3://b/t.yaml is nested too deeply"),
        ("s3://b/t.yaml", b"a: &a [1, *a]\n", "has an anchor that contains itself"),
        ("s3://b/t.yaml", b"run: {1: a}\n", "the key 1 in run is not text"),
    ],
)
def test_hub_files_that_are_missing_or_broken_are_reported(template_uri: str, body: bytes | None, message: str) -> None:
    recipe = replace(_select("NOVA_LITE_2", "SFT_LORA"), template_uri=template_uri)
    with pytest.raises(RecipeInvalid, match=message):
        hub.load_template(FakeS3({("b", "t.yaml"): body} if body else {}), recipe)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", "s3://b/s.json is not JSON"),
        ("[" * 100_000, "s3://b/s.json is not JSON"),
        ("[]", "s3://b/s.json is not a mapping of parameters"),
        ('{"a": {"type": 5}}', "a has the type 5, which is not a name."),
        ('{"a": {"enum": "b"}}', "a has the enum 'b', which is not a list."),
        ('{"a": {"min": "1"}}', "a has the min '1', which is not a number."),
        ('{"a": {"max": true}}', "a has the max True, which is not a number."),
        ('{"a": {"default": 1e999}}', "a.default is inf; a recipe has finite numbers."),
    ],
)
def test_an_override_spec_that_nothing_can_be_checked_against_is_refused(spec: str, message: str) -> None:
    recipe = replace(_select("NOVA_LITE_2", "SFT_LORA"), spec_uri="s3://b/s.json")
    with pytest.raises(RecipeInvalid, match=message):
        hub.load_template(FakeS3({("b", "s.json"): spec.encode()}), recipe)


PAYLOAD = """---
# Source: charts/x/templates/other.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
data:
  config.yaml: |-
    run:
      name: '{{name}}'
    training_config:
      lr: 1e-5
      task_type: other
---
# Source: charts/x/templates/training-config.yaml

apiVersion: v1
kind: ConfigMap
metadata:
  name: training-config-{{name}}
data:
  config.yaml: |-
    run:
      name: '{{name}}'

    training_config:
      lr: 1e-5
      task_type: training
      bare: {{learning_rate}}


---
# Source: charts/x/templates/training.yaml
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata:
  name: {{name}}
"""


def test_the_recipe_of_hyperpod_is_the_one_inside_its_payload() -> None:
    recipe = replace(_select("NOVA_LITE_2", "SFT_LORA"), template_uri="s3://b/k8s.yaml")
    template, _ = hub.load_template(FakeS3({("b", "k8s.yaml"): PAYLOAD.encode()}), recipe)
    # What the parts of a job find different in theirs is none of the recipe.
    assert template == {"run": {"name": "{{name}}"}, "training_config": {"lr": 1e-05}}
    alone = PAYLOAD[PAYLOAD.index("---\n# Source: charts/x/templates/training-config") :]
    template, _ = hub.load_template(FakeS3({("b", "k8s.yaml"): alone.encode()}), recipe)
    assert template["training_config"] == {"lr": 1e-05, "task_type": "training", "bare": "{{learning_rate}}"}
    lost = PAYLOAD.replace("name: training-config-", "name: config-")
    with pytest.raises(RecipeInvalid, match="has no ConfigMap training-config with a recipe in it"):
        hub.load_template(FakeS3({("b", "k8s.yaml"): lost.encode()}), recipe)


class _Denying:
    def get_object(self, **request: Any) -> Any:
        raise client_error("AccessDenied", 403)


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("s3://b/t.yaml", r"cannot be read: allow s3:GetObject on it\.$"),
        (
            "arn:aws:s3:us-east-1:334772094012:accesspoint/forge/t.yaml",
            r"allow s3:GetObject on it, and check that the account has a Nova Forge subscription\.$",
        ),
    ],
)
def test_a_file_that_may_not_be_read_says_what_is_missing(uri: str, remedy: str) -> None:
    recipe = replace(_select("NOVA_LITE_2", "SFT_LORA"), template_uri=uri)
    with pytest.raises(RecipeInvalid, match=remedy):
        hub.load_template(_Denying(), recipe)


def test_evaluations_that_the_hub_has_no_recipe_for_are_public_ones() -> None:
    content = hub.fetch(FakeSageMaker(), MODELS["NOVA_PRO"])
    found = find(FakeS3(), content, evaluation_task("llm_judge"), Platform.SMTJ, P5)
    assert (found.from_hub, found.entry.name) == (False, "nova_pro_1_0_p5_48xl_gpu_llm_judge_eval")
    assert find(FakeS3(), content, evaluation_task("mmlu"), Platform.SMTJ, P5).from_hub
    with pytest.raises(UnsupportedCombination, match=r"llm_judge for NOVA_PRO does not run on ml.g5.12xlarge"):
        find(FakeS3(), content, evaluation_task("llm_judge"), Platform.SMTJ, "ml.g5.12xlarge")
    with pytest.raises(UnsupportedCombination, match="There is no recipe for rubric_llm_judge for NOVA_PRO"):
        find(FakeS3(), content, evaluation_task("rubric_llm_judge"), Platform.SMTJ, None)


def test_once_the_hub_has_such_a_recipe_it_is_taken() -> None:
    judge = ENTRY | {"Name": "nova_rubric_llm_judge_eval", "Type": "Evaluation", "SmtjImageUri": "theirs"}
    files = {("b", "t.yaml"): b"run: {}\n", ("b", "s.json"): b"{}"}
    found = find(FakeS3(files), _content(judge), evaluation_task("rubric_llm_judge"), Platform.SMTJ, P5)
    assert (found.from_hub, found.entry.image_uri, found.template.template) == (True, "theirs", {"run": {}})

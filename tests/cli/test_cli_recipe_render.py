"""`nova recipe render`: from the snapshot, and from a hub that answers as AWS does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nova_constructs.cli import aws as cli_aws
from tests.cli.cli_support import Nova
from tests.recipes.hub_support import FakeS3, FakeSageMaker, client_error

LITE_2_LORA = ("recipe", "render", "--model", "NOVA_LITE_2", "--method", "SFT_LORA", "--platform", "SMTJ")


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no credentials, endpoint or region to be found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def public_hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Serve the hub through the clients of AWS; return them by service, so that a test can change them."""
    clients: dict[str, Any] = {"sagemaker": FakeSageMaker(), "s3": FakeS3()}
    monkeypatch.setattr(cli_aws, "client", clients.__getitem__)
    return clients


def test_the_recipe_is_printed_as_yaml_and_all_else_on_stderr(nova: Nova) -> None:
    ran = nova(*LITE_2_LORA, "--set", "max_steps=200", "--set", "lr=1")
    assert ran.code == 0
    config = yaml.safe_load(ran.out)["training_config"]
    assert (config["max_steps"], config["optim_config"]["lr"]) == (200, 1.0)
    assert "    lr: 1.0\n" in ran.out
    assert ran.err.splitlines() == [
        "Hub: bundled (no credentials or endpoint are set), content version 1.0.20",
        "Recipe: nova_lite_2_0_p5_gpu_lora_sft, for ml.p5.48xlarge, ml.p5en.48xlarge, ml.p4d.24xlarge",
    ]


def test_what_only_a_run_knows_is_the_template_s_default(nova: Nova) -> None:
    run = yaml.safe_load(nova(*LITE_2_LORA).out)["run"]
    assert run == {
        "name": "my-lora-sft-run",
        "model_type": "amazon.nova-2-lite-v1:0:256k",
        "model_name_or_path": "nova-lite-2/prod",
        "data_s3_path": "s3://my-bucket-name/train.jsonl",
        "validation_data_s3_path": "",
        "validation_data_s3_path_list": {},
        "replicas": 1,
        "output_s3_path": "s3://my-bucket-name/outputs/",
        "mlflow_tracking_uri": "",
        "mlflow_experiment_name": "my-lora-sft-experiment",
        "mlflow_run_name": "my-lora-sft-run",
    }


@pytest.mark.parametrize(
    "work",
    [
        *(["--method", method] for method in ("SFT_LORA", "SFT_FULL", "RFT_LORA", "RFT_FULL")),
        *(["--method", "EVALUATION", "--task", task] for task in ("mmlu", "mmmu", "gen_qa")),
    ],
)
def test_no_placeholder_is_left(nova: Nova, work: list[str]) -> None:
    ran = nova("recipe", "render", "--model", "NOVA_LITE_2", *work)
    assert ran.code == 0
    assert "{{" not in ran.out
    assert "${" not in ran.out


def test_a_text_of_the_run_that_the_hub_gives_no_default_is_empty(nova: Nova, public_hub: dict[str, Any]) -> None:
    s3 = public_hub["s3"]
    (spec_place,) = [place for place in s3.objects if "v2_smtj_p5_p5en_gpu_lora_rft_override" in place[1]]
    spec = json.loads(s3.objects[spec_place])
    del spec["reward_lambda_arn"]["default"]
    s3.objects[spec_place] = json.dumps(spec).encode()
    ran = nova("recipe", "render", "--model", "NOVA_LITE_2", "--method", "RFT_LORA", "--hub", "aws")
    assert (ran.code, yaml.safe_load(ran.out)["run"]["reward_lambda_arn"]) == (0, "")


def test_an_evaluation_is_of_the_task_and_subtask_asked_for(nova: Nova) -> None:
    asked = ("recipe", "render", "--model", "NOVA_PRO", "--method", "EVALUATION")
    ran = nova(*asked, "--task", "math", "--subtask", "algebra")
    assert yaml.safe_load(ran.out)["evaluation"] == {
        "task": "math",
        "strategy": "zs_cot",
        "metric": "exact_match",
        "subtask": "algebra",
    }


def test_the_instance_type_chooses_the_recipe(nova: Nova) -> None:
    micro = ("recipe", "render", "--model", "nova_micro", "--method", "sft_lora", "--instance-type")
    lengths = [
        yaml.safe_load(nova(*micro, instance).out)["training_config"]["max_length"]
        for instance in ("ml.g5.12xlarge", "ml.p5.48xlarge")
    ]
    assert lengths == [8192, 32768]


def test_json_is_one_document_with_where_the_recipe_is_from(nova: Nova) -> None:
    document = json.loads(nova(*LITE_2_LORA, "--set", "reasoning_enabled=false", "--json").out)
    assert document["recipe"]["training_config"]["reasoning_enabled"] is False
    assert {key: document[key] for key in ("hub", "hub_content_version", "recipe_name")} == {
        "hub": "bundled",
        "hub_content_version": "1.0.20",
        "recipe_name": "nova_lite_2_0_p5_gpu_lora_sft",
    }


@pytest.mark.parametrize(
    ("setting", "where", "value"),
    [
        ("lr=1e-5", ("optim_config", "lr"), 1e-05),
        ("learning_rate=2.0e-05", ("optim_config", "lr"), 2e-05),
        ("lr_scheduler.min_lr=1e-6", ("lr_scheduler", "min_lr"), 1e-06),
        ("reasoning_enabled=no", ("reasoning_enabled",), False),
        ("alpha= 128 ", ("peft", "lora_tuning", "alpha"), 128),
    ],
)
def test_values_are_read_as_yaml(nova: Nova, setting: str, where: tuple[str, ...], value: object) -> None:
    found = yaml.safe_load(nova(*LITE_2_LORA, "--set", setting).out)["training_config"]
    for key in where:
        found = found[key]
    assert (found, type(found)) == (value, type(value))


def test_text_stays_text_also_where_it_looks_like_a_date(nova: Nova) -> None:
    run = yaml.safe_load(nova(*LITE_2_LORA, "--set", "name=2026-06-01", "--set", "mlflow_run_name='12'").out)["run"]
    assert (run["name"], run["mlflow_run_name"]) == ("2026-06-01", "12")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "max_step=5"], "max_step is not a value of this recipe. Did you mean max_steps?"),
        (["--set", "max_steps=3"], "max_steps: 3 is below the minimum 4."),
        (["--set", "max_steps='200'"], "max_steps: expects an integer, got '200'."),
        (["--set", "task=mmlu"], "task cannot be overridden"),
        (["--set", "max_steps"], "--set needs a key and a value"),
        (["--set", "max_steps=5", "--set", "max_steps=6"], "--set gives max_steps twice"),
        (["--set", "name=[1"], "--set takes one YAML value"),
        (["--set", "name=a: b"], "--set takes one YAML value"),
        (["--task", "mmlu"], "--task and --subtask go with --method EVALUATION"),
        (["--instance-type", "ml.g5.2xlarge"], "do not run on ml.g5.2xlarge; they run on ml.p4d.24xlarge"),
        (["--hub-content-version", "9.9.9"], "has no content nova-textgeneration-lite-v2 9.9.9"),
        (["--hub", "nope"], "'nope' is not one of 'aws', 'bundled'"),
    ],
)
def test_bad_input_exits_2_with_the_reason_on_stderr(nova: Nova, arguments: list[str], message: str) -> None:
    ran = nova(*LITE_2_LORA, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "NOVA_LIGHT", "--method", "SFT_LORA"], "Did you mean NOVA_LITE?"),
        (["--model", "NOVA_LITE", "--method", "RFT_LORA"], "RFT_LORA needs a Nova 2 model"),
        (["--model", "NOVA_LITE_2", "--method", "CPT"], "CPT runs only on SageMaker HyperPod; use platform SMHP."),
        (["--model", "NOVA_LITE_2", "--method", "EVALUATION"], "--method EVALUATION needs a task"),
        (["--model", "NOVA_MICRO", "--method", "EVALUATION", "--task", "mmmu"], "NOVA_MICRO reads only text"),
        (
            ["--model", "NOVA_LITE", "--method", "EVALUATION", "--task", "mmlu", "--subtask", "abstract_algebr"],
            "Did you mean abstract_algebra?",
        ),
    ],
)
def test_what_cannot_go_together_exits_2(nova: Nova, arguments: list[str], message: str) -> None:
    ran = nova("recipe", "render", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_with_json_an_error_is_the_one_object_too(nova: Nova) -> None:
    ran = nova(*LITE_2_LORA, "--set", "max_step=5", "--json")
    assert ran.code == 2
    document = json.loads(ran.out)
    assert document["error"] == "RecipeInvalid"
    assert "Did you mean max_steps?" in document["cause"]


@pytest.mark.parametrize("endpoint", [True, False])
def test_the_public_hub_is_asked_where_credentials_or_an_endpoint_are_set(
    nova: Nova, public_hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch, endpoint: bool
) -> None:
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    ran = nova(*LITE_2_LORA)
    assert ran.code == 0
    assert ran.err.startswith("Hub: aws (credentials or an endpoint are set)")
    assert public_hub["sagemaker"].requests[0]["HubContentName"] == "nova-textgeneration-lite-v2"
    assert ran.out == nova(*LITE_2_LORA, "--hub", "bundled").out


def test_a_version_is_pinned(nova: Nova, public_hub: dict[str, Any]) -> None:
    assert nova(*LITE_2_LORA, "--hub", "aws", "--hub-content-version", "1.0.20").code == 0
    assert public_hub["sagemaker"].requests[0]["HubContentVersion"] == "1.0.20"


def test_a_hub_that_refuses_is_a_failure_not_bad_input(nova: Nova, public_hub: dict[str, Any]) -> None:
    public_hub["sagemaker"].error = client_error("AccessDeniedException", 403)
    ran = nova(*LITE_2_LORA, "--hub", "aws")
    assert (ran.code, ran.out) == (1, "")
    assert "AccessDeniedException" in ran.err


def test_aws_asked_for_without_credentials_says_what_to_set(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    ran = nova(*LITE_2_LORA, "--hub", "aws")
    assert (ran.code, ran.out) == (2, "")
    assert "AWS_PROFILE" in ran.err


OWN = """
run: {name: mine}
training_config: {max_steps: 40, save_steps: "${oc.select:training_config.max_steps}", lr: 1e-4}
"""


def test_an_own_recipe_is_honoured_and_what_the_hub_lacks_is_a_warning(nova: Nova, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN, encoding="utf-8")
    ran = nova(*LITE_2_LORA, "--recipe", path, "--set", "max_steps=60")
    found = yaml.safe_load(ran.out)
    config = found["training_config"]
    assert (ran.code, found["run"]["name"]) == (0, "mine")
    assert (config["max_steps"], config["save_steps"], config["lr"]) == (60, 60, 1e-4)
    warning = (
        f"{path}: training_config.lr is not a value of the hub's recipe; it is kept as written. "
        "Did you mean training_config.optim_config.lr?"
    )
    assert ran.err.splitlines()[-1] == f"Warning: {warning}"
    assert json.loads(nova(*LITE_2_LORA, "--recipe", path, "--json").out)["warnings"] == [warning]


def test_an_own_recipe_may_be_on_s3(nova: Nova, public_hub: dict[str, Any]) -> None:
    public_hub["s3"].objects["mine", "a/recipe.yaml"] = OWN.encode()
    ran = nova(*LITE_2_LORA, "--hub", "bundled", "--recipe", "s3://mine/a/recipe.yaml")
    assert (ran.code, yaml.safe_load(ran.out)["run"]["name"]) == (0, "mine")
    absent = nova(*LITE_2_LORA, "--recipe", "s3://mine/absent.yaml")
    assert (absent.code, absent.out) == (2, "")
    assert "The recipe s3://mine/absent.yaml does not exist." in absent.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the recipe cannot be read: No such file or directory"),
        ("a: [", "is not one YAML document"),
        ("run: {model_type: other}", "run.model_type is 'other' and has to be 'amazon.nova-2-lite-v1:0:256k'"),
        ("training_config: {max_steps: 3}", "training_config.max_steps: 3 is below the minimum 4."),
    ],
)
def test_an_own_recipe_that_cannot_be_used_exits_2(
    nova: Nova, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    ran = nova(*LITE_2_LORA, "--recipe", path)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err

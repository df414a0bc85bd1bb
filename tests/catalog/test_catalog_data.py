"""Models, methods, tasks, images and regions are those of the seed and of the public recipes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_handlers import catalog
from lambda_handlers.catalog import METHODS, MODELS, Platform, Technique, UnknownNameError, images, regions

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_seed = pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="the seed document is not beside this checkout")

MODEL_ROWS = {
    "NOVA_MICRO": ("1.0", "amazon.nova-micro-v1:0:128k", "128k tokens"),
    "NOVA_LITE": ("1.0", "amazon.nova-lite-v1:0:300k", "300k tokens"),
    "NOVA_LITE_2": ("2.0", "amazon.nova-2-lite-v1:0:256k", "256k tokens"),
    "NOVA_PRO": ("1.0", "amazon.nova-pro-v1:0:300k", "300k tokens"),
}
METHOD_NAMES = ["CPT", "SFT_LORA", "SFT_FULL", "RFT_LORA", "RFT_FULL", "EVALUATION"]


def _seed_table(first_column: str) -> dict[str, tuple[str, ...]]:
    (seed,) = (SHARED / "seeds").glob("*.txt")
    text = seed.read_text(encoding="utf-8")
    table = re.search(rf"^\| {first_column} .*\n\|[- |]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return {row[0]: tuple(row[1:]) for row in rows}


def test_models_have_the_version_type_and_context_of_the_seed() -> None:
    found = {
        name: (f"{model.version}.0", model.model_type, f"{model.context_length // 1000}k tokens")
        for name, model in MODELS.items()
    }
    assert found == MODEL_ROWS


@needs_seed
def test_the_model_rows_expected_here_are_those_of_the_seed_document() -> None:
    assert _seed_table("Model        ") == MODEL_ROWS


def test_models_have_their_names_in_recipes_and_in_the_hub() -> None:
    assert {model.name: (model.model_path, model.hub_content_name) for model in MODELS.values()} == {
        "NOVA_MICRO": ("nova-micro/prod", "nova-textgeneration-micro"),
        "NOVA_LITE": ("nova-lite/prod", "nova-textgeneration-lite"),
        "NOVA_LITE_2": ("nova-lite-2/prod", "nova-textgeneration-lite-v2"),
        "NOVA_PRO": ("nova-pro/prod", "nova-textgeneration-pro"),
    }


def test_only_micro_reads_only_text() -> None:
    assert [name for name, model in MODELS.items() if not model.multimodal] == ["NOVA_MICRO"]


def test_the_methods_are_those_of_the_seed() -> None:
    assert list(METHODS) == METHOD_NAMES


@needs_seed
def test_the_method_names_expected_here_are_those_of_the_seed_document() -> None:
    assert list(_seed_table("Method      ")) == METHOD_NAMES


def test_methods_say_how_the_hub_and_the_data_channels_name_them() -> None:
    assert {name: (method.hub_technique, method.lora, method.data_type) for name, method in METHODS.items()} == {
        "CPT": ("CPT", None, "S3Prefix"),
        "SFT_LORA": ("SFT", True, "Converse"),
        "SFT_FULL": ("SFT", False, "Converse"),
        "RFT_LORA": ("RLVR", True, "S3Prefix"),
        "RFT_FULL": ("RLVR", False, "S3Prefix"),
        "EVALUATION": (None, None, "S3Prefix"),
    }
    assert [name for name, method in METHODS.items() if method.full_rank] == ["CPT", "SFT_FULL", "RFT_FULL"]


@pytest.mark.parametrize("name", ["nova_lite_2", "NOVA-LITE-2", "Nova Lite 2", " NOVA_LITE_2 "])
def test_names_are_found_in_any_spelling(name: str) -> None:
    assert catalog.model(name) is MODELS["NOVA_LITE_2"]


def test_an_unknown_name_is_answered_with_the_nearest_and_all_allowed() -> None:
    with pytest.raises(UnknownNameError) as raised:
        catalog.method("SFT_LORRA")
    assert str(raised.value) == (
        "Unknown method 'SFT_LORRA'. Did you mean SFT_LORA? "
        "Allowed: CPT, SFT_LORA, SFT_FULL, RFT_LORA, RFT_FULL, EVALUATION."
    )


def test_a_name_like_no_other_is_answered_with_all_allowed() -> None:
    with pytest.raises(UnknownNameError, match=r"^Unknown platform 'EC2'\. Allowed: SMTJ, SMHP\.$"):
        catalog.platform("EC2")


@pytest.mark.parametrize(
    ("technique", "model", "platform", "tag"),
    [
        (Technique.SFT, "NOVA_MICRO", Platform.SMTJ, "nova-fine-tune-repo:SM-TJ-SFT-latest"),
        (Technique.SFT, "NOVA_LITE_2", Platform.SMTJ, "nova-fine-tune-repo:SM-TJ-SFT-V2-latest"),
        (Technique.SFT, "NOVA_PRO", Platform.SMHP, "nova-fine-tune-repo:SM-HP-SFT-latest"),
        (Technique.RFT, "NOVA_LITE_2", Platform.SMTJ, "nova-fine-tune-repo:SM-TJ-RFT-V2-latest"),
        (Technique.CPT, "NOVA_LITE", Platform.SMHP, "nova-fine-tune-repo:HP-CPT-latest"),
        (Technique.EVALUATION, "NOVA_MICRO", Platform.SMTJ, "nova-evaluation-repo:SM-TJ-Eval-V2-latest"),
    ],
)
def test_images_are_in_the_registry_of_the_region(
    technique: Technique, model: str, platform: Platform, tag: str
) -> None:
    uri = images.uri(technique=technique, model=MODELS[model], platform=platform, region="us-west-2")
    assert uri == f"176779409107.dkr.ecr.us-west-2.amazonaws.com/{tag}"


def test_there_is_no_image_for_what_does_not_exist() -> None:
    lite = MODELS["NOVA_LITE"]
    assert images.uri(technique=Technique.RFT, model=lite, platform=Platform.SMTJ, region="us-east-1") is None
    assert images.uri(technique=Technique.CPT, model=lite, platform=Platform.SMTJ, region="us-east-1") is None


def test_registries_are_known_by_region() -> None:
    assert {name: region.registry_account for name, region in regions.REGIONS.items()} == {
        "us-east-1": "708977205387",
        "us-west-2": "176779409107",
        "ap-northeast-1": "878185805882",
        "eu-west-2": "470633809225",
        "eu-central-1": "874160969292",
    }
    assert [name for name, region in regions.REGIONS.items() if region.on_demand] == ["us-east-1", "us-west-2"]
    with pytest.raises(UnknownNameError, match="Did you mean us-west-2"):
        regions.registry("us-east-2")


def test_repositories_have_arns_for_permissions() -> None:
    assert images.repository_arns("us-east-1") == (
        "arn:aws:ecr:us-east-1:708977205387:repository/nova-fine-tune-repo",
        "arn:aws:ecr:us-east-1:708977205387:repository/nova-evaluation-repo",
    )


def test_the_catalog_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, lambda_handlers.catalog; "
        "print([m for m in sys.modules if m.split('.')[0] in ('boto3', 'botocore', 'yaml', 'orjson', 'aws_cdk')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"

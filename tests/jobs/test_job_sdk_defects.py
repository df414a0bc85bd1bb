"""What the SDK is known to do wrong with jobs, and the table of all its defects: docs/sdk-defects.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.jobs.training_jobs import TrainingJobs
from lambda_handlers.jobs.training_request import training_request
from tests.recipes.oracle_support import sent

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", ["s3://bucket/out", "s3://bucket/out/", "s3://bucket", "s3://bucket/"])
def test_the_archive_of_a_job_is_found_however_its_output_path_ends(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {
        "TrainingJobName": "demo-x",
        "TrainingJobArn": "arn",
        "TrainingJobStatus": "Completed",
        "OutputDataConfig": {"S3OutputPath": path},
    }
    monkeypatch.setattr(TrainingJobs, "_describe", lambda *_: job)
    state = TrainingJobs().describe(SimpleNamespace(job_name="demo-x"))
    assert state.status is JobStatus.COMPLETED
    assert state.output["output_uri"] == f"{path.rstrip('/')}/demo-x/output/output.tar.gz"


def test_no_function_makes_a_bucket() -> None:
    calls = {
        node.attr
        for file in (ROOT / "lambda_handlers").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert "create_training_job" in calls
    assert "create_bucket" not in calls


def test_run_time_and_volume_are_those_of_the_platform() -> None:
    request = training_request(
        image_uri="image",
        role_arn="arn:aws:iam::111122223333:role/Exec",
        instance_type="ml.p5.48xlarge",
        instance_count=4,
        volume_size_gb=500,
        max_runtime_seconds=5 * 86400,
        max_pending_seconds=None,
        output_uri="s3://bucket/out",
        recipe_prefix_uri="s3://bucket/recipe/",
        recipe_file="recipe.yaml",
        recipe={"run": {"model_type": "t", "model_name_or_path": "nova-lite-2/prod"}},
        data_uri=None,
        data_type=None,
    )
    sent_to_the_service = sent(request)
    assert sent_to_the_service["StoppingCondition"] == {"MaxRuntimeInSeconds": 432_000}
    assert sent_to_the_service["ResourceConfig"]["VolumeSizeInGB"] == 500


def _rows() -> dict[int, list[tuple[str, str]]]:
    text = (ROOT / "docs" / "sdk-defects.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (\d+) \|(.*)$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line) for number, line in lines}


def test_every_defect_of_data_recipes_checkpoints_and_jobs_is_in_the_table() -> None:
    elsewhere = {4, 19, 23, 26}  # data mixing, deployment, a notebook
    assert set(_rows()) == set(range(1, 27)) - elsewhere


@pytest.mark.parametrize("number", _rows())
def test_every_test_of_the_table_is_there(number: int) -> None:
    tests = _rows()[number]
    assert tests
    for file, name in tests:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name

"""The jobs of a run as the service has them: which there were, what they read, by which recipe."""

from __future__ import annotations

from typing import Any

import yaml

from tests.recipes import public_recipes
from tests.workflow.harness import Workflow


def slug(job: dict[str, Any]) -> str:
    """Return what the names of a customization's jobs begin with."""
    return str(job["TrainingJobName"].rpartition("-")[0])


def jobs(workflow: Workflow, run_id: str) -> list[dict[str, Any]]:
    """Return the jobs of a run, training first."""
    sagemaker = workflow.emulator.client("sagemaker")
    every = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.jobs()]
    mine = [job for job in every if f"/runs/{run_id}/" in job["OutputDataConfig"]["S3OutputPath"]]
    return sorted(mine, key=lambda job: "evaluation" in job["AlgorithmSpecification"]["TrainingImage"])


def source(job: dict[str, Any], channel: str) -> dict[str, Any]:
    [found] = [each for each in job["InputDataConfig"] if each["ChannelName"] == channel]
    return dict(found["DataSource"]["S3DataSource"])


def recipe_of(workflow: Workflow, job: dict[str, Any]) -> dict[str, Any]:
    """Return the leaves of the recipe in a job's channel, read as YAML 1.1, by their dotted paths."""
    bucket, _, folder = source(job, "recipe")["S3Uri"].removeprefix("s3://").partition("/")
    text = workflow.s3.get_object(Bucket=bucket, Key=f"{folder}recipe.yaml")["Body"].read()
    return public_recipes.dotted(yaml.safe_load(text))

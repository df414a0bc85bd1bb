"""Supervised fine-tuning of every model, by LoRA and at full rank: what reaches the jobs of a run, member by member.

Reinforcement is in test_reinforcement.py, with a reward function of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambda_handlers.catalog import MODELS
from nova_constructs.app import build
from nova_constructs.emulator import Emulator
from tests.recipes import public_recipes
from tests.workflow.harness import ENTRY, SPEED, Workflow, dataset
from tests.workflow.jobs_support import jobs, recipe_of, slug, source

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
BATCH = 32
"""Of the recipes' `global_batch_size`: no recipe's default for all models, and allowed by each."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Say what is trained, on what, and the public recipes of the training and of the evaluation."""

    model: str
    method: str
    instance_type: str
    instance_count: int
    recipe: str

    @property
    def stack(self) -> str:
        return f"Nova-{self.model}-{self.method}".replace("_", "-")

    @property
    def evaluation(self) -> str:
        prefix = "_".join(self.recipe.split("_")[:4])
        return f"{prefix}_p5_48xl_gpu_general_text_benchmark_eval"

    def entry(self) -> dict[str, Any]:
        instances = {"instance_type": self.instance_type, "instance_count": self.instance_count}
        return {
            **ENTRY,
            "stack": self.stack,
            "model": self.model,
            "method": self.method,
            "platform": {**ENTRY["platform"], **instances},
            "overrides": {"global_batch_size": BATCH},
            "evaluation": [{"task": "mmlu", "platform": {**ENTRY["platform"], "instance_count": 1}}],
            "deployment": {"target": "NONE" if self.method == "SFT_FULL" else "BEDROCK_OD"},
        }


def _training(model: str, method: str, instance_type: str, instance_count: int, recipe: str) -> Training:
    return Training(
        model=model, method=method, instance_type=instance_type, instance_count=instance_count, recipe=recipe
    )


TRAININGS = [
    _training("NOVA_MICRO", "SFT_LORA", "ml.g5.12xlarge", 1, "nova_micro_1_0_g5_g6_12x_gpu_lora_sft"),
    _training("NOVA_MICRO", "SFT_FULL", "ml.p5.48xlarge", 2, "nova_micro_1_0_p5_p4d_gpu_sft"),
    _training("NOVA_LITE", "SFT_LORA", "ml.g6.48xlarge", 1, "nova_lite_1_0_g5_g6_48x_gpu_lora_sft"),
    _training("NOVA_LITE", "SFT_FULL", "ml.p4d.24xlarge", 4, "nova_lite_1_0_p5_p4d_gpu_sft"),
    _training("NOVA_PRO", "SFT_LORA", "ml.p5.48xlarge", 6, "nova_pro_1_0_p5_p4d_gpu_lora_sft"),
    _training("NOVA_PRO", "SFT_FULL", "ml.p5.48xlarge", 12, "nova_pro_1_0_p5_gpu_sft"),
    _training("NOVA_LITE_2", "SFT_LORA", "ml.p5.48xlarge", 4, "nova_lite_2_0_p5_gpu_lora_sft"),
    _training("NOVA_LITE_2", "SFT_FULL", "ml.p5en.48xlarge", 8, "nova_lite_2_0_p5_gpu_sft"),
]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one cloud assembly with a stack for each training."""
    folder = tmp_path_factory.mktemp("matrix")
    settings = folder / "customizations.yaml"
    settings.write_text(yaml.safe_dump({"customizations": [training.entry() for training in TRAININGS]}))
    build(settings, str(folder / "out")).synth()
    return folder / "out"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=SPEED) as running:
        yield running


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.stack)
def test_every_model_is_trained_evaluated_and_deployed_where_it_can_be(
    training: Training, emulator: Emulator, assembly: Path
) -> None:
    workflow = Workflow(emulator, assembly, training.stack)
    ended = workflow.run(dataset(40, salt=training.stack))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["status"] == "SUCCEEDED"
    job, evaluation = jobs(workflow, ended["name"])
    checkpoint = trained_as_asked(training, workflow, ended["name"], job)
    evaluated(training, workflow, evaluation, checkpoint)
    deployed(training, workflow, job)
    assert [str(call) for call in emulator.calls.denied()] == []


def trained_as_asked(training: Training, workflow: Workflow, run_id: str, job: dict[str, Any]) -> str:
    """Assert the training job's request and recipe; return the checkpoint that it left."""
    model, data = MODELS[training.model], f"s3://{workflow['PreparedBucketName']}/runs/{run_id}/train.jsonl"
    assert job["AlgorithmSpecification"]["TrainingImage"] == public_recipes.image(training.recipe)
    assert job["HyperParameters"] == {
        "model_type": model.model_type,
        "base_model": model.model_path,
        "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
    }
    resources = job["ResourceConfig"]
    assert (resources["InstanceType"], resources["InstanceCount"]) == (training.instance_type, training.instance_count)
    train = source(job, "train")
    assert (train["S3DataType"], train["S3Uri"]) == ("Converse", data)
    assert recipe_of(workflow, job) == {
        **public_recipes.values(training.recipe),
        "run.name": slug(job),
        "run.replicas": training.instance_count,
        "run.data_s3_path": data,
        "run.output_s3_path": job["OutputDataConfig"]["S3OutputPath"],
        "training_config.global_batch_size": BATCH,
    }
    [event] = [e for e in workflow.record(run_id)["ledger"] if e["type"] == "checkpoint_resolved"]
    return str(event["detail"]["uri"])


def evaluated(training: Training, workflow: Workflow, job: dict[str, Any], checkpoint: str) -> None:
    """Assert that the evaluation is of the checkpoint, in the container and by the recipe for it."""
    assert job["AlgorithmSpecification"]["TrainingImage"] == public_recipes.image(training.evaluation)
    assert job["HyperParameters"] == {
        "model_type": MODELS[training.model].model_type,
        "base_model_location": checkpoint,
        "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
    }
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["recipe"]
    assert recipe_of(workflow, job) == {
        **public_recipes.values(training.evaluation),
        "run.name": slug(job),
        "run.model_name_or_path": checkpoint,
        "evaluation.task": "mmlu",
        "evaluation.strategy": "zs_cot",
        "evaluation.metric": "accuracy",
    }


def deployed(training: Training, workflow: Workflow, job: dict[str, Any]) -> None:
    """Assert that a LoRA model is imported and deployed, and that nothing is made of one at full rank."""
    found = workflow.emulator.client("bedrock").list_custom_models()["modelSummaries"]
    models = [model["modelArn"] for model in found if model["modelName"].startswith(slug(job))]
    assert len(models) == (1 if training.method == "SFT_LORA" else 0)
    assert bool(workflow.pointer()) == bool(models)

"""An evaluation has a request, with a recipe of its own, for each choice of instances."""

from __future__ import annotations

from lambda_handlers.evaluation import job
from lambda_handlers.recipes import hub_snapshot as hub
from tests.evaluation.evaluation_support import CHECKPOINT, TASK, Hub
from tests.training.training_support import RUN, MemoryS3


def test_each_choice_of_instances_has_a_request_with_its_own_recipe() -> None:
    s3 = MemoryS3({f"s3://{hub.bucket('us-east-1')}/{key}": content for key, content in hub.objects().items()})
    task = {**TASK, "alternatives": [{"instance_type": "ml.p4d.24xlarge", "instance_count": 2}]}
    event = {"run": RUN, "task": task, "subject": {"model_path": CHECKPOINT}, "config": {"model": "NOVA_LITE_2"}}
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "slug": "demo", "key_arn": "arn:key"}
    made = job.requests(event, s3=s3, sagemaker=Hub(), **places)
    assert [(each["ResourceConfig"]["InstanceType"], each["ResourceConfig"]["InstanceCount"]) for each in made] == [
        ("ml.p5.48xlarge", 1),
        ("ml.p4d.24xlarge", 2),
    ]
    folders = [each["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] for each in made]
    root = "s3://artifacts-bucket/runs/run-1"
    assert folders == [f"{root}/evaluation-mmlu/recipe/", f"{root}/evaluation-mmlu-alternative-2/recipe/"]
    assert all(f"{folder}recipe.yaml" in s3.objects for folder in folders)

"""The custom model of a run's checkpoint: an earlier import of the same checkpoint, or a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.deployment import requests
from lambda_handlers.deployment.existing import reusable_model
from lambda_handlers.deployment.stages import IMPORT
from lambda_handlers.jobs.submission import Submissions
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.stepfunctions import TaskTokens


def import_model(
    event: Mapping[str, Any], *, submissions: Submissions, bedrock: Any, tasks: TaskTokens, role_arn: str
) -> dict[str, Any]:
    """Have the state told of an earlier import of the checkpoint, or submit an import whose outcome it will be told.

    A model in use by nobody costs a month's storage, and an import half an hour: repeating one would gain nothing.
    """
    run, checkpoint = Run.parse(event["run"]), str(event["checkpoint_uri"])
    key_arn = event["config"].get("model_key_arn")
    submissions.lock.check(run.id, run.lock_generation)
    if submissions.registry.get(run.id, IMPORT) is None:
        found = reusable_model(
            bedrock,
            submissions.registry,
            slug=submissions.slug,
            customization=submissions.customization,
            checkpoint_uri=checkpoint,
            run_id=run.id,
            key_arn=key_arn,
        )
        if found:
            model = {"model_arn": found[0], "reused_from": found[1]}
            record_import(submissions.ledger, run.id, model, checkpoint)
            tasks.succeed(event["token"], model)
            return model
    tags = requests.origin_tags(checkpoint, origin_of(event["plan"]))
    request = requests.custom_model(checkpoint_uri=checkpoint, role_arn=role_arn, tags=tags, key_arn=key_arn)
    return submissions.submit(event, stage=IMPORT, kind="CustomModel", requests=[request])


def record_import(ledger: Ledger, run_id: str, model: Mapping[str, Any], checkpoint: str) -> None:
    """Record which model the run goes on with, once."""
    detail = {
        "model_arn": model["model_arn"],
        "checkpoint_uri": checkpoint,
        "reused_from": model.get("reused_from"),
    }
    ledger.append(run_id=run_id, event_id="model-imported", type="model_imported", detail=detail)


def origin_of(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hashes of the dataset and the recipe that a run's model was made with, as far as they are known."""
    if plan.get("origin"):
        return dict(plan["origin"])
    return {
        "dataset_sha256": (plan.get("dataset") or {}).get("sha256"),
        "recipe_sha256": (plan.get("training") or {}).get("recipe_sha256"),
    }

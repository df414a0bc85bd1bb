"""The job that answers the rows of a dataset: the gen_qa evaluation of a checkpoint, for the sake of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.evaluation import job
from lambda_handlers.inference.stages import BATCH_INFERENCE, as_task


def requests(event: Mapping[str, Any], **places: Any) -> list[dict[str, Any]]:
    """Write the recipe for each choice of instances and return its requests.

    The payload has `run`, `inference` (the settings), `config`, `data` (what the data stage left), `model_path` (a
    checkpoint, or the model as Amazon publishes it) and `hub_content_version`; `places` are those of an evaluation job.
    """
    uri = event["data"]["train"]["uri"]
    asked = {
        "run": event["run"],
        "task": as_task(event["inference"], uri),
        "config": event["config"],
        "subject": {"model_path": event["model_path"]},
        "set": {"uri": uri},
        "hub_content_version": event["hub_content_version"],
    }
    return job.requests(asked, stage=BATCH_INFERENCE, **places)

"""The job that answers the rows of a dataset: the gen_qa evaluation of a checkpoint, for the sake of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.evaluation import job, known_scores
from lambda_handlers.inference.stages import BATCH_INFERENCE, as_task


def requests(event: Mapping[str, Any], **places: Any) -> list[dict[str, Any]]:
    """Write the recipe for each choice of instances and return its requests.

    The payload has `run`, `inference` (the settings), `config`, `data` (what the data stage left), `model_path` (a
    checkpoint, or the model as Amazon publishes it) and `hub_content_version`; `places` are those of an evaluation job.
    """
    return job.requests({"run": event["run"], **_asked(event)}, stage=BATCH_INFERENCE, **places)


def contents(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides on the answers, by parts."""
    return known_scores.contents(_asked(event))


def _asked(event: Mapping[str, Any]) -> dict[str, Any]:
    rows = event["data"]["train"]
    return {
        "task": as_task(event["inference"], rows["uri"]),
        "config": event["config"],
        "subject": {"model_path": event["model_path"]},
        "set": {"uri": rows["uri"], "sha256": rows.get("sha256")},
        "hub_content_version": event["hub_content_version"],
    }

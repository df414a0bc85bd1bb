"""The jobs that bring a model to where it is asked: a deployment of its own, a temporary one, an update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.deployment import requests
from lambda_handlers.deployment.importing import record_import
from lambda_handlers.deployment.inventory import Kind, remove
from lambda_handlers.deployment.stages import CANDIDATE, DEPLOYMENT, UPDATE
from lambda_handlers.jobs.submission import Submissions
from lambda_handlers.protocol.errors import error_code
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.run import Run


def deploy(event: Mapping[str, Any], submissions: Submissions) -> dict[str, Any]:
    """Submit what serves the run's model, in the payload's `stage`.

    Under the name of the settings, if they have one; else, and for a candidate, under the job's own. Raises LockLost
    where a rollback keeps the run from production: nothing is bought for it.
    """
    settings, model, stage = event["config"], event["model"], event.get("stage", DEPLOYMENT)
    _require_way(event, submissions)
    record_import(submissions.ledger, event["run"]["id"], model, event["checkpoint_uri"])
    kind, request = requests.serving(settings, model["model_arn"])
    name = "" if stage == CANDIDATE else settings.get("name") or ""
    return submissions.submit(event, stage=stage, kind=kind, requests=[request], name=name)


def update(event: Mapping[str, Any], submissions: Submissions) -> dict[str, Any]:
    """Submit the update of what serves a model under the customization's name.

    Raises LockLost where a rollback keeps the run from production: its callers would get the run's model all the same.
    """
    settings, chosen = event["config"], event["chosen"]
    _require_way(event, submissions)
    kind, request = requests.update(settings, chosen["deployment_arn"], event["model"]["model_arn"])
    return submissions.submit(event, stage=UPDATE, kind=kind, requests=[request], name=chosen["name"])


def _require_way(event: Mapping[str, Any], submissions: Submissions) -> None:
    Pointer(submissions.lock.store).check(Run.parse(event["run"]).lock_generation)


def remove_candidate(event: Mapping[str, Any], bedrock: Any) -> dict[str, Any]:
    """Delete the temporary deployment; it is success that it is gone.

    A run that does not come here deletes it when it is closed.
    """
    arn = event["deployment_arn"]
    try:
        remove(bedrock, Kind.DEPLOYMENT, arn)
    except Exception as error:
        # The policy binds the call to a tag, which what is gone does not carry.
        if error_code(error) != "AccessDeniedException":
            raise
    return {"deployment_arn": arn}

"""What becomes of a deployment that has the name already, before anything is created under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog import DeployTarget
from lambda_handlers.deployment.existing import Serving, is_being_removed, serving
from lambda_handlers.deployment.importing import record_import
from lambda_handlers.deployment.inventory import Kind, remove
from lambda_handlers.deployment.stages import DEPLOYMENT
from lambda_handlers.protocol.errors import DeploymentExists, DeploymentFailed, TransientServiceError
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import ItemStore

FAIL: Final = "FAIL_IF_EXISTS"
UPDATE: Final = "UPDATE_IF_EXISTS"
SWAP: Final = "SWAP"
_KINDS: Final = {DeployTarget.BEDROCK_OD: Kind.DEPLOYMENT, DeployTarget.BEDROCK_PT: Kind.PROVISIONED}


def choose(
    event: Mapping[str, Any],
    *,
    bedrock: Any,
    control: ItemStore,
    registry: JobRegistry,
    ledger: Ledger,
    customization: str,
) -> dict[str, Any]:
    """Return `action` CREATE, UPDATE or KEEP, with the name and, but for CREATE, the ARN and the model served now.

    KEEP: the run's model is served under the name already. What an earlier run of the customization left Failed under
    the name, and the pointer does not show, is deleted first.

    Raises DeploymentExists, DeploymentFailed (what is there has failed), TransientServiceError (it is being made or
    removed), LockLost.
    """
    run, settings, model = Run.parse(event["run"]), event["config"], event["model"]
    RunLock(control).check(run.id, run.lock_generation)
    record_import(ledger, run.id, model, str(event["checkpoint_uri"]))
    found = serving(bedrock, settings["target"], settings["name"])
    if found and _is_left_over(found, control, customization):
        remove(bedrock, _KINDS[DeployTarget(settings["target"])], found.arn)
        if serving(bedrock, settings["target"], settings["name"]):
            raise TransientServiceError(f"{found.arn} is deleted and has the name {found.name} until it is gone.")
        found = None
    chosen = {"name": settings["name"], "mode": settings["mode"], "existing": found is not None}
    if found is None:
        chosen |= {"action": "CREATE"}
    else:
        _require_usable(found, settings, registry, customization)
        action = "KEEP" if found.model_arn == model["model_arn"] else "UPDATE"
        chosen |= {"action": action, "deployment_arn": found.arn, "previous_model_arn": found.model_arn}
    ledger.append(run_id=run.id, event_id="deployment-chosen", type="deployment_chosen", detail=chosen)
    return chosen


def problem_of(found: Serving | None, settings: Mapping[str, Any], customization: str) -> str:
    """Return why no run can deploy under the name, as a sentence, or nothing."""
    if found is None or (found.is_of(customization) and found.status == "Failed"):
        return ""
    what = f"deployment.name: {found.arn} has the name {found.name}"
    if not found.is_of(customization):
        return f"{what} and is not this customization's; give another name, or delete it."
    if settings["mode"] == FAIL:
        return f"{what}; mode {FAIL} creates it only. Delete it, give another name, or use mode {UPDATE} or {SWAP}."
    return ""


def _require_usable(found: Serving, settings: Mapping[str, Any], registry: JobRegistry, customization: str) -> None:
    problem = problem_of(found, settings, customization)
    if problem:
        raise DeploymentExists(problem)
    if found.status == "Failed" and settings["mode"] != UPDATE:
        raise DeploymentFailed(
            f"The deployment {found.arn} under the name {found.name} has failed: {found.failure or 'no reason given'}. "
            "Production is there: delete it by hand once nothing needs it."
        )
    if found.status == "Creating" or is_being_removed(registry, found.run_id, DEPLOYMENT):
        raise TransientServiceError(f"The deployment {found.arn} under the name {found.name} is being made or removed.")


def _is_left_over(found: Serving, control: ItemStore, customization: str) -> bool:
    target = Pointer(control).read()
    shown = target is not None and target.arn == found.arn
    return found.status == "Failed" and found.is_of(customization) and not shown

"""Check how a run deploys before anything is spent: the name, the Region, and that what is deployed was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.catalog import DeployTarget
from lambda_handlers.catalog.regions import REGIONS
from lambda_handlers.deployment.choosing import problem_of
from lambda_handlers.deployment.existing import serving
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.model_references import ModelReference, find_deployable
from lambda_handlers.planning.modes import Mode
from lambda_handlers.protocol.errors import DeploymentExists, UnsupportedCombination
from lambda_handlers.protocol.ledger import read

_RULE = "nothing is deployed that the gate has not let pass"
_ANYWAY = "Set force to deploy it all the same."


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployable:
    """Name the model that a run deploys without making one, and what is known of how it was made and measured."""

    model: ModelReference
    origin: Mapping[str, Any]


def check_deployment(context: RunContext, mode: Mode) -> None:
    """Note why a run of this mode cannot deploy: the name is taken, or its Region does not serve on demand."""
    settings = context.config.get("deployment")
    if not mode.deploys:
        return
    if settings is None:
        if mode.needs_model:
            context.findings.problem("mode: deploy, but this customization deploys nothing; give it a deployment")
        return
    region = REGIONS.get(context.places.region)
    if settings["target"] == DeployTarget.BEDROCK_OD and region and not region.on_demand:
        context.findings.problem(
            f"Amazon Bedrock does not serve custom Nova models on demand in {context.places.region}; use another "
            "Region or deployment target BEDROCK_PT.",
            UnsupportedCombination,
        )
    if settings.get("name"):
        found = serving(context.account.bedrock, settings["target"], settings["name"])
        if problem := problem_of(found, settings, context.config["customization"]):
            context.findings.problem(problem, DeploymentExists)


def find_measured(context: RunContext, asked: ExecutionInput) -> Deployable | None:
    """Return the model that a run in mode deploy is about, or None where something is wrong with it, which is noted."""
    model = find_deployable(context, asked)
    if model is None:
        return None
    origin = _origin(context, model.run_id)
    if origin["verdict"] != "PASSED":
        problem = _unmeasured(model, origin)
        if asked.force:
            context.findings.warn(f"{problem}; it is deployed by force.")
        else:
            context.findings.problem(f"{problem}; {_RULE}. {_ANYWAY}")
    return Deployable(model=model, origin=origin)


def _unmeasured(model: ModelReference, origin: Mapping[str, Any]) -> str:
    if model.run_id is None:
        key = "model_package" if model.kind == "package" else "model_path"
        return f"{key}: no run is known that has measured {model.model_path}"
    if origin["verdict"] is None:
        return f"base_run: the gate of run {model.run_id} has decided nothing"
    return f"base_run: the gate of run {model.run_id} said no: {origin['sentence']}"


def _origin(context: RunContext, run_id: str | None) -> dict[str, Any]:
    """Return what a model was made with, and what the gate of its run decided, as far as that is known."""
    events = read(context.history.events, run_id) if run_id else []
    plan: Mapping[str, Any] = next((event.detail["plan"] for event in events if event.type == "run_started"), {})
    gate = next((event.detail for event in reversed(events) if event.type == "gate_decided"), {})
    return {
        "run_id": run_id,
        "dataset_sha256": (plan.get("dataset") or {}).get("sha256"),
        "recipe_sha256": (plan.get("training") or {}).get("recipe_sha256"),
        "verdict": gate.get("verdict"),
        "sentence": gate.get("sentence"),
    }

"""Amazon Bedrock's on-demand deployments of custom models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from lambda_handlers.catalog.regions import REGIONS
from nova_constructs.emulator.simulators.background import Background
from nova_constructs.emulator.simulators.custom_models import CustomModel
from nova_constructs.emulator.simulators.idempotency import ClientTokens
from nova_constructs.emulator.simulators.operations import Parameters, aws_error
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store, as_tags


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A deployment; `status` is Creating, Active or Failed, `update` the newest in-place update."""

    arn: str
    name: str
    model_arn: str
    created: datetime
    tags: dict[str, str]
    description: str | None = None
    status: str = "Creating"
    failure: str | None = None
    updated: datetime | None = None
    update: dict[str, str] | None = None

    @property
    def updating(self) -> bool:
        """Whether another model is being put behind it."""
        return self.update is not None and self.update["updateStatus"] == "Updating"

    def described(self) -> dict[str, Any]:
        """Return what GetCustomModelDeployment answers."""
        shown = {
            "customModelDeploymentArn": self.arn,
            "modelDeploymentName": self.name,
            "modelArn": self.model_arn,
            "createdAt": self.created,
            "status": self.status,
            "description": self.description,
            "updateDetails": self.update,
            "failureMessage": self.failure,
            "lastUpdatedAt": self.updated,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the deployment's entry in ListCustomModelDeployments."""
        shown = {
            "customModelDeploymentArn": self.arn,
            "customModelDeploymentName": self.name,
            "modelArn": self.model_arn,
            "createdAt": self.created,
            "status": self.status,
            "lastUpdatedAt": self.updated,
            "failureMessage": self.failure,
        }
        return {name: value for name, value in shown.items() if value is not None}


class Deployments:
    """The operations on custom model deployments of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store
        self._background = Background(state, store)
        self._tokens = ClientTokens()

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Keep a deployment as Creating; it is Active some simulated time later."""
        name = parameters["modelDeploymentName"]
        with self._store.lock:
            if known := self._tokens.arn_of(parameters, self._store.deployments):
                return {"customModelDeploymentArn": known}
            if any(each.name == name for each in self._store.deployments.values()):
                raise aws_error("ValidationException", f"The deployment name {name} is already in use.")
            self._deployable(parameters["modelArn"])
            deployment = self._new(parameters)
            self._store.deployments[deployment.arn] = deployment
            self._tokens.remember(parameters, deployment.arn)
        seconds = settings_for(self._state.simulation, parameters).deployment_seconds
        self._background.after(seconds, lambda: self._activate(deployment), name=f"deployment-{name}")
        return {"customModelDeploymentArn": deployment.arn}

    def get(self, parameters: Parameters) -> dict[str, Any]:
        """Answer GetCustomModelDeployment, by name or ARN."""
        with self._store.lock:
            return self._find(parameters).described()

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListCustomModelDeployments with its filters, newest first unless asked otherwise."""
        with self._store.lock:
            found = [each for each in self._store.deployments.values() if _listed(each, parameters)]
        found.sort(key=lambda each: each.created, reverse=parameters.get("sortOrder") != "Ascending")
        shown, token = page(found, parameters.get("nextToken"), int(parameters.get("maxResults") or 1000))
        answer: dict[str, Any] = {"modelDeploymentSummaries": [each.summary() for each in shown]}
        return answer | ({"nextToken": token} if token else {})

    def update(self, parameters: Parameters) -> dict[str, Any]:
        """Put another model behind an active deployment; its status stays, `updateDetails` tells how far it is."""
        with self._store.lock:
            deployment = self._find(parameters)
            self._deployable(parameters["modelArn"])
            if deployment.status != "Active" or deployment.updating:
                raise aws_error("ValidationException", f"Deployment {deployment.arn} cannot be updated now.")
            deployment.update = {"modelArn": parameters["modelArn"], "updateStatus": "Updating"}
        seconds = settings_for(self._state.simulation, parameters).deployment_seconds
        self._background.after(seconds, lambda: self._finish_update(deployment), name=f"update-{deployment.name}")
        return {"customModelDeploymentArn": deployment.arn}

    def delete(self, parameters: Parameters) -> None:
        """Delete a deployment that is not being created."""
        with self._store.lock:
            deployment = self._find(parameters)
            if deployment.status == "Creating" or deployment.updating:
                raise aws_error("ConflictException", f"Deployment {deployment.arn} is being created or updated.")
            del self._store.deployments[deployment.arn]

    def _find(self, parameters: Parameters) -> Deployment:
        identifier = parameters["customModelDeploymentIdentifier"]
        kept = self._store.deployments
        found = kept.get(identifier) or next((each for each in kept.values() if each.name == identifier), None)
        if found is None:
            raise aws_error("ResourceNotFoundException", f"The custom model deployment {identifier} was not found.")
        return found

    def _deployable(self, model_arn: str) -> CustomModel:
        model = self._store.models.get(model_arn)
        if model is None:
            raise aws_error("ResourceNotFoundException", f"The custom model {model_arn} was not found.")
        if model.status != "Active":
            raise aws_error("ValidationException", f"The custom model {model_arn} is not Active.")
        if not model.checkpoint.lora:
            raise aws_error(
                "ValidationException",
                "On-demand deployment supports only models customized with LoRA; use Provisioned "
                "Throughput for full-rank models.",
            )
        region = REGIONS.get(self._state.region)
        if region is None or not region.on_demand:
            raise aws_error("ValidationException", f"On-demand deployment is not available in {self._state.region}.")
        return model

    def _new(self, parameters: Parameters) -> Deployment:
        prefix = f"arn:aws:bedrock:{self._state.region}:{self._state.account}:custom-model-deployment"
        return Deployment(
            arn=f"{prefix}/{uuid4().hex[:12]}",
            name=parameters["modelDeploymentName"],
            model_arn=parameters["modelArn"],
            created=self._state.clock.now(),
            tags=as_tags(parameters.get("tags"), "key", "value"),
            description=parameters.get("description"),
        )

    def _activate(self, deployment: Deployment) -> None:
        failure = self._state.faults.reason("fail_deployment", deployment.name, deployment.tags)
        with self._store.lock:
            deployment.status = "Active" if failure is None else "Failed"
            deployment.failure, deployment.updated = failure, self._state.clock.now()

    def _finish_update(self, deployment: Deployment) -> None:
        failure = self._state.faults.reason("fail_update", deployment.name, deployment.tags)
        with self._store.lock:
            update = deployment.update or {}
            if failure is None:
                deployment.model_arn = update["modelArn"]
            deployment.update = {**update, "updateStatus": "UpdateCompleted" if failure is None else "UpdateFailed"}
            deployment.failure, deployment.updated = failure, self._state.clock.now()


def _listed(deployment: Deployment, parameters: Mapping[str, Any]) -> bool:
    wanted, model = parameters.get("statusEquals"), parameters.get("modelArnEquals")
    after, before = parameters.get("createdAfter"), parameters.get("createdBefore")
    return (
        (not wanted or deployment.status == wanted)
        and (not model or deployment.model_arn == model)
        and parameters.get("nameContains", "") in deployment.name
        and (not after or deployment.created >= after)
        and (not before or deployment.created <= before)
    )

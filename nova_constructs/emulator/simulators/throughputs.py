"""Amazon Bedrock's provisioned throughput for custom models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from nova_constructs.emulator.simulators.background import Background
from nova_constructs.emulator.simulators.custom_models import CustomModel
from nova_constructs.emulator.simulators.idempotency import ClientTokens
from nova_constructs.emulator.simulators.operations import Parameters, aws_error
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store, as_tags

_COMMITTED: Final = {"OneMonth": timedelta(days=30), "SixMonths": timedelta(days=180)}


@dataclass(slots=True, kw_only=True)
class Throughput:
    """Provisioned throughput; `status` is Creating, InService, Updating or Failed."""

    arn: str
    name: str
    model_arn: str
    desired_model_arn: str
    foundation_model_arn: str
    units: int
    created: datetime
    tags: dict[str, str]
    commitment: str | None = None
    status: str = "Creating"
    failure: str | None = None
    modified: datetime | None = None
    serves: bool = False
    """Whether it answers: once it was in service it does, also while, and after, an update fails."""

    @property
    def committed_until(self) -> datetime | None:
        """When the commitment ends, or None without one."""
        return self.created + _COMMITTED[self.commitment] if self.commitment else None

    def described(self) -> dict[str, Any]:
        """Return what GetProvisionedModelThroughput answers."""
        shown = {**self._common(), "failureMessage": self.failure}
        return {name: value for name, value in shown.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the entry in ListProvisionedModelThroughputs."""
        return {name: value for name, value in self._common().items() if value is not None}

    def _common(self) -> dict[str, Any]:
        return {
            "provisionedModelName": self.name,
            "provisionedModelArn": self.arn,
            "modelArn": self.model_arn,
            "desiredModelArn": self.desired_model_arn,
            "foundationModelArn": self.foundation_model_arn,
            "modelUnits": self.units,
            "desiredModelUnits": self.units,
            "status": self.status,
            "commitmentDuration": self.commitment,
            "commitmentExpirationTime": self.committed_until,
            "creationTime": self.created,
            "lastModifiedTime": self.modified or self.created,
        }


class Throughputs:
    """The operations on provisioned throughput of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store
        self._background = Background(state, store)
        self._tokens = ClientTokens()

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Keep throughput as Creating; it is InService some simulated time later."""
        name = parameters["provisionedModelName"]
        with self._store.lock:
            if known := self._tokens.arn_of(parameters, self._store.throughputs):
                return {"provisionedModelArn": known}
            if any(each.name == name for each in self._store.throughputs.values()):
                raise aws_error("ValidationException", f"The provisioned model name {name} is already in use.")
            made = self._new(parameters, self._model(parameters["modelId"]))
            self._store.throughputs[made.arn] = made
            self._tokens.remember(parameters, made.arn)
        seconds = settings_for(self._state.simulation, parameters).deployment_seconds
        self._background.after(seconds, lambda: self._activate(made), name=f"throughput-{name}")
        return {"provisionedModelArn": made.arn}

    def get(self, parameters: Parameters) -> dict[str, Any]:
        """Answer GetProvisionedModelThroughput, by name or ARN."""
        with self._store.lock:
            return self._find(parameters).described()

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListProvisionedModelThroughputs with its filters, newest first unless asked otherwise."""
        with self._store.lock:
            found = [each for each in self._store.throughputs.values() if _listed(each, parameters)]
        found.sort(key=lambda each: each.created, reverse=parameters.get("sortOrder") != "Ascending")
        shown, token = page(found, parameters.get("nextToken"), int(parameters.get("maxResults") or 1000))
        answer: dict[str, Any] = {"provisionedModelSummaries": [each.summary() for each in shown]}
        return answer | ({"nextToken": token} if token else {})

    def update(self, parameters: Parameters) -> dict[str, Any]:
        """Put another model of the same base behind what is in service; the present one answers until then."""
        with self._store.lock:
            throughput = self._find(parameters)
            if throughput.status != "InService" and not (throughput.serves and throughput.status == "Failed"):
                raise aws_error("ValidationException", f"{throughput.arn} is {throughput.status}: no update now.")
            throughput.name = parameters.get("desiredProvisionedModelName") or throughput.name
            if "desiredModelId" not in parameters:
                return {}
            model = self._model(parameters["desiredModelId"])
            if model.base_model_arn != throughput.foundation_model_arn:
                raise aws_error("ValidationException", f"{model.arn} is not of the base model of {throughput.arn}.")
            throughput.desired_model_arn, throughput.status = model.arn, "Updating"
        seconds = settings_for(self._state.simulation, parameters).deployment_seconds
        self._background.after(seconds, lambda: self._finish_update(throughput), name=f"update-{throughput.name}")
        return {}

    def delete(self, parameters: Parameters) -> None:
        """Delete throughput that is not being made or changed and whose commitment has ended."""
        with self._store.lock:
            throughput = self._find(parameters)
            if throughput.status in {"Creating", "Updating"}:
                raise aws_error("ConflictException", f"{throughput.arn} is {throughput.status}.")
            until = throughput.committed_until
            if until and self._state.clock.now() < until:
                raise aws_error("ConflictException", f"{throughput.arn} is committed until {until.isoformat()}.")
            del self._store.throughputs[throughput.arn]

    def _find(self, parameters: Parameters) -> Throughput:
        identifier, kept = parameters["provisionedModelId"], self._store.throughputs
        found = kept.get(identifier) or next((each for each in kept.values() if each.name == identifier), None)
        if found is None:
            raise aws_error("ResourceNotFoundException", f"The provisioned model {identifier} was not found.")
        return found

    def _model(self, identifier: str) -> CustomModel:
        models = self._store.models
        model = models.get(identifier) or next((each for each in models.values() if each.name == identifier), None)
        if model is None:
            raise aws_error("ResourceNotFoundException", f"The custom model {identifier} was not found.")
        if model.status != "Active":
            raise aws_error("ValidationException", f"The custom model {identifier} is not Active.")
        return model

    def _new(self, parameters: Parameters, model: CustomModel) -> Throughput:
        prefix = f"arn:aws:bedrock:{self._state.region}:{self._state.account}:provisioned-model"
        return Throughput(
            arn=f"{prefix}/{uuid4().hex[:12]}",
            name=parameters["provisionedModelName"],
            model_arn=model.arn,
            desired_model_arn=model.arn,
            foundation_model_arn=model.base_model_arn,
            units=int(parameters["modelUnits"]),
            created=self._state.clock.now(),
            tags=as_tags(parameters.get("tags"), "key", "value"),
            commitment=parameters.get("commitmentDuration"),
        )

    def _activate(self, throughput: Throughput) -> None:
        failure = self._state.faults.reason("fail_deployment", throughput.name, throughput.tags)
        self._settle(throughput, "InService" if failure is None else "Failed", failure)

    def _finish_update(self, throughput: Throughput) -> None:
        failure = self._state.faults.reason("fail_update", throughput.name, throughput.tags)
        if failure is None:
            throughput.model_arn = throughput.desired_model_arn
        self._settle(throughput, "InService" if failure is None else "Failed", failure)

    def _settle(self, throughput: Throughput, status: str, failure: str | None) -> None:
        with self._store.lock:
            throughput.status, throughput.failure = status, failure
            throughput.modified = self._state.clock.now()
            throughput.serves = throughput.serves or status == "InService"


def _listed(throughput: Throughput, parameters: Mapping[str, Any]) -> bool:
    wanted, model = parameters.get("statusEquals"), parameters.get("modelArnEquals")
    after, before = parameters.get("creationTimeAfter"), parameters.get("creationTimeBefore")
    return (
        (not wanted or throughput.status == wanted)
        and (not model or throughput.model_arn == model)
        and parameters.get("nameContains", "") in throughput.name
        and (not after or throughput.created >= after)
        and (not before or throughput.created <= before)
    )

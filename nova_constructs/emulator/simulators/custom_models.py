"""Amazon Bedrock's custom models: creation from an escrow checkpoint, its import, and the rest of their API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from nova_constructs.emulator.simulators.acting import AccessRefusedError, ActingService
from nova_constructs.emulator.simulators.background import Background
from nova_constructs.emulator.simulators.checkpoints import Checkpoint, split_uri
from nova_constructs.emulator.simulators.idempotency import ClientTokens
from nova_constructs.emulator.simulators.model_packages import checkpoint_uri_of
from nova_constructs.emulator.simulators.operations import Parameters, aws_error
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store, as_tags

_PRINCIPAL = "bedrock.amazonaws.com"


@dataclass(slots=True, kw_only=True)
class CustomModel:
    """A custom model; `status` is Creating, Active or Failed."""

    arn: str
    name: str
    checkpoint: Checkpoint
    role_arn: str | None
    created: datetime
    tags: dict[str, str]
    kms_key_arn: str | None = None
    status: str = "Creating"
    failure: str | None = None
    base_model_arn: str = field(default="")

    def description(self) -> dict[str, Any]:
        """Return what GetCustomModel answers."""
        shown = self._common() | {"modelKmsKeyArn": self.kms_key_arn, "failureMessage": self.failure}
        return {name: value for name, value in shown.items() if value is not None}

    def summary(self, account: str) -> dict[str, Any]:
        """Return the model's entry in ListCustomModels."""
        return self._common() | {"baseModelName": _base_name(self.base_model_arn), "ownerAccountId": account}

    def _common(self) -> dict[str, Any]:
        return {
            "modelArn": self.arn,
            "modelName": self.name,
            "creationTime": self.created,
            "baseModelArn": self.base_model_arn,
            "customizationType": "IMPORTED",
            "modelStatus": self.status,
        }


class CustomModels:
    """The operations on custom models of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store
        self._background = Background(state, store)
        self._tokens = ClientTokens()

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Check a request, keep the model as Creating and import its weights in the background."""
        with self._store.lock:
            if arn := self._tokens.arn_of(parameters, self._store.models):
                return {"modelArn": arn}
            self._refuse_taken(parameters["modelName"])
        checkpoint = self._checkpoint(parameters)
        arn = f"arn:aws:bedrock:{self._state.region}:{self._state.account}:custom-model/imported/{uuid4().hex[:12]}"
        service = self._service(parameters, arn)
        with self._store.lock:
            if known := self._tokens.arn_of(parameters, self._store.models):
                return {"modelArn": known}
            self._refuse_taken(parameters["modelName"])
            model = self._new(parameters, arn, checkpoint)
            self._store.models[arn] = model
            self._tokens.remember(parameters, arn)
        seconds = settings_for(self._state.simulation, parameters).import_seconds
        self._background.after(seconds, lambda: self._import(model, service), name=f"import-{model.name}")
        return {"modelArn": arn}

    def get(self, parameters: Parameters) -> dict[str, Any]:
        """Answer GetCustomModel, by name or ARN."""
        with self._store.lock:
            return self._find(parameters["modelIdentifier"]).description()

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListCustomModels with its filters, newest first unless asked otherwise."""
        with self._store.lock:
            models = [model for model in self._store.models.values() if _listed(model, parameters)]
        models.sort(key=lambda model: model.created, reverse=parameters.get("sortOrder") != "Ascending")
        shown, token = page(models, parameters.get("nextToken"), int(parameters.get("maxResults") or 1000))
        answer: dict[str, Any] = {"modelSummaries": [model.summary(self._state.account) for model in shown]}
        return answer | ({"nextToken": token} if token else {})

    def delete(self, parameters: Parameters) -> None:
        """Delete a model that is neither being imported nor deployed."""
        with self._store.lock:
            model = self._find(parameters["modelIdentifier"])
            if model.status == "Creating":
                raise aws_error("ConflictException", f"Model {model.arn} is being created and cannot be deleted.")
            if model.arn in self._in_use():
                raise aws_error("ConflictException", f"Model {model.arn} is in use by a deployment.")
            del self._store.models[model.arn]

    def _find(self, identifier: str) -> CustomModel:
        models = self._store.models
        found = models.get(identifier) or next((m for m in models.values() if m.name == identifier), None)
        if found is None:
            raise aws_error("ResourceNotFoundException", f"The custom model {identifier} was not found.")
        return found

    def _in_use(self) -> set[str]:
        """Return the models that something serves, or is being made to serve."""
        coming = [each.update["modelArn"] for each in self._store.deployments.values() if each.updating and each.update]
        served = [each.model_arn for each in self._store.deployments.values()]
        provisioned = [
            arn for each in self._store.throughputs.values() for arn in (each.model_arn, each.desired_model_arn)
        ]
        return {*coming, *served, *provisioned}

    def _refuse_taken(self, name: str) -> None:
        if any(model.name == name for model in self._store.models.values()):
            raise aws_error("ConflictException", f"The model name {name} is already in use.")

    def _checkpoint(self, parameters: Parameters) -> Checkpoint:
        uri = _source(parameters) or checkpoint_uri_of(self._state, _package(parameters))
        checkpoint = self._store.checkpoints.get(uri.rstrip("/"))
        if checkpoint is None:
            raise aws_error("ValidationException", f"{uri} is not a model checkpoint in an Amazon-managed S3 bucket.")
        return checkpoint

    def _service(self, parameters: Parameters, arn: str) -> ActingService | None:
        """Return Bedrock as it acts under the role of the request; a model package it reads as itself."""
        if _package(parameters):
            return None
        role_arn = parameters.get("roleArn")
        if not role_arn:
            raise aws_error("ValidationException", "roleArn is required for a model source in Amazon S3.")
        service = ActingService(self._state, role_arn=role_arn, service_principal=_PRINCIPAL, source_arn=arn)
        try:
            service.assume()
        except AccessRefusedError as error:
            raise aws_error("ValidationException", f"Could not assume the provided role {role_arn}.") from error
        return service

    def _new(self, parameters: Parameters, arn: str, checkpoint: Checkpoint) -> CustomModel:
        return CustomModel(
            arn=arn,
            name=parameters["modelName"],
            checkpoint=checkpoint,
            role_arn=parameters.get("roleArn"),
            created=self._state.clock.now(),
            tags=as_tags(parameters.get("modelTags"), "key", "value"),
            kms_key_arn=parameters.get("modelKmsKeyArn"),
            base_model_arn=f"arn:aws:bedrock:{self._state.region}::foundation-model/{checkpoint.model_type}",
        )

    def _import(self, model: CustomModel, service: ActingService | None) -> None:
        try:
            if service:
                read_weights(service, model.checkpoint.uri)
            failure = self._state.faults.reason("fail_import", model.name, model.tags)
        except AccessRefusedError as error:
            failure = f"The model artifacts could not be read: {error}"
        with self._store.lock:
            model.status = "Active" if failure is None else "Failed"
            model.failure = failure


def _source(parameters: Parameters) -> str:
    """Return the address that a request names; an error answer unless it names one source."""
    uri = ((parameters.get("modelSourceConfig") or {}).get("s3DataSource") or {}).get("s3Uri")
    if bool(uri) == bool(_package(parameters)):
        raise aws_error("ValidationException", "Give either modelSourceConfig or customModelDataSource.")
    return str(uri or "")


def _package(parameters: Parameters) -> str:
    source = (parameters.get("customModelDataSource") or {}).get("modelPackageArnDataSource") or {}
    return str(source.get("modelPackageArn") or "")


def read_weights(service: ActingService, uri: str) -> None:
    """Read every object of a checkpoint under the import role."""
    bucket, prefix = split_uri(uri)
    listing = service.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=f"{prefix}/")
    for entry in listing.get("Contents", []):
        service.call("s3", "GetObject", Bucket=bucket, Key=entry["Key"])["Body"].read()


def _listed(model: CustomModel, parameters: Mapping[str, Any]) -> bool:
    wanted = parameters.get("modelStatus")
    after, before = parameters.get("creationTimeAfter"), parameters.get("creationTimeBefore")
    return (
        (not wanted or model.status == wanted)
        and parameters.get("nameContains", "") in model.name
        and (not after or model.created >= after)
        and (not before or model.created <= before)
    )


def _base_name(base_model_arn: str) -> str:
    return base_model_arn.rsplit("/", 1)[-1].split(":")[0]

"""Amazon SageMaker's model packages: moto's, with the type of their storage, which moto forgets."""

from __future__ import annotations

from typing import Any, Final

from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from lambda_handlers.catalog.model_packages import COMPLETED, RESTRICTED
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo

_STORAGE: Final = "managed_storage_type"
_KEPT: Final = (
    "ModelPackageName", "ModelPackageGroupName", "ModelPackageDescription", "InferenceSpecification",
    "ValidationSpecification", "SourceAlgorithmSpecification", "CertifyForMarketplace", "Tags", "ModelApprovalStatus",
    "MetadataProperties", "ModelMetrics", "CustomerMetadataProperties", "DriftCheckBaselines", "Domain", "Task",
    "SamplePayloadUrl", "AdditionalInferenceSpecifications", "ClientToken",
)  # fmt: skip
"""The members of CreateModelPackage that moto keeps."""


class ModelPackages:
    """The operations on model packages of one account and Region."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Have moto make the package, and remember the type of its storage."""
        kept: dict[str, Any] = {camelcase_to_underscores(name): parameters.get(name) for name in _KEPT}
        backend = self._backend()
        arn = backend.create_model_package(**kept)
        setattr(backend.model_packages[arn], _STORAGE, parameters.get("ManagedStorageType"))
        return {"ModelPackageArn": arn}

    def describe(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeModelPackage."""
        package = self._backend().describe_model_package(model_package_name=parameters["ModelPackageName"])
        storage = getattr(package, _STORAGE, None)
        return package.gen_response_object() | ({"ManagedStorageType": storage} if storage else {})

    def _backend(self) -> SageMakerModelBackend:
        return backend_of(self._state)


def backend_of(state: SimulatorState) -> SageMakerModelBackend:
    """Return where moto keeps packages."""
    backend: SageMakerModelBackend = sagemaker_backends[state.account][state.region]
    return backend


def checkpoint_uri_of(state: SimulatorState, arn: str) -> str:
    """Return the address of the weights of a package; an error answer where Bedrock would not import it."""
    package: ModelPackage | None = backend_of(state).model_packages.get(arn)
    if package is None:
        raise aws_error("ResourceNotFoundException", f"The model package {arn} was not found.")
    if package.model_package_status != COMPLETED or getattr(package, _STORAGE, None) != RESTRICTED:
        raise aws_error("ValidationException", f"The model package {arn} is not a completed one of restricted type.")
    containers = (package.inference_specification or {}).get("Containers") or [{}]
    source = (containers[0].get("ModelDataSource") or {}).get("S3DataSource") or {}
    return str(source.get("S3Uri") or "")


def install(state: SimulatorState) -> Undo:
    """Serve the operations on model packages."""
    packages = ModelPackages(state)
    return serve(SageMakerResponse, {"CreateModelPackage": packages.create, "DescribeModelPackage": packages.describe})

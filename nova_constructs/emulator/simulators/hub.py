"""The public SageMaker hub: DescribeHubContent and the bucket with the recipe templates it points to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.sagemaker.responses import SageMakerResponse

from lambda_handlers.recipes import hub_snapshot as snapshot
from nova_constructs.emulator.simulators.checkpoints import make_service_bucket, put_service_object
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo


def install(state: SimulatorState) -> Undo:
    """Serve hub content and fill the Region's template bucket, again after every reset."""

    def describe_hub_content(parameters: Parameters) -> dict[str, Any]:
        name, kind = parameters["HubContentName"], parameters["HubContentType"]
        if parameters["HubName"].rsplit("/", 1)[-1] != snapshot.HUB_NAME or kind != "Model":
            raise aws_error("ResourceNotFound", f"Hub content {name} of type {kind} does not exist.")
        version = parameters.get("HubContentVersion")
        try:
            content = snapshot.hub_content(name, state.region, version)
        except KeyError as error:
            wanted = f"{name} {version or ''}".strip()
            raise aws_error("ResourceNotFound", f"Hub content {wanted} does not exist.") from error
        return {**content, "CreationTime": datetime.fromtimestamp(content["CreationTime"], UTC)}

    undo = serve(SageMakerResponse, {"DescribeHubContent": describe_hub_content})
    _fill_bucket(state.region)
    state.on_reset(lambda: _fill_bucket(state.region))
    return undo


def _fill_bucket(region: str) -> None:
    bucket = snapshot.bucket(region)
    make_service_bucket(bucket, region, _public(bucket))
    for key, body in snapshot.objects(region).items():
        put_service_object(bucket, key, body)


def _public(bucket: str) -> dict[str, Any]:
    statement = {
        "Sid": "PublicRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}

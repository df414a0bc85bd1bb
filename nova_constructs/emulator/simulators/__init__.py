"""Simulated services: what Amazon SageMaker, Amazon Bedrock, Amazon ECR and Amazon S3 do that moto does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nova_constructs.emulator.simulators.state import SimulatorState, Undo


def install(state: SimulatorState) -> Undo:
    """Install every simulated service and return what takes them away again."""
    from nova_constructs.emulator.simulators import (
        bedrock,
        bedrock_runtime,
        cloudwatch_logs,
        eks,
        hub,
        hyperpod_clusters,
        image_registry,
        mlflow,
        model_packages,
        s3_behaviour,
        sagemaker,
        service_quotas,
    )
    from nova_constructs.emulator.simulators.operations import undo_all
    from nova_constructs.emulator.simulators.store import store_of

    store = store_of(state)
    state.on_halt(store.halt)
    state.on_reset(store.clear)
    services = (
        s3_behaviour, cloudwatch_logs, image_registry, sagemaker, model_packages, mlflow, service_quotas, hub, eks,
        hyperpod_clusters, bedrock, bedrock_runtime,
    )  # fmt: skip
    return undo_all([store.clear, *(service.install(state) for service in services)])


def tags_of(state: SimulatorState, arn: str) -> dict[str, str] | None:
    """Return the tags of a job, custom model or deployment, or None if the ARN is none of these."""
    from nova_constructs.emulator.simulators.store import store_of

    return store_of(state).tags(arn)

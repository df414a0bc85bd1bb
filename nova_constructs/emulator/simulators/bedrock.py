"""Serve Amazon Bedrock's operations on custom models, what serves them, batch inference jobs, and tags of all."""

from __future__ import annotations

from typing import Any

from moto.bedrock.responses import BedrockResponse

from nova_constructs.emulator.simulators.custom_models import CustomModel, CustomModels
from nova_constructs.emulator.simulators.deployments import Deployment, Deployments
from nova_constructs.emulator.simulators.invocation_jobs import InvocationJob, InvocationJobs
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo
from nova_constructs.emulator.simulators.store import Store, as_tag_list, as_tags, store_of
from nova_constructs.emulator.simulators.throughputs import Throughput, Throughputs


class Tags:
    """The tag operations of Bedrock for custom models, deployments, provisioned throughput and batch jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListTagsForResource."""
        return {"tags": as_tag_list(self._resource(parameters).tags, "key", "value")}

    def add(self, parameters: Parameters) -> None:
        """Set tags of a resource."""
        with self._store.lock:
            self._resource(parameters).tags.update(as_tags(parameters["tags"], "key", "value"))

    def remove(self, parameters: Parameters) -> None:
        """Remove tags of a resource."""
        with self._store.lock:
            for key in parameters["tagKeys"]:
                self._resource(parameters).tags.pop(key, None)

    def _resource(self, parameters: Parameters) -> CustomModel | Deployment | Throughput | InvocationJob:
        arn = parameters["resourceARN"]
        kept = self._store
        made = kept.models.get(arn) or kept.deployments.get(arn)
        found = made or kept.throughputs.get(arn) or kept.invocations.get(arn)
        if found is None:
            raise aws_error("ResourceNotFoundException", f"The resource {arn} was not found.")
        return found


def install(state: SimulatorState) -> Undo:
    """Serve the operations; customization jobs stay moto's."""
    store = store_of(state)
    models, deployments, tags = CustomModels(state, store), Deployments(state, store), Tags(store)
    throughputs, invocations = Throughputs(state, store), InvocationJobs(state, store)
    return serve(
        BedrockResponse,
        {
            "CreateCustomModel": models.create,
            "GetCustomModel": models.get,
            "ListCustomModels": models.list,
            "DeleteCustomModel": models.delete,
            "CreateCustomModelDeployment": deployments.create,
            "GetCustomModelDeployment": deployments.get,
            "ListCustomModelDeployments": deployments.list,
            "UpdateCustomModelDeployment": deployments.update,
            "DeleteCustomModelDeployment": deployments.delete,
            "CreateProvisionedModelThroughput": throughputs.create,
            "GetProvisionedModelThroughput": throughputs.get,
            "ListProvisionedModelThroughputs": throughputs.list,
            "UpdateProvisionedModelThroughput": throughputs.update,
            "DeleteProvisionedModelThroughput": throughputs.delete,
            "CreateModelInvocationJob": invocations.create,
            "GetModelInvocationJob": invocations.get,
            "ListModelInvocationJobs": invocations.list,
            "StopModelInvocationJob": invocations.stop,
            "ListTagsForResource": tags.list,
            "TagResource": tags.add,
            "UntagResource": tags.remove,
        },
    )

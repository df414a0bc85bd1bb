"""What is wrong in the payloads of the hub, made good: docs/hyperpod-objects.md has the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from lambda_handlers.catalog import instances
from lambda_handlers.hyperpod import messaging
from lambda_handlers.hyperpod.kinds import PYTORCH_JOB
from lambda_handlers.protocol.errors import InvalidRequest

_CA_VOLUME: Final = {
    "name": "k8s-ca-cert",
    "hostPath": {"path": "/etc/kubernetes/pki/ca.crt", "type": "File"},
}
_GPU, _EFA = "nvidia.com/gpu", "vpc.amazonaws.com/efa"
_GENERATION_SUFFIX: Final = "-vllm"


def correct(
    thing: dict[str, Any],
    *,
    namespace: str,
    region: str,
    account: str,
    instance_type: str,
    recipe: Mapping[str, Any],
    replicas: int,
) -> None:
    """Correct an object of a payload in place.

    Raises InvalidRequest for a pod that mounts a volume which it does not have and nobody knows.
    """
    thing["metadata"]["namespace"] = namespace
    if thing["kind"] == PYTORCH_JOB:
        _set_workers(thing["spec"]["pytorchReplicaSpecs"], replicas)
    generation = recipe["run"].get("generation_replicas")
    if thing["kind"] == "StatefulSet" and thing["metadata"]["name"].endswith(_GENERATION_SUFFIX) and generation:
        thing["spec"]["replicas"] = int(generation)
    for template in pod_templates(thing):
        pod = template["spec"]
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            _set_environment(container, {"AWS_REGION": region, "NAMESPACE": namespace}, account)
            _set_devices(container, instance_type)
        _add_volumes(pod, thing)


def missing(objects: Sequence[Mapping[str, Any]], job: str, namespace: str) -> list[dict[str, Any]]:
    """Return what the message servers of a reinforcement job need and its payload does not have."""
    there = {(each["kind"], each["metadata"]["name"]) for each in objects}
    if ("StatefulSet", f"{job}{messaging.SUFFIX}") not in there:
        return []
    wanted = messaging.objects(job, namespace)
    return [each for each in wanted if (each["kind"], each["metadata"]["name"]) not in there]


def pod_templates(thing: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the templates of the pods that an object makes: of each role of a PyTorchJob, or its only one."""
    spec = thing.get("spec") or {}
    if thing["kind"] == PYTORCH_JOB:
        for role in spec["pytorchReplicaSpecs"].values():
            yield role["template"]
    elif "template" in spec:
        yield spec["template"]


def _set_workers(roles: dict[str, Any], replicas: int) -> None:
    """Set the number of workers: one instance is the master's; the template of a recipe of one instance has none."""
    workers = roles.pop("Worker", None) or deepcopy(roles["Master"])
    roles["Master"]["replicas"] = 1
    if replicas > 1:
        roles["Worker"] = {**workers, "replicas": replicas - 1}


def _set_environment(container: dict[str, Any], known: Mapping[str, str], account: str) -> None:
    given = container.get("env")
    if not given:
        return
    names = [variable["name"] for variable in given]
    for variable in given:
        if variable["name"] in known and "value" in variable:
            variable["value"] = known[variable["name"]]
    if "INSTANCE_TYPE" in names and "X_AMZ_SOURCE_ACCOUNT" not in names:
        given.append({"name": "X_AMZ_SOURCE_ACCOUNT", "value": account})


def _set_devices(container: dict[str, Any], instance_type: str) -> None:
    """Ask for the accelerators that the instance type has, where the container asks for any."""
    found = instances.devices(instance_type)
    if found is None:
        return
    for amounts in (container.get("resources") or {}).values():
        if _GPU in amounts:
            amounts[_GPU] = type(amounts[_GPU])(found.gpus)
        if _EFA in amounts:
            amounts[_EFA] = type(amounts[_EFA])(found.efa_interfaces)
            if not found.efa_interfaces:
                del amounts[_EFA]


def _add_volumes(pod: dict[str, Any], thing: Mapping[str, Any]) -> None:
    volumes = pod.setdefault("volumes", [])
    there = {volume["name"] for volume in volumes}
    containers = (*pod.get("initContainers", ()), *pod.get("containers", ()))
    mounted = {mount["name"] for container in containers for mount in container.get("volumeMounts", ())}
    if _CA_VOLUME["name"] in mounted - there:
        volumes.append(deepcopy(_CA_VOLUME))
    if unknown := sorted(mounted - there - {str(_CA_VOLUME["name"])}):
        raise InvalidRequest(
            f"{thing['kind']} {thing['metadata']['name']} of the hub's payload mounts {', '.join(unknown)}, which it "
            "has no volume of: its pods could not start."
        )

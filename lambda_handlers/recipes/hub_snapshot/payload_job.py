"""The PyTorchJob of supervised fine-tuning, continued pre-training and evaluations, as the hub's payloads have it.

What is wrong in those is wrong here: docs/hyperpod-objects.md.
"""

from __future__ import annotations

from lambda_handlers.recipes.hub_snapshot import payload_parts as parts
from lambda_handlers.recipes.hub_snapshot.payload_parts import Object

CONFIG = "training-config-{{name}}"


def job(*, image: str, init_image: str, replicas: int, evaluates: bool) -> Object:
    """Return the job; `replicas` are those of the recipe as it was published."""
    template = _template(image, init_image, evaluates=evaluates)
    master = {"replicas": 1, "restartPolicy": "OnFailure", "template": template}
    # A recipe of one instance gives a template without workers, and any other one worker too many.
    roles = {"Master": master} | ({"Worker": {**master, "replicas": "{{replicas}}"}} if replicas > 1 else {})
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "{{name}}", "namespace": "{{namespace}}", "labels": {"app": "{{name}}"}},
        "spec": {"pytorchReplicaSpecs": roles},
    }


def _template(image: str, init_image: str, *, evaluates: bool) -> Object:
    ca = (parts.CA,) if evaluates else ()
    container = {
        "name": "pytorch",
        "image": image,
        "env": parts.environment(),
        "imagePullPolicy": "Always",
        "resources": parts.amounts(**{"nvidia.com/gpu": 8, "vpc.amazonaws.com/efa": 32}),
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
        "volumeMounts": parts.mounts(*parts.WORK_MOUNTS, "tmp-storage", *ca),
    }
    return {
        "spec": {
            "tolerations": list(parts.TOLERATIONS),
            **(parts.HOST_NETWORK if evaluates else {}),
            "initContainers": [parts.init_container(init_image)],
            "containers": [container],
            "affinity": parts.on_restricted_nodes(),
            "volumes": parts.volumes((*parts.WORK_VOLUMES, "tmp-storage", *ca), CONFIG),
        }
    }

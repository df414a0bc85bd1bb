"""Whether a node can pull an image: the image exists, and the group's role may read its repository."""

from __future__ import annotations

import re

from lambda_handlers.catalog.regions import registry
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.iam.errors import AccessDeniedError
from nova_constructs.emulator.kubernetes.container import HyperPodImage
from nova_constructs.emulator.simulators.state import SimulatorState

_ACTIONS = ("ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer")
_INIT = re.compile(r"(?P<registry>[^/]+)/init-container-repo:latest")


def refusal(state: SimulatorState, image: str, role_arn: str) -> str:
    """Return why an image cannot be pulled under a role, or nothing."""
    init = _INIT.fullmatch(image)
    if init is None or init["registry"] != registry(state.region):
        try:
            HyperPodImage(image, state.region)
        except ValueError:
            return f"failed to resolve reference: {image}: not found"
    host, _, path = image.partition("/")
    account, region = host.split(".")[0], host.split(".")[3]
    repository = f"arn:aws:ecr:{region}:{account}:repository/{path.split(':')[0]}"
    try:
        keys = credentials.for_role(role_arn, "sagemaker.amazonaws.com", "HyperPod")
        credentials.check(keys, "ecr:GetAuthorizationToken", "*")
        for action in _ACTIONS:
            credentials.check(keys, action, repository)
    except AccessDeniedError as error:
        return f"pull access denied: {error}"
    return ""

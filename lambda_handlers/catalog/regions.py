"""The AWS Regions of Nova customization and the accounts whose registries hold the containers.

Sources: the regional parameters of the public recipes (containers for training and evaluation), the Nova customization
SDK (eu-west-2), the Bedrock user guide (on-demand deployment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lambda_handlers.catalog.lookup import find


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Describe one Region.

    `recipe_images` tells whether the public recipes list training and evaluation containers there; where it is False
    only auxiliary HyperPod containers are known. `on_demand` tells whether Bedrock serves custom Nova models on demand.
    """

    name: str
    registry_account: str
    recipe_images: bool
    on_demand: bool


def _region(name: str, account: str, *, recipe_images: bool, on_demand: bool) -> Region:
    return Region(name=name, registry_account=account, recipe_images=recipe_images, on_demand=on_demand)


_REGIONS = (
    _region("us-east-1", "708977205387", recipe_images=True, on_demand=True),
    _region("us-west-2", "176779409107", recipe_images=True, on_demand=True),
    _region("ap-northeast-1", "878185805882", recipe_images=True, on_demand=False),
    _region("eu-west-2", "470633809225", recipe_images=False, on_demand=False),
    _region("eu-central-1", "874160969292", recipe_images=False, on_demand=False),
)

REGIONS: Mapping[str, Region] = MappingProxyType({region.name: region for region in _REGIONS})


def region(name: str) -> Region:
    """Return the Region called `name`, or raise UnknownNameError."""
    return find("region", name, REGIONS)


def registry(name: str) -> str:
    """Return the host name of the container registry in a Region."""
    found = region(name)
    return f"{found.registry_account}.dkr.ecr.{found.name}.amazonaws.com"


def hub_bucket(name: str) -> str:
    """Return the bucket in which the public hub keeps recipe templates of a Region."""
    return f"jumpstart-cache-prod-{name}"

"""How many private addresses of a subnet a training instance takes.

Source: SageMaker Developer Guide, "Give SageMaker AI Training Jobs Access to Resources in Your Amazon VPC", Ensure That
Subnets Have Enough IP Addresses; EC2 User Guide, Elastic Fabric Adapter, supported instance types.
"""

from __future__ import annotations

from typing import Final

_WITH_ADAPTER: Final = 5
_WITHOUT: Final = 2
# Those whose training images use the adapter; other families have it on some sizes, which take fewer addresses then.
_ADAPTER_FAMILIES: Final = ("p4d", "p4de", "p5", "p5e", "p5en", "trn1", "trn1n", "trn2")


def addresses(instance_type: str) -> int:
    """Return how many private addresses one instance should find: more where it has an Elastic Fabric Adapter."""
    family = instance_type.removeprefix("ml.").partition(".")[0]
    return _WITH_ADAPTER if family in _ADAPTER_FAMILIES else _WITHOUT

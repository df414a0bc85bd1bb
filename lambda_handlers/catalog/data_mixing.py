"""Data mixing: rows of the customer's and data of Nova's own in one training.

Sources: Amazon Nova user guide, "Data mixing" (Nova Forge); the rules of the Nova Customization SDK, without their
contradiction: customer data alone, 100 percent of it, is possible and then has no share of Nova.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from lambda_handlers.catalog.methods import Technique, TrainingMethod
from lambda_handlers.catalog.platforms import Platform

TECHNIQUES: Final = (Technique.CPT, Technique.SFT)
SECTION: Final = "data_mixing"
"""The section of a recipe; only the platform's settings change what is in it."""
CUSTOMER: Final = "customer_data_percent"
_TOLERANCE: Final = 0.01


def parameter(category: str) -> str:
    """Return the name of the parameter of a Nova category, such as `nova_code_percent` of code."""
    return f"nova_{category}_percent"


def categories(parameters: Mapping[str, object]) -> list[str]:
    """Return the categories that a recipe's parameters name."""
    return [
        name.removeprefix("nova_").removesuffix("_percent")
        for name in parameters
        if name.startswith("nova_") and name.endswith("_percent")
    ]


def refusal(method: TrainingMethod, platform: Platform) -> str | None:
    """Return why data cannot be mixed by a method on a platform, or None where it can."""
    if platform is not Platform.SMHP:
        return "data_mixing works on HyperPod (SMHP) only, not on training jobs: leave it out, or train on HyperPod"
    if method.technique not in TECHNIQUES:
        return f"data_mixing goes with CPT and SFT, not with {method.name}: leave it out"
    return None


def problems(customer_percent: float, nova: Mapping[str, float]) -> Iterator[str]:
    """Yield what is wrong with percentages: of the customer's rows, and of each Nova category in the rest."""
    shares = {"customer_percent": customer_percent, **{f"nova.{name}": share for name, share in nova.items()}}
    wrong = {name: share for name, share in shares.items() if not _is_percentage(share)}
    yield from (f"data_mixing.{name} is {share!r}: use a number from 0 to 100" for name, share in wrong.items())
    if wrong:
        return
    total = math.fsum(nova.values())
    if customer_percent == 100:
        if total:
            yield (
                f"data_mixing.customer_percent is 100, and the Nova categories have {total:g} percent: leave nova out, "
                "or lower customer_percent"
            )
    elif abs(total - 100) > _TOLERANCE:
        given = " + ".join(f"{name} {share:g}" for name, share in nova.items()) or "none"
        yield (
            f"data_mixing.nova adds up to {total:g} ({given}): the categories divide the {100 - customer_percent:g} "
            "percent that are not the customer's, so that they have to add up to 100"
        )


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100

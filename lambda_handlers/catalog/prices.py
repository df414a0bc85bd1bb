"""What an instance of a training job costs in an hour, for bounds and estimates; not for invoices.

US dollars on demand in us-west-2, as a public workshop recorded them from the SageMaker price list; read on 2026-11-22
and not compared with the Price List API. Other Regions and contracts differ: whoever needs to be exact gives prices of
their own. A type that is not here has no known price.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOURLY_USD: Mapping[str, float] = MappingProxyType(
    {
        "ml.g5.12xlarge": 7.09,
        "ml.g5.48xlarge": 20.36,
        "ml.g6.12xlarge": 5.752,
        "ml.g6.48xlarge": 16.688,
        "ml.p4d.24xlarge": 25.251286,
        "ml.p5.48xlarge": 63.296,
    }
)

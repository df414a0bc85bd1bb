"""Amazon EC2, as far as a network is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nova_constructs.emulator.iam.actions.call import Row, anywhere

EC2: Final[Mapping[str, Row]] = {"DescribeSubnets": anywhere, "DescribeSecurityGroups": anywhere}

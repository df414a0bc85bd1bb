"""Client request tokens: the same token and request give the same resource again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova_constructs.emulator.simulators.operations import Parameters, aws_error


class ClientTokens:
    """Tokens seen by one create operation, with the request and the resource made for it."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Parameters, str]] = {}

    def arn_of(self, parameters: Parameters, existing: Mapping[str, Any]) -> str | None:
        """Return the resource made for this token, if it is still there; refuse another request under the token."""
        request, arn = self._seen.get(parameters.get("clientRequestToken", ""), (None, ""))
        if request is None or arn not in existing:
            return None
        if dict(request) != dict(parameters):
            raise aws_error("ValidationException", "The client request token was used with different parameters.")
        return arn

    def remember(self, parameters: Parameters, arn: str) -> None:
        """Keep the token of a request that made a resource."""
        if token := parameters.get("clientRequestToken"):
            self._seen[token] = (dict(parameters), arn)

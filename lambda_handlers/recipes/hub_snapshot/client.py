"""The snapshot behind the two calls that `recipes.hub` makes, for work without AWS."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.recipes import hub_snapshot

_REGION: Final = "us-east-1"


class NotInSnapshotError(Exception):
    """Report what the snapshot does not hold, as boto3 reports what AWS does not: with a code in `response`."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.response = {"Error": {"Code": code, "Message": what}}


class SnapshotClient:
    """Answer as the clients of SageMaker and S3 in us-east-1, from the snapshot alone."""

    def describe_hub_content(self, **request: Any) -> Mapping[str, Any]:
        """Return a hub content of the snapshot."""
        name, version = request["HubContentName"], request.get("HubContentVersion")
        try:
            return hub_snapshot.hub_content(name, _REGION, version)
        except KeyError as absent:
            raise NotInSnapshotError("ResourceNotFound", f"{name} {version or ''}") from absent

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        """Return an object of the snapshot."""
        key = request["Key"]
        if request["Bucket"] != hub_snapshot.bucket(_REGION) or key not in hub_snapshot.objects():
            raise NotInSnapshotError("NoSuchKey", key)
        return {"Body": io.BytesIO(hub_snapshot.objects()[key])}

"""The hub snapshot behind the two clients that the recipes package uses."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lambda_handlers.recipes import hub_snapshot as snapshot

REGION = "us-east-1"


def client_error(code: str, status: int = 400) -> ClientError:
    """Return the error that botocore raises for a code."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


class FakeSageMaker:
    """Answer DescribeHubContent from the snapshot, or with the document or error given."""

    def __init__(self, document: object = None, error: Exception | None = None) -> None:
        self.document, self.error = document, error
        self.requests: list[dict[str, Any]] = []

    def describe_hub_content(self, **request: Any) -> Mapping[str, Any]:
        self.requests.append(request)
        if self.error:
            raise self.error
        try:
            found = snapshot.hub_content(request["HubContentName"], REGION, request.get("HubContentVersion"))
        except KeyError:
            raise client_error("ResourceNotFound") from None
        return found if self.document is None else found | {"HubContentDocument": self.document}


class FakeS3:
    """Answer GetObject from the snapshot, with the objects given in place of its own."""

    def __init__(self, objects: Mapping[tuple[str, str], bytes] | None = None) -> None:
        own = {(snapshot.bucket(REGION), key): body for key, body in snapshot.objects().items()}
        self.objects = own | dict(objects or {})

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        found = self.objects.get((request["Bucket"], request["Key"]))
        if found is None:
            raise client_error("NoSuchKey", 404)
        return {"Body": io.BytesIO(found)}

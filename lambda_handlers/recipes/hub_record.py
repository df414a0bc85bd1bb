"""A record of what the hub gave: the model's document, templates and override specs, byte for byte."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.protocol.names import canonical
from lambda_handlers.recipes.hub import HubApi
from lambda_handlers.recipes.places import ObjectApi

DOCUMENT_FILE: Final = "document.json"
CONTENT_FILE: Final = "content.json"


class HubRecord:
    """Stand between the hub's reader and AWS, and keep every answer; what was read once is not asked for again."""

    def __init__(self, sagemaker: HubApi, s3: ObjectApi) -> None:
        self._sagemaker, self._s3 = sagemaker, s3
        self._files: dict[str, bytes] = {}
        self._objects: dict[tuple[str, str], bytes] = {}

    def describe_hub_content(self, **request: Any) -> Mapping[str, Any]:
        """Return a hub content with its document."""
        found = self._sagemaker.describe_hub_content(**request)
        document = found["HubContentDocument"]
        self._files[DOCUMENT_FILE] = (document if isinstance(document, str) else canonical(document)).encode()
        facts = {name: str(found[name]) for name in ("HubContentArn", "HubContentVersion")}
        self._files[CONTENT_FILE] = canonical({**request, **facts}).encode()
        return found

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        """Return an object with its body."""
        place = (str(request["Bucket"]), str(request["Key"]))
        if place not in self._objects:
            self._objects[place] = self._s3.get_object(**request)["Body"].read()
        return {"Body": io.BytesIO(self._objects[place])}

    def files(self) -> dict[str, bytes]:
        """Return every answer by a file name: the document, its version and ARN, and each object by its own name."""
        objects = {key.rpartition("/")[2]: body for (_, key), body in self._objects.items()}
        return {**self._files, **objects}

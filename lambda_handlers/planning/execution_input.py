"""The execution input: checked against its published schema before anything is started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from lambda_handlers.planning import schema
from lambda_handlers.protocol.errors import InvalidRequest

SCHEMA_FILE: Final = Path(__file__).with_name("execution_input.v1.schema.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionInput:
    """What one run was asked to do.

    `requested_by` is what the caller claims; nothing attests it.
    """

    dataset_uri: str
    dataset_version_id: str | None = None
    mode: str = "full"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    hub_content_version: str | None = None
    force: bool = False
    requested_by: str | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> ExecutionInput:
        """Read the raw input of an execution; raise InvalidRequest with every problem at once."""
        found = schema.problems(raw, published_schema()) or list(_not_run_here(raw))
        if found:
            raise InvalidRequest("The execution input is not valid.", problems=found)
        dataset = raw["dataset"] if isinstance(raw["dataset"], dict) else {"uri": raw["dataset"]}
        return cls(
            dataset_uri=dataset["uri"],
            # A rule's input transformer writes an empty text for an object without a version.
            dataset_version_id=dataset.get("version_id") or None,
            overrides=raw.get("overrides", {}),
            hub_content_version=raw.get("hub_content_version"),
            force=raw.get("force", False),
            requested_by=raw.get("requested_by"),
            reason=raw.get("reason"),
        )


@cache
def published_schema() -> Mapping[str, Any]:
    """Return the published JSON Schema of the execution input."""
    document: Mapping[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def _not_run_here(raw: Mapping[str, Any]) -> Iterator[str]:
    mode = raw.get("mode", "full")
    if mode != "full":
        yield f'mode: received "{mode}"; this version runs only full'
    for key in ("recipe", "model_path", "base_run"):
        if key in raw:
            yield f'{key}: received "{raw[key]}"; this version does not take it, remove the key'
    if raw.get("dry_run"):
        yield "dry_run: received true; this version has no dry run, remove the key"
    if "dataset" not in raw and mode == "full":
        yield "dataset: missing; give the s3:// address of the data to train on"

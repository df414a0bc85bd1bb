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

    `recipe` is one of the user's own, or its address. `dataset_uri` is empty only in an input that is not valid.
    `requested_by` is what the caller claims; nothing attests it.
    """

    dataset_uri: str
    dataset_version_id: str | None = None
    mode: str = "full"
    recipe: str | Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    hub_content_version: str | None = None
    dry_run: bool = False
    force: bool = False
    requested_by: str | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> ExecutionInput:
        """Read the raw input of an execution; raise InvalidRequest with every problem at once."""
        asked, found = cls.understand(raw)
        if found:
            raise InvalidRequest("The execution input is not valid.", problems=found)
        return asked

    @classmethod
    def understand(cls, raw: Any) -> tuple[ExecutionInput, list[str]]:
        """Return what can be understood of a raw input, with defaults for the rest, and everything wrong with it."""
        found = [*schema.problems(raw, published_schema()), *_not_run_here(raw)]
        fit = {key: value for key, value in raw.items() if _fits(key, value)} if isinstance(raw, dict) else {}
        given = fit.get("dataset")
        dataset = given if isinstance(given, dict) else {"uri": given or ""}
        return cls(
            dataset_uri=dataset["uri"],
            # A rule's input transformer writes an empty text for an object without a version.
            dataset_version_id=dataset.get("version_id") or None,
            recipe=fit.get("recipe"),
            overrides=fit.get("overrides", {}),
            hub_content_version=fit.get("hub_content_version"),
            dry_run=fit.get("dry_run", False),
            force=fit.get("force", False),
            requested_by=fit.get("requested_by"),
            reason=fit.get("reason"),
        ), found


def _fits(key: str, value: Any) -> bool:
    return not schema.problems({key: value}, published_schema())


@cache
def published_schema() -> Mapping[str, Any]:
    """Return the published JSON Schema of the execution input."""
    document: Mapping[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def _not_run_here(raw: Any) -> Iterator[str]:
    if not isinstance(raw, dict):
        return
    mode = raw.get("mode", "full")
    if mode != "full" and _fits("mode", mode):
        yield f'mode: received "{mode}"; this version runs only full'
    for key in ("model_path", "base_run"):
        if key in raw and _fits(key, raw[key]):
            yield f'{key}: received "{raw[key]}"; this version does not take it, remove the key'
    # Whoever misspelled the key is told so already, with the nearest name.
    if "dataset" not in raw and mode == "full" and set(raw) <= set(published_schema()["properties"]):
        yield "dataset: missing; give the s3:// address of the data to train on"

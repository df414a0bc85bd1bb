"""The execution input: checked against its published schema before anything is started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from lambda_handlers.planning import schema
from lambda_handlers.planning.modes import FULL, MODES, Mode
from lambda_handlers.protocol.errors import InvalidRequest

SCHEMA_FILE: Final = Path(__file__).with_name("execution_input.v1.schema.json")
_REFERENCES: Final = ("model_path", "model_package", "base_run", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionInput:
    """What one run was asked to do.

    `mode` is one of `MODES`. `recipe` is one of the user's own, or its address. `dataset_uri` is empty in a mode
    that reads no dataset, where a list at `objects_uri` names the objects, and in an input that is not valid.
    `output` is the folder for the results of batch inference. `model_path`, `model_package`, `base_run` and `model`
    (base or production) name the model that the run is about. `resume` is the earlier run that is resumed.
    `requested_by` is what the caller claims, and so is `trigger`, what started the run by itself: nothing attests
    them.
    """

    dataset_uri: str = ""
    dataset_version_id: str | None = None
    objects_uri: str | None = None
    mode: str = FULL.name
    model_path: str | None = None
    model_package: str | None = None
    base_run: str | None = None
    model: str | None = None
    output: str | None = None
    recipe: str | Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    hub_content_version: str | None = None
    dry_run: bool = False
    force: bool = False
    requested_by: str | None = None
    reason: str | None = None
    trigger: Mapping[str, Any] | None = None
    resume: str | None = None

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
        fit = {key: value for key, value in raw.items() if _fits(key, value)} if isinstance(raw, dict) else {}
        found = list(schema.problems(raw, published_schema()))
        if isinstance(raw, dict):
            found += _mode_problems(raw)
        given = fit.get("dataset")
        dataset = given if isinstance(given, dict) else {"uri": given or ""}
        optional = {key: fit[key] for key in cls.__slots__ if key in fit and key not in ("mode", *_FOUND_APART)}
        return cls(
            dataset_uri=dataset.get("uri", ""),
            objects_uri=dataset.get("objects_uri"),
            # A rule's input transformer writes an empty text for an object without a version.
            dataset_version_id=dataset.get("version_id") or None,
            mode=fit.get("mode", FULL.name),
            **optional,
        ), found


_FOUND_APART: Final = ("dataset_uri", "dataset_version_id", "objects_uri")


def _fits(key: str, value: Any) -> bool:
    return not schema.problems({key: value}, published_schema())


@cache
def published_schema() -> Mapping[str, Any]:
    """Return the published JSON Schema of the execution input."""
    document: Mapping[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def _mode_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the mode."""
    name = raw.get("mode", FULL.name)
    if not _fits("mode", name):
        return  # told by the schema; what a mode takes depends on which it is
    mode = MODES[name]
    # Whoever misspelled a key is told so already, with the nearest name.
    complete = set(raw) <= set(published_schema()["properties"])
    if mode.reads_dataset and "dataset" not in raw and complete:
        purpose = "train on" if mode.trains else "prepare" if mode.prepares else "answer"
        yield f"dataset: missing; give the s3:// address of the data to {purpose}"
    yield from _not_of_the_mode(raw, mode)
    yield from _reference_problems(raw, mode, complete=complete)


def _taken(mode: Mode) -> Mapping[str, bool]:
    """Return which keys that depend on the mode it uses."""
    return {
        "dataset": mode.reads_dataset,
        "recipe": mode.trains,
        "overrides": mode.trains,
        "hub_content_version": mode.trains or mode.evaluates or mode.infers,
        "model_path": mode.trains or mode.needs_model,
        "model_package": mode.deploys and mode.needs_model,
        "base_run": mode.trains or mode.needs_model,
        "model": mode.measures_or_asks,
        "output": mode.infers and mode.needs_model,
    }


def _not_of_the_mode(raw: Mapping[str, Any], mode: Mode) -> Iterator[str]:
    for key, taken in _taken(mode).items():
        # An empty mapping of overrides says nothing.
        if raw.get(key) and not taken:
            modes = ", ".join(each.name for each in MODES.values() if _taken(each)[key])
            yield f'{key}: mode "{mode.name}" does not use it; remove the key, or use mode {modes}'


def _reference_problems(raw: Mapping[str, Any], mode: Mode, *, complete: bool) -> Iterator[str]:
    given = [key for key in _REFERENCES if key in raw]
    if len(given) > 1:
        yield f"{' and '.join(given)}: received {len(given)} models; give one of them"
    elif mode.needs_model and not given and complete:
        package = ", model_package (its ARN) or base_run (an earlier run)"
        named = ", base_run (an earlier run), or model (" if mode.measures_or_asks else package
        others = '"base" or "production")' if mode.measures_or_asks else ""
        yield f'model: missing; mode "{mode.name}" needs a model: give model_path (a checkpoint){named}{others}'

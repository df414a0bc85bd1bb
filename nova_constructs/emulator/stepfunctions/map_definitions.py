"""What a definition may say about Map states: whatever is not honoured is named, so that it can be refused.

moto's grammar drops or ignores parts of a Distributed Map; a field that has no effect here would make a test pass that
fails on AWS.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

_STATE: Final = frozenset(
    (
        "Type",
        "Comment",
        "InputPath",
        "OutputPath",
        "Next",
        "End",
        "Assign",
        "QueryLanguage",
    )
)
_MAP: Final = _STATE | frozenset(
    (
        "ItemsPath",
        "ItemSelector",
        "ItemProcessor",
        "ResultPath",
        "ResultSelector",
        "Retry",
        "Catch",
    )
)
_MAP_LIMITS: Final = frozenset(
    (
        "MaxConcurrency",
        "MaxConcurrencyPath",
    )
)
_TOLERANCE: Final = (
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
)
_DISTRIBUTED: Final = _MAP | _MAP_LIMITS | {"ItemReader", "Label", *_TOLERANCE}
_ONLY_DISTRIBUTED: Final = frozenset(("ItemReader", "ItemBatcher", "ResultWriter", "Label", *_TOLERANCE))
_PROCESSOR: Final = frozenset(
    (
        "ProcessorConfig",
        "StartAt",
        "States",
        "Comment",
        "QueryLanguage",
    )
)
_READER: Final = frozenset(
    (
        "Resource",
        "ReaderConfig",
        "Parameters",
    )
)
_READER_CONFIG: Final = frozenset(
    (
        "InputType",
        "MaxItems",
        "MaxItemsPath",
    )
)
_READER_PARAMETERS: Final = frozenset(("Bucket", "Bucket.$", "Key", "Key.$"))
_GET_OBJECT: Final = re.compile(r"arn:[^:]+:states:::s3:getObject")
_INPUT_TYPES: Final = ("JSON", "JSONL")


def unhonoured(definition: str) -> list[str]:
    """Name everything about the Map states of a definition that the emulator does not honour.

    A text that is no JSON object names nothing: the parser refuses it.
    """
    try:
        machine = json.loads(definition)
    except ValueError:
        return []
    if not isinstance(machine, Mapping):
        return []
    found: list[str] = []
    labels: Counter[str] = Counter()
    for name, state, inside in _maps(machine, inside=False):
        found += [f"{problem} of Map state {name!r}" for problem in _problems(state, machine, inside=inside)]
        labels[str(state.get("Label", name))] += 1
    return found + [f"Label {label!r} of {count} Map states" for label, count in labels.items() if count > 1]


def for_grammar(definition: str) -> str:
    """Write a whole ToleratedFailurePercentage as moto's grammar reads it, with a decimal point."""
    if '"ToleratedFailurePercentage"' not in definition:
        return definition
    try:
        machine = json.loads(definition)
    except ValueError:
        return definition
    for _, state, _ in _maps(machine, inside=False):
        if isinstance(state.get("ToleratedFailurePercentage"), int):
            state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
    return json.dumps(machine)


def _maps(machine: Any, *, inside: bool) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Give every Map state with its name, and whether it stands inside a Distributed Map."""
    states = machine.get("States") if isinstance(machine, Mapping) else None
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, dict):
            continue
        for branch in state.get("Branches", ()):
            yield from _maps(branch, inside=inside)
        if state.get("Type") == "Map":
            yield name, state, inside
            processor = state.get("ItemProcessor", state.get("Iterator", {}))
            yield from _maps(processor, inside=inside or _is_distributed(state))


def _is_distributed(state: Mapping[str, Any]) -> bool:
    processor = state.get("ItemProcessor", state.get("Iterator", {}))
    return bool(processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


def _problems(state: Mapping[str, Any], machine: Mapping[str, Any], *, inside: bool) -> Iterator[str]:
    if "TimeoutSeconds" in state or "HeartbeatSeconds" in state:
        yield "TimeoutSeconds or HeartbeatSeconds (which AWS refuses)"
    if not _is_distributed(state):
        yield from (f"{name} (for DISTRIBUTED mode only)" for name in sorted(_ONLY_DISTRIBUTED & state.keys()))
        return
    if inside:
        yield "Mode DISTRIBUTED inside another Distributed Map"
    if "JSONata" in (state.get("QueryLanguage"), machine.get("QueryLanguage")):
        yield "QueryLanguage JSONata"
    yield from sorted(state.keys() - _DISTRIBUTED - {"TimeoutSeconds", "HeartbeatSeconds"})
    for name in ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"):
        if name in state and f"{name}Path" in state:
            yield f"{name} together with {name}Path"
    yield from _processor_problems(state.get("ItemProcessor", {}))
    if "ItemReader" in state:
        yield from _reader_problems(state["ItemReader"])


def _processor_problems(processor: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"ItemProcessor.{name}" for name in sorted(processor.keys() - _PROCESSOR))
    kind = processor.get("ProcessorConfig", {}).get("ExecutionType")
    if kind != "STANDARD":
        yield f"ItemProcessor.ProcessorConfig.ExecutionType {kind} (only STANDARD)"


def _reader_problems(reader: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"ItemReader.{name}" for name in sorted(reader.keys() - _READER))
    if not _GET_OBJECT.fullmatch(str(reader.get("Resource"))):
        yield f"ItemReader.Resource {reader.get('Resource')} (only arn:aws:states:::s3:getObject)"
    config, parameters = reader.get("ReaderConfig", {}), reader.get("Parameters", {})
    if config.get("InputType") not in _INPUT_TYPES:
        yield f"ItemReader.ReaderConfig.InputType {config.get('InputType')} (only {', '.join(_INPUT_TYPES)})"
    yield from (f"ItemReader.ReaderConfig.{name}" for name in sorted(config.keys() - _READER_CONFIG))
    yield from (f"ItemReader.Parameters.{name}" for name in sorted(parameters.keys() - _READER_PARAMETERS))
    for name in ("Bucket", "Key"):
        if not {name, f"{name}.$"} & parameters.keys():
            yield f"ItemReader.Parameters without {name}"

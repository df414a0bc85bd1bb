"""Synthesizes customizations for the tests of the constructs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nova_constructs.app import build

Template = dict[str, Any]

ENTRY: dict[str, Any] = {
    "name": "Support",
    "model": "NOVA_LITE_2",
    "method": "SFT_LORA",
    "platform": {"type": "SMTJ", "instance_type": "ml.p5.48xlarge", "instance_count": 4},
    "data": {"columns": {"question": "question", "answer": "answer"}},
    "evaluation": [{"task": "mmlu"}, {"task": "gen_qa", "dataset": "evaluation/gen_qa.jsonl"}],
    "gate": {"criteria": [{"task": "mmlu", "floor": 0.5}]},
    "deployment": {"target": "BEDROCK_OD"},
}


@pytest.fixture(scope="session")
def entry() -> dict[str, Any]:
    """Return the settings of one customization that works."""
    return json.loads(json.dumps(ENTRY))  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Template]]:
    """Return a function from settings entries to the templates by stack name."""

    def run(*entries: dict[str, Any]) -> dict[str, Template]:
        folder = tmp_path_factory.mktemp("app")
        (folder / "customizations.yaml").write_text(yaml.safe_dump({"customizations": list(entries)}))
        build(folder / "customizations.yaml", str(folder / "out")).synth()
        return {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in sorted(Path(folder / "out").glob("*.template.json"))
        }

    return run


@pytest.fixture(scope="session")
def template(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    """Return the template of one customization."""
    return synthesize(entry)["Nova-Support"]


@pytest.fixture(scope="session")
def definition(template: Template) -> dict[str, Any]:
    """Return the state machine's definition, tokens replaced by their logical ids."""
    return _definition(template)


@pytest.fixture(scope="session")
def definition_of(synthesize: Callable[..., dict[str, Template]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a function from a settings entry to the definition of its state machine."""
    return lambda entry: _definition(synthesize(entry)["Nova-Support"])


def _definition(template: Template) -> dict[str, Any]:
    machine = next(r for r in template["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine")
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else next(iter(part.values())) for part in parts)
    return json.loads(text)  # type: ignore[no-any-return]

"""Nothing in the workflow can tell that it runs on the emulator."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import lambda_handlers
from tests.workflow.harness import Workflow

SOURCES = sorted(Path(lambda_handlers.__file__).parent.rglob("*.py"))
TELLTALES = re.compile(r"emulat|moto\b|localhost|127\.0\.0\.1|endpoint_url|AWS_ENDPOINT|simulat|AKIAOPERATOR", re.I)
IAM_CALL = re.compile(r"simulate_?principal_?policy", re.I)
"""A call of IAM's own, whatever its name sounds like."""
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("time", "time"), ("time", "time_ns"), ("date", "today")}
CLOCK_FILE = "clock.py"


def test_the_handlers_name_nothing_of_the_emulator() -> None:
    found = [
        f"{path.name}:{number} {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if TELLTALES.search(IAM_CALL.sub("", line))
    ]
    assert found == []


def test_the_handlers_take_time_only_from_the_clock() -> None:
    found = []
    for path in SOURCES:
        if path.name == CLOCK_FILE:
            continue
        found += [
            f"{path.name}:{node.lineno} {node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in CLOCKS
        ]
    assert found == []


def test_the_handlers_import_neither_cdk_nor_constructs() -> None:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [f"{path.name}: {name}" for name in names if re.match(r"aws_cdk|constructs|nova_constructs", name)]
    assert found == []


@pytest.mark.slow
def test_functions_see_the_environment_that_lambda_gives_and_the_template_sets(workflow: Workflow) -> None:
    """The endpoint is the one variable more, as a proxy would be; nothing reads it but the AWS client itself."""
    seen: dict[str, Any] = workflow.emulator.client("lambda").list_functions(MaxItems=50)
    declared = {name for function in seen["Functions"] for name in function.get("Environment", {}).get("Variables", {})}
    assert not [name for name in declared if TELLTALES.search(name)]
    assert "SLUG" in declared

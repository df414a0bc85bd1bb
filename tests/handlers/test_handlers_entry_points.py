"""Every entry point is importable alone, cheaply, and with no more third-party code than it ships with."""

from __future__ import annotations

import subprocess
import sys

import pytest

THIRD_PARTY = {
    "plan_run": {"yaml"},
    "probe_tracking": set(),
    "prepare_data": {"orjson"},
    "submit_training": {"yaml"},
    "resolve_checkpoint": set(),
    "submit_evaluation": {"yaml"},
    "read_evaluation": set(),
    "decide_gate": set(),
    "find_baseline": set(),
    "freeze_evaluation_sets": {"orjson"},
    "submit_import": set(),
    "submit_deployment": set(),
    "promote_deployment": set(),
    "choose_deployment": set(),
    "submit_update": set(),
    "smoke_candidate": set(),
    "remove_candidate": set(),
    "retire_models": set(),
    "roll_back": set(),
    "canary": set(),
    "request_approval": set(),
    "answer_approval": set(),
    "settle_approval": set(),
}
_PROBE = """
import importlib, sys
module = importlib.import_module("lambda_handlers.{name}")
assert callable(module.handler)
print(*sorted({{"yaml", "orjson", "boto3", "aws_cdk", "nova_constructs", "jsonschema"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", sorted(THIRD_PARTY))
def test_an_entry_point_imports_only_what_it_ships_with(name: str) -> None:
    probe = [sys.executable, "-c", _PROBE.format(name=name)]
    found = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split()
    assert set(found) == THIRD_PARTY[name]

"""Each target and mode, with nothing there and with a model in production, and with what may fail on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.deployment_scenarios import CASES, COMMITTED, SETTINGS, Scenario, World, committed, scenarios
from tests.workflow.harness import SPEED, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LOOKED_AT = {
    *("bedrock:GetCustomModelDeployment", "bedrock:GetProvisionedModelThroughput", "bedrock:GetCustomModel"),
}
"""What was deleted carries no tag any more, so looking at it once more is denied: the drivers take that for gone."""
ALL = [
    pytest.param(case, scenario, id=f"{case[0]}, {case[1]}: {name}")
    for case in CASES
    for name, scenario in scenarios(*case)
]
ALL.append(pytest.param(COMMITTED, committed, id="committed: smoke fails"))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[tuple[str, str]], World]]:
    """Return the world of a target and mode; that of the case before is gone then."""
    present: dict[tuple[str, str], World] = {}

    def enter(case: tuple[str, str]) -> World:
        if case not in present:
            stack.close()
            present.clear()
            settings: dict[str, Any] = {**SETTINGS[case[0]], "mode": case[1]}
            assembly = synthesize(tmp_path_factory.mktemp("deploying"), deployment=settings)
            emulator = stack.enter_context(Emulator(speed=SPEED))
            present[case] = World(emulator, assembly, *case)
        return present[case]

    with ExitStack() as stack:
        yield enter


@pytest.mark.parametrize(("case", "scenario"), ALL)
def test_deploying(worlds: Callable[[tuple[str, str]], World], case: tuple[str, str], scenario: Scenario) -> None:
    world = worlds(case)
    calls = world.workflow.emulator.calls
    calls.clear()
    try:
        scenario(world)
    finally:
        world.faults.clear()
    assert [str(call) for call in calls.denied() if call.action not in LOOKED_AT] == []

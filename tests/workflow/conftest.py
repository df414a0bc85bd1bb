"""The customization under test, deployed on the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, synthesize


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cloud assembly of the customization under test."""
    return synthesize(tmp_path_factory.mktemp("workflow"))


@pytest.fixture(scope="module")
def workflow(assembly: Path) -> Iterator[Workflow]:
    """Return the customization, deployed once for the tests of a module."""
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "workflow" in request.fixturenames:
        request.getfixturevalue("workflow").emulator.faults.clear()

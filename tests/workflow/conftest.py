"""The customization under test, deployed on the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow import paths
from tests.workflow.furnishing import furnish, key
from tests.workflow.harness import SPEED, Workflow, synthesize
from tests.workflow.hyperpod_paths import furnish_cluster
from tests.workflow.permission_suites import SUITES, VPC, Enter


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cloud assembly of the customization under test."""
    return synthesize(tmp_path_factory.mktemp("workflow"))


@pytest.fixture(scope="module")
def workflow(assembly: Path) -> Iterator[Workflow]:
    """Return the customization, deployed once for the tests of a module."""
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the cloud assembly of each customization on which permissions are proven."""
    return {name: synthesize(tmp_path_factory.mktemp(name), **settings) for name, (settings, _) in SUITES.items()}


@pytest.fixture(scope="module")
def enter(assemblies: dict[str, Path]) -> Iterator[Enter]:
    """Return what deploys a suite in an account that has the network and the app its jobs use, once.

    A process has one emulator: the suite before is gone then.
    """
    present: dict[str, Workflow] = {}

    def deployed(name: str) -> Workflow:
        if name not in present:
            stack.close()
            present.clear()
            emulator = stack.enter_context(Emulator(speed=SPEED))
            furnish(emulator, VPC)
            if name == "hyperpod":
                furnish_cluster(emulator)
            key(emulator, paths.MODEL_KEY)
            made = present[name] = Workflow(emulator, assemblies[name])
            made.put("IncomingBucketName", paths.MORE, paths.dataset_of("more"))
            made.put("IncomingBucketName", paths.ANSWERED, paths.dataset_of("answered"))
        return present[name]

    with ExitStack() as stack:
        yield deployed


@pytest.fixture(scope="module")
def proven() -> dict[str, str]:
    """Collect, over the tests of a module, which permission the first path proved that needed it."""
    return {}


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "workflow" in request.fixturenames:
        request.getfixturevalue("workflow").emulator.faults.clear()

"""The parts of one emulator's IAM, wired together; one emulator runs per process."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from nova_constructs.emulator.iam.authorizer import Authorizer
from nova_constructs.emulator.iam.facts import MotoFacts
from nova_constructs.emulator.iam.recorder import Recorder
from nova_constructs.emulator.iam.resource_policies import ResourcePolicies
from nova_constructs.emulator.iam.sessions import Sessions
from nova_constructs.emulator.iam.tags import Tags
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import store_of
from nova_constructs.emulator.state import EmulatorState


class Engine:
    """IAM of one account and Region."""

    def __init__(self, state: EmulatorState) -> None:
        self.account = state.account
        self.region = state.region
        self.state = state
        self.recorder = Recorder()
        store = store_of(cast(SimulatorState, state))
        self.tags = Tags(state.account, state.region)
        self.tags.add_source(store.tags)
        self.facts = MotoFacts(state.account, state.region, self.tags, store)
        self.resource_policies = ResourcePolicies(state.account, state.region, self.facts)
        self.sessions = Sessions(state.account, state.region)
        self.authorizer = Authorizer(
            account=state.account,
            region=state.region,
            policies=self.resource_policies,
            tags=self.tags,
            recorder=self.recorder,
            now=state.clock.now,
        )
        state.calls = self.recorder

    def reset(self) -> None:
        """Forget sessions, policies and calls."""
        self.sessions.clear()
        self.resource_policies.clear()
        self.recorder.clear()


_running: list[Engine] = []


def use(engine: Engine) -> Callable[[], None]:
    """Make an engine the one that `current` gives, until the returned function is called."""
    _running.append(engine)
    return lambda: _running.remove(engine)


def current() -> Engine:
    """Give the engine of the running emulator; raises RuntimeError when none runs."""
    if not _running:
        raise RuntimeError("no emulator is running in this process")
    return _running[-1]

"""Nothing is made or updated for a run that a rollback keeps from production."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.deployment import deploying
from lambda_handlers.deployment.stages import CANDIDATE, DEPLOYMENT, UPDATE
from lambda_handlers.jobs.submission import Submissions
from lambda_handlers.protocol.errors import LockLost
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry
from tests.deployment.test_deployment_canary import NOW
from tests.protocol.protocol_memory import job_registry, run_control
from tests.protocol.test_protocol_pointer import back, promoted
from tests.training.training_support import Recorder


class Clock:
    def now(self) -> Any:
        return NOW


@pytest.mark.parametrize("stage", [DEPLOYMENT, CANDIDATE, UPDATE])
def test_a_run_that_may_not_move_the_pointer_makes_and_updates_nothing(stage: str) -> None:
    control, registry, ledger = run_control(), JobRegistry(job_registry()), Recorder()
    promoted(control, 2)
    generation = RunLock(control).acquire("r3", "e3", NOW)
    back(Pointer(control))
    submissions = Submissions(
        registry=registry, lock=RunLock(control), clock=Clock(), ledger=ledger, slug="support",
        customization="Nova/Support",
    )  # fmt: skip
    event = {
        "run": {
            "id": "r3", "execution_arn": "e3", "state_machine_arn": "s", "started_at": "2026-01-01T00:00:00Z",
            "lock_generation": generation,
        },
        "config": {"target": "BEDROCK_OD", "name": "support", "deadline_seconds": 60},
        "model": {"model_arn": "m3"},
        "checkpoint_uri": "s3://checkpoint",
        "chosen": {"deployment_arn": "d", "name": "support"},
        "stage": stage,
        "token": "t",
    }  # fmt: skip
    with pytest.raises(LockLost, match=r"rolled back at .* while this run was at work"):
        (deploying.update if stage == UPDATE else deploying.deploy)(event, submissions)
    assert registry.of_run("r3") == []
    assert ledger.events == []

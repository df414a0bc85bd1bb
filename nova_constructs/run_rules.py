"""How the runs of a customization stand to one another, and how old one may become."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration

from lambda_handlers.deployment.choosing import SWAP
from lambda_handlers.protocol.turns import Concurrency
from nova_constructs.deployment_targets import DeploymentTarget
from nova_constructs.hyperpod import Runtime

_SHORTEST_AGE, _LONGEST_AGE = Duration.hours(1), Duration.days(364)
_SHORTEST_WAIT = Duration.minutes(1)
QUEUE_DEADLINE = Duration.days(14)
MAX_RUN_AGE = Duration.days(90)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRules:
    """Say what becomes of a run that starts while another works, how long it waits, how old it may become.

    `concurrency` is one of `Concurrency`, or its name. `queue_deadline` defaults to 14 days, `max_run_age` to 90.
    """

    concurrency: Concurrency | str = Concurrency.SKIP
    queue_deadline: Duration | None = None
    max_run_age: Duration | None = None

    @property
    def policy(self) -> Concurrency:
        """The policy; raises ValueError for a name that is none, which `problems` tells."""
        return Concurrency(self.concurrency)

    @property
    def deadline(self) -> Duration:
        """How long a run waits for its turn."""
        return self.queue_deadline or QUEUE_DEADLINE

    @property
    def max_age(self) -> Duration:
        """How long a run may be open; the reconciler ends one that is older."""
        return self.max_run_age or MAX_RUN_AGE

    def problems(self, platform: Runtime, deployment: DeploymentTarget, approval: Duration | None) -> Iterable[str]:
        """Yield what cannot work."""
        known = [str(each) for each in Concurrency]
        if self.concurrency not in known:
            yield f"concurrency is {self.concurrency!r}: use one of {', '.join(known)}"
            return
        yield from self._of_ages(platform, approval)
        if self.queue_deadline and not self.policy.queues:
            yield f"queue_deadline is given, but with concurrency {self.policy} no run waits: leave it out or use QUEUE"
        if self.policy is Concurrency.PARALLEL and deployment.kind and deployment.mode != SWAP:
            yield (
                f"concurrency is PARALLEL and the deployment has mode {deployment.mode}: runs at the same time would "
                f"update the same deployment; use mode {SWAP}, or concurrency QUEUE"
            )

    def config(self) -> dict[str, Any]:
        """Return the rules as the plan of a run reads them."""
        waits = {"queue_deadline_seconds": self.deadline.to_seconds()} if self.policy.queues else {}
        return {"concurrency": str(self.policy), **waits}

    def _of_ages(self, platform: Runtime, approval: Duration | None) -> Iterable[str]:
        age = self.max_age.to_seconds()
        told = self.max_age.to_human_string()
        if not _SHORTEST_AGE.to_seconds() <= age <= _LONGEST_AGE.to_seconds():
            yield f"max_run_age is {told}: use 1 hour to 364 days"
            return
        if self.policy.queues and not _SHORTEST_WAIT.to_seconds() <= self.deadline.to_seconds() < age:
            yield f"queue_deadline is {self.deadline.to_human_string()}: use 1 minute to less than max_run_age, {told}"
        if platform.deadline.to_seconds() >= age:
            yield f"max_run_age is {told}, in which a training job does not end: it may take {_text(platform.deadline)}"
        if approval and approval.to_seconds() >= age:
            yield f"max_run_age is {told}, but people may take {_text(approval)} to approve: make it longer"


def _text(duration: Duration) -> str:
    return duration.to_human_string()

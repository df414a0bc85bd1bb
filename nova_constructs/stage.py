"""What every stage of the workflow has in common."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import jsii
from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.identity import Identity
from nova_constructs.job_waiting import JobWaiting
from nova_constructs.run_control import RunControl
from nova_constructs.run_ledger import RunLedger


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """What the stages of one customization share."""

    identity: Identity
    store: ArtifactStore
    ledger: RunLedger
    control: RunControl
    waiting: JobWaiting

    @property
    def grace(self) -> Duration:
        """How long after a job's deadline its state gives up by itself."""
        return self.waiting.grace


class Stage(sfn.StateMachineFragment):
    """A named part of a run: states with the functions they call.

    A stage raises the errors its docstring names; the customization catches them on every state of `tasks`.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.tasks: list[sfn.CustomState | sfn.Parallel] = []

    def run_in_order(self, *states: sfn.CustomState | sfn.Parallel) -> None:
        """Chain the states of the stage."""
        for before, after in pairwise(states):
            before.next(after)
        self.tasks = list(states)

    @property
    @jsii.member(jsii_name="startState")
    def start_state(self) -> sfn.State:
        """The first state."""
        return self.tasks[0]

    @property
    @jsii.member(jsii_name="endStates")
    def end_states(self) -> list[sfn.INextable]:
        """The last state."""
        return [cast(sfn.INextable, self.tasks[-1])]

"""What of a customization is not at rest: executions, records, jobs, holders of the lock, who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import OPEN_MARKER
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.store import ItemStore
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.models.holdings import TAG_OUTPUT
from nova_constructs.cli.orphans.tagged import TaggedJob, jobs_in_progress

RUN: Final = "run"
_READ: Final = ("run_id", "stage", "kind", "job_name", "status")


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Something that is not at rest. `kind` is `run`, `record`, `lock`, `queue` or the kind of a job."""

    kind: str
    name: str
    run_id: str
    sentence: str
    job: TaggedJob | None = None
    """What the service says of a job that no run waits for."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        return {"kind": self.kind, "name": self.name, "run_id": self.run_id, "what": self.sentence}


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """Look at one customization. `client` opens a service; `control` is its run control table."""

    customization: Customization
    client: Callable[[str], Any]
    control: ItemStore

    def look(self) -> list[Left]:
        """Return everything that is left.

        Once the customization's own tables and executions say nothing, SageMaker and Amazon Bedrock are asked for jobs
        that carry its tag: an empty answer is their word too.
        """
        return [*self._executions(), *self._control_table(), *self._rows()] or list(self._untold())

    def running(self) -> list[str]:
        """Return the runs whose execution has not ended, the oldest first."""
        pages = (
            self.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.customization.state_machine_arn, statusFilter="RUNNING")
        )
        found = [each for page in pages for each in page["executions"] if each["status"] == "RUNNING"]
        return [str(each["name"]) for each in sorted(found, key=lambda each: each["startDate"])]

    def _executions(self) -> Iterator[Left]:
        for run_id in self.running():
            yield Left(kind=RUN, name=run_id, run_id=run_id, sentence=f"run {run_id} is running")

    def _control_table(self) -> Iterator[Left]:
        # The book before the lock: who is struck off the book has given the lock back before.
        book, turns = open_runs(self.control), RunLock(self.control).turns()
        for run_id in book:
            yield Left(kind="record", name=run_id, run_id=run_id, sentence=f"the record of run {run_id} is not closed")
        for run_id in (each.run_id for each in turns.holders):
            yield Left(kind="lock", name=run_id, run_id=run_id, sentence=f"run {run_id} holds the lock")
        for run_id in (each.run_id for each in turns.queue):
            yield Left(kind="queue", name=run_id, run_id=run_id, sentence=f"run {run_id} waits for its turn")

    def _rows(self) -> Iterator[Left]:
        names = {f"#{index}": name for index, name in enumerate(_READ)}
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.customization.outputs["JobRegistryTableName"],
                IndexName="open",
                KeyConditionExpression="#marker = :open",
                # Never the task token.
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames={**names, "#marker": "open_marker"},
                ExpressionAttributeValues={":open": {"S": OPEN_MARKER}},
            )
        )
        for item in (item for page in pages for item in page["Items"]):
            run_id, stage, kind, name, status = (item[each]["S"] for each in _READ)
            what = f"{kind} {name} of run {run_id}, stage {stage}, is {status}"
            yield Left(kind=kind, name=name, run_id=run_id, sentence=what)

    def _untold(self) -> Iterator[Left]:
        for job in jobs_in_progress(self.client, self.customization.outputs[TAG_OUTPUT]):
            what = f"{job.kind} {job.name} of run {job.run_id or '?'} is {job.status}, and no run waits for it"
            yield Left(kind=job.kind, name=job.name, run_id=job.run_id, sentence=what, job=job)

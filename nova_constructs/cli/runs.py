"""Reads the runs of a deployed customization: executions, their record and their jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambda_handlers.protocol.turns import Turns
from nova_constructs.cli import history
from nova_constructs.cli.attempts import read_attempts, read_taken
from nova_constructs.cli.awaited import AWAITING, Awaited, awaited
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.jobs import Job, activity, read_jobs
from nova_constructs.cli.queued import QUEUED, Queued, queued, read_turns

ClientFactory = Callable[[str], Any]

_ENDED_WELL = ("SUCCEEDED", "REJECTED", "SKIPPED", "DRY_RUN")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """Describe a run in one line of a list."""

    run_id: str
    status: str
    started: datetime
    stopped: datetime | None
    resume: str | None = None
    """The earlier run that it resumes."""

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as it is printed with `--json`."""
        seconds = (self.stopped - self.started).total_seconds() if self.stopped else None
        return {
            "run_id": self.run_id,
            "status": self.status,
            "started": self.started,
            "stopped": self.stopped,
            "seconds": seconds,
            "resume": self.resume,
        }


def run_status(execution: Mapping[str, Any]) -> str:
    """Return the run status of a described execution: a rejected or skipped run is an execution that succeeded."""
    status: str = execution["status"]
    if status == "PENDING_REDRIVE":
        return "RUNNING"
    if status != "SUCCEEDED":
        return status
    told = summary(execution).get("status")
    return told if told in _ENDED_WELL else "SUCCEEDED"


def summary(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the workflow's last stage said about the run; empty while it runs and where it never came to it."""
    try:
        output = json.loads(execution.get("output") or "{}")
    except ValueError:
        return {}
    return output if isinstance(output, dict) else {}


def input_of(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input of a described execution, empty where it is none; anybody may have written it."""
    try:
        given = json.loads(execution.get("input") or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def asked_to_resume(execution: Mapping[str, Any]) -> str | None:
    """Return the run that a described execution was asked to resume."""
    found = input_of(execution).get("resume")
    return found if isinstance(found, str) else None


class Runs:
    """Read the runs of one customization through boto3 clients."""

    def __init__(self, customization: Customization, client: ClientFactory) -> None:
        self.customization = customization
        self.client = client
        self._executions = client("stepfunctions")

    def describe(self, run_id: str) -> dict[str, Any]:
        """Return the execution behind a run; raise BadInputError if there is none."""
        try:
            execution: dict[str, Any] = self._executions.describe_execution(
                executionArn=self.customization.execution_arn(run_id)
            )
        except self._executions.exceptions.ExecutionDoesNotExist:
            raise self._no_such_run(run_id) from None
        except self._executions.exceptions.InvalidArn:
            raise self._no_such_run(run_id) from None
        return execution

    def latest(self, limit: int) -> Iterator[RunSummary]:
        """Yield the newest runs, newest first."""
        pages = self._executions.get_paginator("list_executions").paginate(
            stateMachineArn=self.customization.state_machine_arn,
            PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 100)},
        )
        turns: Turns | None = None
        for page in pages:
            for listed in page["executions"]:
                if turns is None and listed["status"] == "RUNNING":
                    turns = self._turns()
                yield self._summarize(listed, turns or Turns())

    def history(self, run_id: str) -> list[history.Event]:
        """Return all events of a run's execution."""
        pages = self._executions.get_paginator("get_execution_history").paginate(
            executionArn=self.customization.execution_arn(run_id), includeExecutionData=False
        )
        return [event for page in pages for event in page["events"]]

    def record(self, run_id: str) -> dict[str, Any] | None:
        """Return the closed record of a run from the audit bucket, or None while it is not closed."""
        s3 = self.client("s3")
        try:
            found = s3.get_object(
                Bucket=self.customization.outputs["AuditBucketName"], Key=f"runs/{run_id}/record.json"
            )
        except s3.exceptions.NoSuchKey:
            return None
        record: dict[str, Any] = json.loads(found["Body"].read())
        return record

    def jobs(self, run_id: str) -> list[Job]:
        """Return the jobs of a run in the order they were submitted."""
        return read_jobs(self.client("dynamodb"), self.customization.outputs["JobRegistryTableName"], run_id)

    def attempts(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return what the ledger says of each job of a run, those of earlier attempts at a stage among them."""
        return read_attempts(self.client("dynamodb"), self.customization.outputs["RunLedgerTableName"], run_id)

    def taken(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return what the ledger says that a run took over of earlier runs, and what it did not and why."""
        return read_taken(self.client("dynamodb"), self.customization.outputs["RunLedgerTableName"], run_id)

    def activity(self, run_id: str) -> dict[str, str]:
        """Return what the live jobs of a run do, by stage."""
        return dict(activity(self.jobs(run_id), self.client("sagemaker")))

    def awaited(self, run_id: str) -> Awaited | None:
        """Return what a running run waits for, or None where nobody has to answer."""
        return awaited(self.client("dynamodb"), self.customization, run_id)

    def queued(self, run_id: str) -> Queued | None:
        """Return where a running run stands in the queue, or None where it does not wait for its turn."""
        return queued(self._turns(), run_id)

    def _turns(self) -> Turns:
        return read_turns(self.client("dynamodb"), self.customization)

    def _live_status(self, run_id: str, turns: Turns) -> str:
        if queued(turns, run_id):
            return QUEUED
        return AWAITING if self.awaited(run_id) else "RUNNING"

    def _summarize(self, listed: Mapping[str, Any], turns: Turns) -> RunSummary:
        # The list carries neither the output, where a rejected run differs from one that deployed, nor the input.
        known = self.describe(listed["name"])
        return RunSummary(
            run_id=listed["name"],
            status=self._live_status(listed["name"], turns) if known["status"] == "RUNNING" else run_status(known),
            started=listed["startDate"],
            stopped=listed.get("stopDate"),
            resume=asked_to_resume(known),
        )

    def _no_such_run(self, run_id: str) -> BadInputError:
        return BadInputError(
            f"the customization {self.customization.name} has no such run",
            received=run_id,
            do="see the runs with `nova run list`; AWS forgets an execution 90 days after it ended",
        )

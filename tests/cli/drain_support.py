"""An account with runs, jobs and tables of one customization: DynamoDB as moto has it, the rest in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.runs import close_run
from lambda_handlers.protocol.store import DynamoItemStore, job_registry_store, run_control_store
from lambda_handlers.protocol.turns import Concurrency
from lambda_handlers.starting.arrivals import Arrival, Arrivals, arrivals_store
from lambda_handlers.starting.trigger import Trigger
from tests.cli.cli_support import EXECUTION, START, FakeAws, execution
from tests.cli.models_support import TAG, Account

REGION = "us-east-1"
_ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job"
_BATCH = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job"


class _Pages:
    """A paginator that gives one thing on each page."""

    def __init__(self, member: str, things: Callable[..., list[Any]]) -> None:
        self._member, self._things = member, things

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        found = self._things(**request)
        return [{self._member: [each]} for each in found] or [{self._member: []}]


@dataclass
class DrainAccount(Account):
    """Every job that was told to stop is in `stopped`; an operation in `denied` is refused."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    batch: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        Account.__post_init__(self)
        outputs = {"SupportArrivalsTableName": "arrivals"}
        self.stacks[0]["Outputs"] += [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
        self.fake = FakeAws()
        self.fake.stacks = self.stacks  # type: ignore[assignment]
        self.dynamodb = boto3.client("dynamodb", region_name=REGION)
        _create(self.dynamodb, "control", "item")
        _create(self.dynamodb, "registry", "run_id", "stage", {"by-name": "job_name", "open": "open_marker"})
        _create(self.dynamodb, "arrivals", "trigger", "arrival", {"waiting": "waiting_marker"})

    def client(self, service: str) -> Any:
        if service == "dynamodb":
            return self.dynamodb
        return self.fake if service in ("cloudformation", "stepfunctions") else self

    # What there is

    @property
    def table(self) -> DynamoItemStore:
        return replace(run_control_store("control"), dynamodb=self.dynamodb)

    @property
    def lock(self) -> RunLock:
        return RunLock(self.table)

    @property
    def arrivals(self) -> Arrivals:
        return Arrivals(replace(arrivals_store("arrivals"), dynamodb=self.dynamodb))

    def arrived(self, event: str, run: str = "") -> str:
        """Keep something that has arrived for the trigger Data, as part of a run if one is named; return its id."""
        trigger = Trigger.parse({"name": "Data", "kind": "event"})
        at = "2026-01-01T00:00:00Z"
        self.arrivals.enter(Arrival(trigger=trigger, id=event, at=at, received=at, facts={"event": event}))
        if run:
            self.arrivals.settle("Data", event, "STARTED", run, START)
        return event

    def begins(self, run: str, policy: Concurrency = Concurrency.QUEUE) -> None:
        """Start a run, which takes the lock or a place in the queue."""
        self.fake.executions[run] = execution(run, "RUNNING")
        self.lock.acquire(run, f"{EXECUTION}:{run}", START, policy=policy, started_at=run, deadline=1 << 40)

    def ends(self, run: str, status: str = "SUCCEEDED") -> None:
        """End a run as the workflow does."""
        self.fake.executions[run] = execution(run, status)
        self.lock.release(run, START)
        close_run(self.table, run)

    def row(self, run: str, stage: str, job: str, status: str = "OPEN") -> None:
        """Write a row of the job registry."""
        text = {"kind": "TrainingJob", "job_name": job, "status": status, "token": "secret", "arn": f"{_ARN}/{job}"}
        marker = {"open_marker": "open"} if status != "CLOSED" else {}
        item = {"run_id": run, "stage": stage, "execution_arn": f"{EXECUTION}:{run}", "submitted_at": "1", **text}
        store = replace(job_registry_store("registry"), dynamodb=self.dynamodb)
        store.put({**item, **marker}, replacing=store.get({"run_id": run, "stage": stage}))

    def trains(self, job: str, run: str, *, tag: str | None = TAG, status: str = "InProgress") -> None:
        """Have SageMaker run a job; without a tag it is somebody else's."""
        tags = {"nova-constructs:customization": tag, "nova-constructs:run": run, "nova-constructs:stage": "training"}
        self.jobs[job] = {
            "TrainingJobName": job,
            "TrainingJobArn": f"{_ARN}/{job}",
            "TrainingJobStatus": status,
            "CreationTime": START,
            "ResourceConfig": {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4},
            "tags": tags if tag else {},
        }

    def answers_rows(self, job: str, run: str, *, tag: str = TAG) -> None:
        """Have Amazon Bedrock run a batch inference job."""
        arn = f"{_BATCH}/{job}"
        self.batch[arn] = {"jobArn": arn, "jobName": job, "status": "Scheduled", "submitTime": START}
        self.tags[arn] = {"nova-constructs:customization": tag, "nova-constructs:run": run}

    # SageMaker

    def get_paginator(self, operation: str) -> _Pages:
        self._check(operation)
        if operation == "list_tags":
            return _Pages("Tags", self._training_tags)
        assert operation == "list_training_jobs"
        return _Pages("TrainingJobSummaries", self._training_jobs)

    def _training_jobs(self, *, StatusEquals: str) -> list[Any]:  # noqa: N803
        return [job for job in self.jobs.values() if job["TrainingJobStatus"] == StatusEquals]

    def _training_tags(self, *, ResourceArn: str) -> list[Any]:  # noqa: N803
        tags = self.jobs[ResourceArn.rpartition("/")[2]]["tags"]
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def describe_training_job(self, *, TrainingJobName: str) -> Any:  # noqa: N803
        return self.jobs[TrainingJobName]

    def stop_training_job(self, *, TrainingJobName: str) -> None:  # noqa: N803
        self._check("stop_training_job")
        self.stopped.append(TrainingJobName)
        self.jobs[TrainingJobName]["TrainingJobStatus"] = "Stopping"

    # Amazon Bedrock

    def list_model_invocation_jobs(self, *, statusEquals: str, nextToken: str = "0", **_: Any) -> Any:  # noqa: N803
        self._check("list_model_invocation_jobs")
        found = [job for job in self.batch.values() if job["status"] == statusEquals]
        number = int(nextToken)
        more = {"nextToken": str(number + 1)} if number + 1 < len(found) else {}
        return {"invocationJobSummaries": found[number : number + 1], **more}

    def stop_model_invocation_job(self, *, jobIdentifier: str) -> None:  # noqa: N803
        self.stopped.append(jobIdentifier.rpartition("/")[2])
        self.batch[jobIdentifier]["status"] = "Stopping"

    def _check(self, operation: str) -> None:
        if operation in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


def _create(
    dynamodb: Any, table: str, partition: str, sort: str | None = None, indexes: Mapping[str, str] | None = None
) -> None:
    keys = [(partition, "HASH"), *([(sort, "RANGE")] if sort else [])]
    names = {name for name, _ in keys} | set((indexes or {}).values())
    indexed = [
        {
            "IndexName": index,
            "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        for index, attribute in (indexes or {}).items()
    ]
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in sorted(names)],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexed} if indexed else {}),
    )

"""The jobs of a run, read from the job registry; never their task tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# `kind`, `status` and the like may be reserved words: every attribute goes by an alias.
_READ = (
    *("stage", "kind", "job_name", "arn", "attempt", "status", "submitted_at", "outcome", "held_until"),
    *("instance_type", "instance_count", "choice", "choices", "place"),
)
_DOING = {"PENDING": "being submitted", "OPEN": "running"}
TRAINING_JOB = "TrainingJob"
CLUSTER_JOB = "PyTorchJob"
LOGGED = (TRAINING_JOB, CLUSTER_JOB)
"""The kinds of jobs that write a log, and the only ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Describe the job of one stage: what AWS runs, and where the waiting for it stands."""

    stage: str
    kind: str
    name: str
    arn: str | None
    status: str
    submitted_at: str
    error: str | None = None
    """The error that the job's stage was told, None while it runs and where it completed."""
    attempt: int = 1
    instance_type: str | None = None
    instance_count: int | None = None
    choice: int = 1
    """Which of the choices of instances the job runs on, from 1."""
    choices: int = 1
    held_until: datetime | None = None
    """When AWS first deletes what the job of a run that is over has made; None where it can at any time."""
    place: Mapping[str, str] | None = None
    """Where a job on HyperPod runs: `cluster_name` and `namespace`."""

    @property
    def live(self) -> bool:
        """Tell whether the run still waits for the job."""
        return self.status in _DOING

    def as_dict(self) -> dict[str, Any]:
        """Return the job as it is printed with `--json`."""
        return {
            "stage": self.stage,
            "kind": self.kind,
            "platform": platform_of(self.kind),
            "place": dict(self.place) if self.place else None,
            "name": self.name,
            "arn": self.arn,
            "status": self.status,
            "error": self.error,
            "attempt": self.attempt,
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
            "choice": self.choice,
            "choices": self.choices,
            "held_until": self.held_until,
        }


def read_jobs(dynamodb: Any, table: str, run_id: str) -> list[Job]:
    """Return a run's jobs in the order they were submitted."""
    names = {f"#{index}": name for index, name in enumerate(_READ)}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="run_id = :run",
        ExpressionAttributeValues={":run": {"S": run_id}},
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
        ConsistentRead=True,
    )
    jobs = [_job(item) for page in pages for item in page["Items"]]
    return sorted(jobs, key=lambda job: job.submitted_at)


def activity(jobs: list[Job], sagemaker: Any) -> Iterator[tuple[str, str]]:
    """Yield what each live job does: its stage, and SageMaker's secondary status where the job has one."""
    for job in jobs:
        if job.live:
            yield job.stage, _secondary_status(job, sagemaker) or _DOING[job.status]


def failed_with_log(jobs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the stage of each failed job that has a log, of jobs as they are printed or as a record keeps them."""
    for job in jobs:
        if job["kind"] in LOGGED and (job.get("error") or (job.get("outcome") or {}).get("error")):
            yield str(job["stage"])


def _secondary_status(job: Job, sagemaker: Any) -> str | None:
    if job.kind != TRAINING_JOB or not job.arn:
        return None
    described = sagemaker.describe_training_job(TrainingJobName=job.name)
    status: str | None = described.get("SecondaryStatus")
    return status


def _job(item: dict[str, Any]) -> Job:
    plain = {name: next(iter(value.values())) for name, value in item.items()}
    return Job(
        stage=plain["stage"],
        kind=plain["kind"],
        name=plain["job_name"],
        arn=plain.get("arn") or None,
        status=plain["status"],
        submitted_at=plain.get("submitted_at", ""),
        error=json.loads(plain.get("outcome", "{}")).get("error") or None,
        attempt=int(plain.get("attempt", 1)),
        instance_type=plain.get("instance_type"),
        instance_count=int(plain["instance_count"]) if "instance_count" in plain else None,
        choice=int(plain.get("choice", 0)) + 1,
        choices=int(plain.get("choices", 1)),
        held_until=datetime.fromtimestamp(int(plain["held_until"]), UTC) if "held_until" in plain else None,
        place=json.loads(plain["place"]) if plain.get("place") else None,
    )


def platform_of(kind: str) -> str | None:
    """Return the platform that jobs of a kind run on, None for what neither trains nor evaluates."""
    return {TRAINING_JOB: "SMTJ", CLUSTER_JOB: "SMHP"}.get(kind)


def platform_text(job: Mapping[str, Any]) -> str:
    """Return where a job runs as people read it, `SMTJ` or `SMHP hp/kubeflow`; `-` for what runs on no platform."""
    platform, place = platform_of(job["kind"]), job.get("place")
    return f"{platform} {place['cluster_name']}/{place['namespace']}" if place else platform or "-"


def instances_text(job: Mapping[str, Any]) -> str:
    """Return the instances of a job as people read them, `8 x ml.p5en.48xlarge (choice 2 of 2)`; `-` for none."""
    if not job.get("instance_type"):
        return "-"
    text = f"{job['instance_count']} x {job['instance_type']}"
    choices = job.get("choices") or 1
    return text if choices == 1 else f"{text} (choice {job['choice']} of {choices})"

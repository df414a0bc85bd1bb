"""Whose log lines are read: the jobs of a run on either platform, or one training job that no run knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from lambda_handlers.jobs.logs import ClusterJob, LoggedJob, Look, cluster_id
from lambda_handlers.jobs.logs.following import TERMINAL
from lambda_handlers.protocol.errors import error_code
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.jobs import CLUSTER_JOB, LOGGED
from nova_constructs.cli.runs import Runs

_CLOSED = "CLOSED"


class Source(Protocol):
    """Names the jobs to read, and tells when they have ended."""

    def look(self) -> Look:
        """Return the jobs that may have lines, and whether nothing more will come."""

    def stage(self, job: str, /) -> str | None:
        """Return the stage of a job, None for one that belongs to no run."""

    def origin(self, job: str, /) -> str | None:
        """Return the stage as people read it: with the number of the attempt, where the job is not the newest one."""

    def nothing(self) -> str:
        """Return the sentence for a look without any job."""

    def no_lines(self, job: str, since: datetime | None) -> str:
        """Return the sentence for a job without a line, `since` an instant; raise BadInputError if there is no job."""


class OneJob:
    """What sources of one job that no run knows have in common."""

    def __init__(self, name: str) -> None:
        self._name = name

    def stage(self, _job: str) -> str | None:
        """Return None: no run is known."""
        return None

    origin = stage

    def nothing(self) -> str:
        """Return a sentence that is never needed: there always is the one job."""
        return f"{self._name} has no lines."


class JobSource(OneJob):
    """One training job by its name or ARN."""

    def __init__(self, name: str, sagemaker: Any) -> None:
        super().__init__(name.rpartition("training-job/")[2])
        self._sagemaker = sagemaker

    def look(self) -> Look:
        """Name the job; one that SageMaker does not know has ended, its lines may still be there."""
        state = describe(self._sagemaker, self._name)
        return Look(jobs=[self._name], ended=state is None or _status(state) in TERMINAL)

    def no_lines(self, job: str, since: datetime | None) -> str:  # noqa: ARG002 -- as a cluster's
        """Say that the job has no log stream; raise BadInputError if SageMaker does not know it either."""
        return no_stream(self._sagemaker, job)


class RunSource:
    """The training jobs of a run: training and evaluations, or those of one stage; every attempt at each."""

    def __init__(self, runs: Runs, run_id: str, stage: str | None) -> None:
        self._runs, self._run_id, self._stage = runs, run_id, stage
        self._stages: dict[str, str] = {}
        self._earlier: dict[str, int] = {}
        self._told: list[Mapping[str, Any]] = []
        self._newest: Mapping[str, int] = {}
        self._done: set[str] = set()
        self._status = ""
        self._on_clusters: dict[str, Mapping[str, Any]] = {}
        self._cluster_ids: dict[str, str] = {}

    def look(self) -> Look:
        """Name the jobs that have not been seen closed before. Raises BadInputError for no such run or stage."""
        execution = self._runs.describe(self._run_id)
        self._status = execution["status"]
        over = self._status != "RUNNING"
        present = self._jobs(over)
        jobs = [*self._earlier_attempts(present), *present]
        self._stages |= {str(job["name"]): str(job["stage"]) for job in jobs}
        # What a job wrote last may come after it was closed: it is named once more by the look that sees it closed.
        new = [self._logged(job) for job in jobs if job["name"] not in self._done]
        closed = {str(job["name"]) for job in jobs if job.get("status", _CLOSED) == _CLOSED}
        self._done |= closed
        all_closed = len(closed) == len(jobs)
        return Look(jobs=new, ended=all_closed and (over or (self._stage is not None and bool(jobs))))

    def stage(self, job: str) -> str | None:
        """Return the stage of a job."""
        return self._stages.get(job)

    def origin(self, job: str) -> str | None:
        """Return the stage of a job; that of an attempt before the newest is `training#1`."""
        stage = self._stages.get(job)
        return f"{stage}#{self._earlier[job]}" if stage and job in self._earlier else stage

    def nothing(self) -> str:
        """Say that no job was found, and how the run stands."""
        what = f"training job of the stage {self._stage}" if self._stage else "training job"
        return (
            f"The run {self._run_id} has no {what}{' yet' if self._status == 'RUNNING' else ''}: it is {self._status}."
        )

    def no_lines(self, job: str, since: datetime | None) -> str:
        """Say that a job has no line, and how it stands."""
        if job in self._on_clusters:
            return no_line_on_cluster(_row_state(self._on_clusters[job]), since)
        return no_stream(self._runs.client("sagemaker"), job)

    def _logged(self, job: Mapping[str, Any]) -> LoggedJob:
        """Return how the lines of a job are found: a cluster's log group goes by its id, which SageMaker is asked."""
        name = str(job["name"])
        if job["kind"] != CLUSTER_JOB:
            return name
        self._on_clusters[name] = job
        cluster = str(job["place"]["cluster_name"])
        if cluster not in self._cluster_ids:
            self._cluster_ids[cluster] = id_of_cluster(self._runs.client("sagemaker"), cluster)
        return ClusterJob(name=name, cluster_name=cluster, cluster_id=self._cluster_ids[cluster])

    def _jobs(self, over: bool) -> list[Mapping[str, Any]]:
        known: list[Mapping[str, Any]] = [job.as_dict() for job in self._runs.jobs(self._run_id)]
        if not known and over:
            # The registry forgets a job some weeks after the run, the record does not.
            known = (self._runs.record(self._run_id) or {}).get("jobs", [])
        if self._stage is None:
            return [job for job in known if job["kind"] in LOGGED]
        chosen = [job for job in known if job["stage"] == self._stage]
        if any(job["kind"] not in LOGGED for job in chosen) or (over and known and not chosen):
            raise self._no_logs(known)
        return chosen

    def _earlier_attempts(self, present: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the jobs of attempts before the present ones, all closed, in their order."""
        newest = {str(job["stage"]): int(job.get("attempt") or 1) for job in present}
        if all(number == 1 for number in newest.values()):
            return []
        if newest != self._newest:
            # Asked again only when a stage has had another attempt: following looks every few seconds.
            self._told, self._newest = self._runs.attempts(self._run_id), newest
        earlier = [job for job in self._told if int(job["attempt"]) < newest.get(str(job["stage"]), 0)]
        self._earlier |= {str(job["name"]): int(job["attempt"]) for job in earlier}
        return [{**job, "status": _CLOSED} for job in earlier]

    def _no_logs(self, known: list[Mapping[str, Any]]) -> BadInputError:
        stages = [str(job["stage"]) for job in known if job["kind"] in LOGGED]
        return BadInputError(
            f"the run {self._run_id} has no log of this stage: only training and evaluation jobs write one",
            received=self._stage,
            allowed=", ".join(stages) or None,
            do="name one of these stages with --stage, or leave --stage out",
        )


def describe(sagemaker: Any, job: str) -> str | None:
    """Return `InProgress, Downloading` and the like of a training job, or None if there is none."""
    try:
        found = sagemaker.describe_training_job(TrainingJobName=job)
    except Exception as error:
        # An unknown name answers ValidationException, not the ResourceNotFound of its model.
        if error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise
        return None
    return f"{found['TrainingJobStatus']}, {found['SecondaryStatus']}"


def id_of_cluster(sagemaker: Any, cluster: str) -> str:
    """Return the id of a HyperPod cluster; raise BadInputError if there is none of that name."""
    found = cluster_id(sagemaker, cluster)
    if found is None:
        raise BadInputError(
            "there is no such HyperPod cluster in this account and region, and a cluster's log goes by its id",
            received=cluster,
            do="check the name, AWS_PROFILE and AWS_REGION; the log group of a cluster that was deleted is among "
            f"`aws logs describe-log-groups --log-group-name-prefix /aws/sagemaker/Clusters/{cluster}/`",
        )
    return found


def no_stream(sagemaker: Any, job: str) -> str:
    """Return the sentence for a training job without a log stream; raise BadInputError if there is no such job."""
    state = describe(sagemaker, job)
    if state is None:
        raise BadInputError(
            "there is no such training job in this account and region, and no log of it",
            received=job,
            do="check the name, AWS_PROFILE and AWS_REGION; a run is named without --job-id, a job on HyperPod with "
            "--platform SMHP",
        )
    return _none("log stream", state, "")


def no_line_on_cluster(state: str, since: datetime | None) -> str:
    """Return the sentence for a job of which the cluster's log has no line."""
    return _none("line in the log of its cluster", state, f" since {since.isoformat()}" if since else "")


def _none(what: str, state: str, since: str) -> str:
    ended = state.startswith(("Completed", "Failed", "Stopped"))
    why = "its container never wrote anything, or the lines have expired" if ended else "its container has not begun"
    if since:
        return f"no {what}{since}. The job is {state}."
    return f"no {what}{'' if ended else ' yet'}, {why}. The job is {state}."


def _row_state(job: Mapping[str, Any]) -> str:
    """Return how a job on a cluster stands, in the words of training jobs, from what the run knows of it."""
    if job.get("status", _CLOSED) != _CLOSED:
        return "InProgress"
    error = job.get("error") or (job.get("outcome") or {}).get("error")
    return f"Failed, {error}" if error else "Completed"


def _status(state: str) -> str:
    return state.partition(",")[0]

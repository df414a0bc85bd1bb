"""One job on a HyperPod cluster that no run knows, as a source of log lines."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from lambda_handlers.jobs.logs import ClusterJob, Look
from lambda_handlers.protocol.errors import WorkflowError
from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.logs.asked import DEFAULT_NAMESPACE, Whose
from nova_constructs.cli.logs.sources import OneJob, id_of_cluster, no_line_on_cluster

_GONE: Final = "gone"


class ClusterSource(OneJob):
    """The job of a name on a cluster. The Kubernetes API is asked only where the lines do not tell enough.

    Reading lines takes permissions of CloudWatch Logs alone. Only to follow, and to tell why there is no line, the
    caller needs an access entry of the cluster.
    """

    def __init__(self, whose: Whose, sagemaker: Any, *, follows: bool) -> None:
        super().__init__(str(whose.job_id))
        cluster = str(whose.cluster)
        self._namespace = whose.namespace or DEFAULT_NAMESPACE
        self._job = ClusterJob(name=self._name, cluster_name=cluster, cluster_id=id_of_cluster(sagemaker, cluster))
        self._follows = follows

    def look(self) -> Look:
        """Name the job; one whose object is gone has ended, since objects of ended jobs are removed."""
        ended = not self._follows or not self._state().startswith("InProgress")
        return Look(jobs=[self._job], ended=ended)

    def no_lines(self, job: str, since: datetime | None) -> str:
        """Say that no line names the job, and how it stands; raise BadInputError if the cluster has no such job."""
        state = self._state()
        if state != _GONE:
            return no_line_on_cluster(state, since)
        where = f"{self._job.cluster_name}, namespace {self._namespace}"
        raise BadInputError(
            f"no line{f' since {since.isoformat()}' if since else ''} in the log of the cluster names this job, and "
            "there is no PyTorchJob of that name",
            received=f"{job} on {where}",
            do="check the name, the cluster and the namespace; jobs are removed when they have ended, and their lines "
            "expire with the retention of the log group " + self._job.log_group,
        )

    def _state(self) -> str:
        from nova_constructs.cli.clusters import job_state

        try:
            return job_state(self._job.cluster_name, self._namespace, self._name) or _GONE
        except WorkflowError as error:
            raise CommandError(f"the state of {self._name} cannot be read: {error}") from None

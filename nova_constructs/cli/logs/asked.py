"""What `nova logs` is asked for, checked: a run, or one job that no run knows, on whichever platform it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lambda_handlers.catalog.clusters import CLUSTER_NAME, NAMESPACE
from nova_constructs.cli.errors import BadInputError

SMTJ: Final = "SMTJ"
SMHP: Final = "SMHP"
DEFAULT_NAMESPACE: Final = "kubeflow"
"""Where the documentation of Nova on HyperPod puts jobs."""
_TRAINING_JOB = re.compile(r"(arn:[\w:-]+:training-job/)?[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
# A PyTorchJob's pods go by its name, which is a label for them (Kubernetes, "Object names").
_CLUSTER_JOB = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Hold which lines are asked for."""

    limit: int | None
    from_head: bool
    since: datetime | None
    follow: bool
    metrics: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """Hold whose lines are asked for: those of a run, or of a job by its name, with the place where it runs."""

    run_id: str | None
    stage: str | None
    job_id: str | None
    platform: str | None
    cluster: str | None
    namespace: str | None

    def check(self) -> None:
        """Raise BadInputError for what does not go together, and for names that can be nobody's."""
        if (self.run_id is None) == (self.job_id is None):
            raise BadInputError(
                "name either a run or a job",
                received="neither" if self.run_id is None else f"{self.run_id} and --job-id {self.job_id}",
                do="try `nova logs RUN` or `nova logs --job-id NAME`",
            )
        if self.job_id is None:
            self._check_run()
        elif self.stage is not None:
            raise BadInputError(
                "a job has no stages", received=f"--stage {self.stage}", do="leave --stage out with --job-id"
            )
        elif self.platform == SMHP:
            self._check_cluster_job(self.job_id)
        else:
            self._check_training_job(self.job_id)

    def _place(self) -> str:
        given = (("--platform", self.platform), ("--cluster", self.cluster), ("--namespace", self.namespace))
        return " ".join(f"{option} {value}" for option, value in given if value is not None)

    def _check_run(self) -> None:
        if place := self._place():
            raise BadInputError(
                "where the jobs of a run ran is known",
                received=place,
                do="leave these out, or name a job that no run knows with --job-id",
            )

    def _check_training_job(self, name: str) -> None:
        if self.cluster is not None or self.namespace is not None:
            raise BadInputError(
                "a training job runs on no cluster",
                received=self._place(),
                do="add --platform SMHP, or leave these out",
            )
        if not _TRAINING_JOB.fullmatch(name):
            raise BadInputError(
                "this is no name of a training job",
                received=name,
                allowed="1 to 63 letters, digits and hyphens, or the job's ARN",
                do="see the names with `nova run show RUN` or `aws sagemaker list-training-jobs`; "
                "a job on HyperPod is named with --platform SMHP",
            )

    def _check_cluster_job(self, name: str) -> None:
        if self.cluster is None:
            raise BadInputError(
                "on which HyperPod cluster the job runs is missing",
                received=f"--job-id {name} --platform SMHP",
                do="add --cluster NAME; see `aws sagemaker list-clusters`",
            )
        namespace = self.namespace or DEFAULT_NAMESPACE
        for what, value, form, allowed in (
            ("job on HyperPod", name, _CLUSTER_JOB, "1 to 63 of a-z, 0-9 and inner hyphens"),
            ("HyperPod cluster", self.cluster, CLUSTER_NAME, "2 to 101 letters, digits, _ and -, no ARN"),
            ("Kubernetes namespace", namespace, NAMESPACE, "1 to 63 of a-z, 0-9 and inner hyphens"),
        ):
            if not form.fullmatch(value):
                raise BadInputError(
                    f"this is no name of a {what}",
                    received=value,
                    allowed=allowed,
                    do="see the names with `nova run show RUN` or `kubectl get pytorchjobs --all-namespaces`",
                )


def check_wanted(wanted: Wanted) -> None:
    """Raise BadInputError for options that contradict each other."""
    if wanted.from_head and wanted.limit is None:
        raise BadInputError("--from-head needs a --limit: without one, all lines come", do="add --limit 100")
    if wanted.follow and wanted.limit is not None and (wanted.from_head or wanted.metrics):
        other = "--from-head" if wanted.from_head else "--metrics"
        raise BadInputError(
            f"--follow with --limit and {other} is contradictory: following never leaves out what comes",
            do="leave out --follow or --limit",
        )

"""Log lines of jobs while they run: what is there, then what comes, until the jobs have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambda_handlers.jobs.logs.lines import LogLine, Notify, ignore
from lambda_handlers.jobs.logs.reading import JobLogs, LoggedJob, default_client

POLL_SECONDS: Final = 5.0
TERMINAL: Final = frozenset({"Completed", "Failed", "Stopped"})
"""Values of TrainingJobStatus after which nothing more is written (DescribeTrainingJob)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Say which jobs may have written since the last look, and whether nothing more will come after this one."""

    jobs: Sequence[LoggedJob]
    ended: bool


def follow_job(
    job: str,
    *,
    limit: int | None = None,
    since: datetime | None = None,
    notify: Notify = ignore,
    poll_seconds: float = POLL_SECONDS,
    wait: Callable[[float], object] = time.sleep,
    logs: Any = None,
    sagemaker: Any = None,
) -> Iterator[LogLine]:
    """Yield the log lines of a training job until it is Completed, Failed or Stopped.

    Begins with all lines there are, or the last `limit`. `wait` is called with `poll_seconds` between looks.
    """
    jobs = sagemaker or default_client("sagemaker")

    def look() -> Look:
        status = jobs.describe_training_job(TrainingJobName=job)["TrainingJobStatus"]
        return Look(jobs=[job], ended=status in TERMINAL)

    return follow_logs(look, limit=limit, since=since, notify=notify, poll_seconds=poll_seconds, wait=wait, logs=logs)


def follow_logs(
    look: Callable[[], Look],
    *,
    limit: int | None = None,
    since: datetime | None = None,
    notify: Notify = ignore,
    poll_seconds: float = POLL_SECONDS,
    wait: Callable[[float], object] = time.sleep,
    logs: Any = None,
) -> Iterator[LogLine]:
    """Yield the log lines of whatever jobs `look` names, until it says that they have ended.

    Lines are in the order of time within one look; a node whose lines arrive late comes late. The state is looked at
    before the lines, and once more after the end, because lines arrive some seconds after a job is over.
    """
    reader = JobLogs(logs or default_client("logs"), since=since, notify=notify)
    seen = look()
    yield from reader.read(seen.jobs, limit=limit)
    while not seen.ended:
        wait(poll_seconds)
        last, seen = seen, look()
        yield from reader.read([*dict.fromkeys([*last.jobs, *seen.jobs])])
        if seen.ended:
            wait(poll_seconds)
            yield from reader.read(seen.jobs)

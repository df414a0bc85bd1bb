"""The log lines of jobs, across streams and pages in the order of time, and the metrics that are in them.

    from lambda_handlers.jobs.logs import follow_logs, read_logs, training_metrics

    for line in read_logs("my-job", limit=100):
        print(line.time, line.node, line.message)
    for step in training_metrics(read_logs("my-job")):
        print(step.step, step.loss, step.learning_rate)

lines.py     one line, and what is told beside the lines
streams.py   the log streams of a training job, each read page by page
cluster_jobs.py  the lines of a HyperPod cluster's log that name a job
reading.py   all lines of some jobs as one sequence
following.py the same while the jobs run
metrics.py   loss, learning rate and reward of each step

SageMaker training jobs and jobs on HyperPod clusters are read. Permissions of the caller: for training jobs
logs:DescribeLogStreams and logs:GetLogEvents on the log group, and sagemaker:DescribeTrainingJob to follow; for a
cluster's logs:FilterLogEvents on its log group, and sagemaker:DescribeCluster to find it.
"""

from __future__ import annotations

from lambda_handlers.jobs.logs.cluster_jobs import ClusterJob, cluster_id
from lambda_handlers.jobs.logs.following import Look, follow_job, follow_logs
from lambda_handlers.jobs.logs.lines import LogLine, Notice, NoticeKind
from lambda_handlers.jobs.logs.metrics import TrainingStep, parse_message, training_metrics
from lambda_handlers.jobs.logs.reading import LoggedJob, read_logs
from lambda_handlers.jobs.logs.streams import LOG_GROUP

__all__ = [
    "LOG_GROUP",
    "ClusterJob",
    "LogLine",
    "LoggedJob",
    "Look",
    "Notice",
    "NoticeKind",
    "TrainingStep",
    "cluster_id",
    "follow_job",
    "follow_logs",
    "parse_message",
    "read_logs",
    "training_metrics",
]

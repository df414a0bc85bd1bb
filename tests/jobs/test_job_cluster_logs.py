"""Lines of a job on a HyperPod cluster: found by its name in the cluster's log, each given once, whenever it comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers.jobs.logs import (
    ClusterJob,
    LogLine,
    Look,
    Notice,
    NoticeKind,
    cluster_id,
    follow_logs,
    read_logs,
    training_metrics,
)
from tests.jobs.cluster_log_support import GROUP, NODE, FakeClusterLogs
from tests.jobs.log_support import refused

JOB = ClusterJob(name="job-1", cluster_name="hp", cluster_id="a1b2c3d4e5f6")
MINUTE = 60_000


def said(*moments: int, node: int = 1, job: str = "job-1") -> list[tuple[int, int, str]]:
    return [(moment, node, f"[{job}-master-0] {moment}") for moment in moments]


def tails(lines: Iterator[LogLine]) -> list[str]:
    return [line.message.rpartition(" ")[2] for line in lines]


def test_lines_of_all_nodes_and_pages_come_in_the_order_of_time() -> None:
    logs = FakeClusterLogs(*said(1, 4, 5), *said(2, 3, 6, node=2))
    lines = list(read_logs(JOB, logs=logs))
    assert [line.milliseconds for line in lines] == [1, 2, 3, 4, 5, 6]
    assert (lines[1].job, lines[1].node, lines[1].stream) == ("job-1", "i-2", NODE.format(2))
    [asked] = logs.asked
    assert asked == {
        "logGroupName": GROUP,
        "logStreamNamePrefix": "SagemakerHyperPodTrainingJob",
        "filterPattern": "%job-1%",
    }


def test_a_name_that_begins_or_ends_with_the_jobs_is_anothers() -> None:
    others = said(1, job="job-10") + said(2, job="myjob-1")
    logs = FakeClusterLogs(*others, *said(3), (4, 1, "training-config-job-1 mounted"), (5, 1, "job-1: done"))
    assert [line.milliseconds for line in read_logs(JOB, logs=logs)] == [3, 4, 5]


def test_limits_give_the_last_lines_or_the_first() -> None:
    logs = FakeClusterLogs(*said(*range(1, 10)))
    assert tails(read_logs(JOB, limit=3, logs=logs)) == ["7", "8", "9"]
    assert tails(read_logs(JOB, limit=3, from_head=True, logs=logs)) == ["1", "2", "3"]
    since = datetime(1970, 1, 1, tzinfo=UTC).replace(microsecond=8000)
    assert tails(read_logs(JOB, since=since, logs=logs)) == ["8", "9"]
    assert logs.asked[-1]["startTime"] == 8


def test_a_job_without_a_line_is_told_once_whether_or_not_the_group_is_there() -> None:
    for logs in (FakeClusterLogs(missing=True), FakeClusterLogs(*said(1, job="other"))):
        told: list[Notice] = []
        looks = iter([Look(jobs=[JOB], ended=False), Look(jobs=[JOB], ended=True)])
        assert list(follow_logs(lambda: next(looks), notify=told.append, wait=lambda _: None, logs=logs)) == []  # noqa: B023
        assert told == [Notice(kind=NoticeKind.NO_STREAM, job="job-1")]


def test_other_refusals_are_raised() -> None:
    class Refusing(FakeClusterLogs):
        def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
            raise refused("AccessDeniedException", "FilterLogEvents")

    with pytest.raises(Exception, match="AccessDeniedException"):
        list(read_logs(JOB, logs=Refusing()))


def test_following_gives_each_line_once_and_those_of_a_late_node_too() -> None:
    begin = 100 * MINUTE
    logs = FakeClusterLogs(*said(begin, begin + MINUTE))

    def late() -> None:
        # Of the same instant as the last one, and of before it: an agent that sends in batches.
        logs.lines += [*said(begin + MINUTE, node=2), *said(begin + 1, node=3)]

    def later() -> None:
        logs.lines += said(begin + 20 * MINUTE)

    chapters = [late, later, lambda: None]
    looks = iter([*[Look(jobs=[JOB], ended=False)] * 3, Look(jobs=[JOB], ended=True)])
    lines = follow_logs(lambda: next(looks), wait=lambda _: chapters.pop(0)() if chapters else None, logs=logs)
    assert [(line.milliseconds - begin, line.node) for line in lines] == [
        (0, "i-1"),
        (MINUTE, "i-1"),
        (1, "i-3"),
        (MINUTE, "i-2"),
        (20 * MINUTE, "i-1"),
    ]
    assert [request.get("startTime") for request in logs.asked] == [
        None,
        begin - 4 * MINUTE,
        begin - 4 * MINUTE,
        begin + 15 * MINUTE,
        begin + 15 * MINUTE,
    ]


def test_following_after_a_limit_goes_on_behind_the_newest_line() -> None:
    logs = FakeClusterLogs(*said(1, 2, 3))
    looks = iter([Look(jobs=[JOB], ended=False), Look(jobs=[JOB], ended=True)])
    lines = follow_logs(
        lambda: next(looks),
        limit=1,
        wait=lambda _: logs.lines.extend(said(4)) if len(logs.lines) < 4 else None,
        logs=logs,
    )
    assert tails(lines) == ["3", "4"]


def test_what_is_remembered_of_a_long_log_stays_small() -> None:
    from lambda_handlers.jobs.logs.cluster_jobs import ClusterReader

    reader = ClusterReader(FakeClusterLogs(*said(*(MINUTE * n for n in range(1, 500)))), JOB)
    assert len(list(reader.forward())) == 499
    assert len(reader._ids) == len(reader._given) == 6


def test_a_training_jobs_lines_and_a_clusters_are_merged() -> None:
    from tests.jobs.log_support import FakeLogs

    class Both(FakeLogs):
        def get_paginator(self, operation: str) -> Any:
            return FakeClusterLogs(*said(2)) if operation == "filter_log_events" else self

    logs = Both({"train/algo-1-17": [(1, "one"), (3, "three")]})
    assert [line.job for line in read_logs(["train", JOB], logs=logs)] == ["train", "job-1", "train"]


def test_metrics_are_read_out_of_the_lines_of_a_cluster() -> None:
    """The form of reinforcement fine-tuning on HyperPod, after the name of the pod that wrote it."""
    form = "Training epoch 0 | lr: 1e-06 | global_step: {0} | reduced_train_loss: {1} | train_rm_score: {2}"
    written = [(n, 1, f"[job-1-master-0] {form.format(n, 0.5 / n, 0.1 * n)}") for n in (1, 2)]
    steps = list(training_metrics(read_logs(JOB, logs=FakeClusterLogs(*written))))
    assert [(step.step, step.loss, step.reward, step.learning_rate) for step in steps] == [
        (1, 0.5, 0.1, 1e-06),
        (2, 0.25, 0.2, 1e-06),
    ]


def test_the_id_of_a_cluster_is_the_end_of_its_arn_and_none_where_there_is_none() -> None:
    class Sagemaker:
        def describe_cluster(self, *, ClusterName: str) -> dict[str, str]:  # noqa: N803 - boto3's name
            if ClusterName == "hp":
                return {"ClusterArn": "arn:aws:sagemaker:us-east-1:123456789012:cluster/a1b2c3d4e5f6"}
            raise refused("ResourceNotFound" if ClusterName == "gone" else "AccessDeniedException", "DescribeCluster")

    assert cluster_id(Sagemaker(), "hp") == "a1b2c3d4e5f6"
    assert cluster_id(Sagemaker(), "gone") is None
    with pytest.raises(Exception, match="AccessDenied"):
        cluster_id(Sagemaker(), "other")

"""Log lines across streams and pages, on recorded pages: order, limits, direction, what is lost, and following."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.jobs.logs import LogLine, Look, Notice, NoticeKind, follow_job, follow_logs, read_logs
from tests.jobs.log_support import FakeLogs, refused

ONE, TWO, TEN = (f"job/algo-{node}-1763805600" for node in (1, 2, 10))


def events(*moments: int, mark: str = "") -> list[tuple[int, str]]:
    return [(moment, f"{mark}{moment}") for moment in moments]


def messages(lines: Iterator[LogLine]) -> list[str]:
    return [line.message for line in lines]


def two_nodes(**how: Any) -> FakeLogs:
    return FakeLogs({ONE: events(1, 4, 5, 8, 9, mark="a"), TWO: events(2, 3, 6, 7, 10, mark="b")}, **how)


@pytest.mark.parametrize("empty_pages", [False, True])
def test_lines_of_all_streams_and_pages_come_in_the_order_of_time(empty_pages: bool) -> None:
    logs = two_nodes(empty_pages=empty_pages)
    assert messages(read_logs("job", logs=logs)) == ["a1", "b2", "b3", "a4", "a5", "b6", "b7", "a8", "a9", "b10"]


@pytest.mark.parametrize("empty_pages", [False, True])
@pytest.mark.parametrize(("limit", "expected"), [(1, "b10"), (3, "a8 a9 b10"), (5, "b6 b7 a8 a9 b10"), (99, None)])
def test_a_limit_gives_the_last_lines_in_the_order_of_time(empty_pages: bool, limit: int, expected: str | None) -> None:
    """The SDK appended the pages it read backward newest page first."""
    wanted = (expected or "a1 b2 b3 a4 a5 b6 b7 a8 a9 b10").split()
    assert messages(read_logs("job", limit=limit, logs=two_nodes(empty_pages=empty_pages))) == wanted


def test_from_head_gives_the_first_lines() -> None:
    assert messages(read_logs("job", limit=3, from_head=True, logs=two_nodes())) == ["a1", "b2", "b3"]


def test_a_small_limit_reads_no_more_than_it_needs() -> None:
    logs = FakeLogs({ONE: events(*range(1, 1000))}, page_size=10_000)
    assert messages(read_logs("job", limit=3, logs=logs)) == ["997", "998", "999"]
    assert logs.given <= 6
    first = FakeLogs({ONE: events(*range(1, 1000))}, page_size=10)
    assert messages(read_logs("job", limit=3, from_head=True, logs=first)) == ["1", "2", "3"]
    assert first.given == 10


def test_lines_of_one_instant_come_by_node_and_as_they_were_written() -> None:
    logs = FakeLogs({TEN: [(5, "ten")], TWO: [(5, "two")], ONE: [(5, "first"), (5, "second")]}, page_size=1)
    assert messages(read_logs("job", logs=logs)) == ["first", "second", "two", "ten"]
    assert messages(read_logs("job", limit=3, logs=logs)) == ["second", "two", "ten"]


def test_only_streams_of_the_job_are_read_and_not_those_of_one_whose_name_begins_alike() -> None:
    """The SDK asked for the first stream whose name begins with the job's."""
    logs = FakeLogs({ONE: events(1), "job-2/algo-1-1": events(2), "jobs/algo-1-1": events(3)})
    assert messages(read_logs("job", logs=logs)) == ["1"]


def test_several_jobs_are_merged_and_each_line_names_its_own() -> None:
    logs = FakeLogs({"train/algo-1-1": events(1, 3), "exam/algo-1-2": events(2, 4)})
    read = [(line.job, line.node, line.milliseconds) for line in read_logs(["train", "exam"], logs=logs)]
    assert read == [("train", "algo-1", 1), ("exam", "algo-1", 2), ("train", "algo-1", 3), ("exam", "algo-1", 4)]


def test_since_goes_to_the_service_in_milliseconds() -> None:
    logs = FakeLogs({ONE: events(999, 1000, 1001)})
    since = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert messages(read_logs("job", since=since, logs=logs)) == ["1000", "1001"]
    assert messages(read_logs("job", since=since, limit=5, logs=logs)) == ["1000", "1001"]
    assert {request["startTime"] for request in logs.asked} == {1000}


def test_what_cannot_be_meant_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        read_logs("job", limit=0, logs=two_nodes())
    with pytest.raises(ValueError, match="has no time zone"):
        read_logs("job", since=datetime(2026, 11, 22, 10), logs=two_nodes())


def test_a_line_has_its_instant_and_node() -> None:
    (line,) = read_logs("job", logs=FakeLogs({ONE: [(1_763_805_600_123, "x")]}))
    assert line.time == datetime(2025, 11, 22, 10, 0, 0, 123_000, tzinfo=UTC)
    assert (line.job, line.stream, line.node) == ("job", ONE, "algo-1")


def test_a_job_without_a_stream_is_told_once_and_gives_nothing() -> None:
    told: list[Notice] = []
    for logs in (FakeLogs(), FakeLogs({"other/algo-1-1": events(1)})):
        assert messages(read_logs("job", notify=told.append, logs=logs)) == []
    assert told == [Notice(kind=NoticeKind.NO_STREAM, job="job")] * 2


def test_a_stream_that_is_lost_while_it_is_read_is_told_and_the_others_go_on() -> None:
    told: list[Notice] = []
    logs = two_nodes(page_size=1)
    lines = read_logs("job", notify=told.append, logs=logs)
    assert [next(lines).message for _ in range(3)] == ["a1", "b2", "b3"]
    logs.lost.add(TWO)
    # One page of the lost stream had been read ahead.
    assert messages(lines) == ["a4", "a5", "a8", "a9"]
    assert told == [Notice(kind=NoticeKind.LOST_STREAM, job="job", stream=TWO)]


def test_other_refusals_are_raised() -> None:
    logs = two_nodes()

    def deny() -> None:
        raise refused("AccessDeniedException")

    logs.before = deny
    with pytest.raises(ClientError, match="AccessDeniedException"):
        messages(read_logs("job", logs=logs))


def test_memory_stays_that_of_one_page_per_stream() -> None:
    class Endless(FakeLogs):
        def get_log_events(self, **request: Any) -> dict[str, Any]:
            at = int(request.get("nextToken", "0"))
            end = min(at + 500, 50_000)
            page = [{"timestamp": n, "message": f"{n} " * 20} for n in range(at, end)]
            return {"events": page, "nextForwardToken": str(end)}

    tracemalloc.start()
    assert sum(1 for _ in read_logs("job", logs=Endless({ONE: [], TWO: []}))) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


streams = st.lists(st.lists(st.integers(0, 30), max_size=12).map(sorted), min_size=1, max_size=4)


@given(streams, st.integers(1, 5), st.integers(1, 20))
def test_any_streams_in_any_pages_are_the_sorted_whole(found: list[list[int]], page: int, limit: int) -> None:
    named = {
        f"job/algo-{number}-1": [(at, f"{number}:{index}") for index, at in enumerate(stream)]
        for number, stream in enumerate(found, 1)
    }
    whole = [
        message
        for _, _, _, message in sorted(
            (at, number, index, message)
            for number, stream in enumerate(named.values())
            for index, (at, message) in enumerate(stream)
        )
    ]
    assert messages(read_logs("job", logs=FakeLogs(named, page_size=page))) == whole
    assert messages(read_logs("job", limit=limit, logs=FakeLogs(named, page_size=page))) == whole[-limit:]
    head = read_logs("job", limit=limit, from_head=True, logs=FakeLogs(named, page_size=page))
    assert messages(head) == whole[:limit]


class Story:
    """What happens between the looks at a job: each wait lets the next thing happen."""

    def __init__(self, logs: FakeLogs, *chapters: tuple[str, dict[str, list[tuple[int, str]]]]) -> None:
        self.logs, self.chapters = logs, list(chapters)
        self.status = "InProgress"
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.chapters:
            self.status, new = self.chapters.pop(0)
            for name, more in new.items():
                self.logs.streams.setdefault(name, []).extend(more)

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, str]:  # noqa: N803 - boto3's names
        assert TrainingJobName == "job"
        return {"TrainingJobStatus": self.status}

    def follow(self, **how: Any) -> list[str]:
        return messages(follow_job("job", wait=self.wait, logs=self.logs, sagemaker=self, **how))


def test_following_gives_each_line_once_and_ends_after_the_job() -> None:
    story = Story(
        FakeLogs({ONE: events(1, 2)}),
        ("InProgress", {ONE: events(4), TWO: events(3, mark="new node ")}),
        ("InProgress", {}),
        ("Stopping", {ONE: events(5)}),
        ("Stopped", {ONE: events(6)}),
        ("Stopped", {TWO: events(7, mark="late ")}),
    )
    assert story.follow(poll_seconds=2.5) == ["1", "2", "new node 3", "4", "5", "6", "late 7"]
    assert story.waits == [2.5] * 5


def test_following_from_the_last_lines_leaves_out_what_was_before() -> None:
    story = Story(FakeLogs({ONE: events(1, 2, 3), TWO: events(2)}), ("Completed", {ONE: events(9)}))
    assert story.follow(limit=2) == ["2", "3", "9"]
    told = Story(FakeLogs({ONE: events(1, 2, 3)}), ("Completed", {ONE: events(9)}))
    assert told.follow(limit=1) == ["3", "9"]


def test_following_a_job_that_has_ended_waits_for_nothing() -> None:
    story = Story(FakeLogs({ONE: events(1, 2)}))
    story.status = "Failed"
    assert (story.follow(), story.waits) == (["1", "2"], [])


def test_following_begins_before_there_is_a_stream() -> None:
    told: list[Notice] = []
    story = Story(FakeLogs(), ("InProgress", {}), ("InProgress", {ONE: events(1)}), ("Completed", {}))
    assert story.follow(notify=told.append) == ["1"]
    assert [notice.kind for notice in told] == ["no_stream"]


def test_a_stream_that_is_lost_while_it_is_followed_is_told_once_and_not_asked_for_again() -> None:
    told: list[Notice] = []
    logs = FakeLogs({ONE: events(1), TWO: events(2)})
    story = Story(logs, ("InProgress", {}), ("InProgress", {ONE: events(3)}), ("Completed", {}))
    wait = story.wait

    def losing(seconds: float) -> None:
        wait(seconds)
        logs.lost.add(TWO)

    read = messages(follow_job("job", wait=losing, notify=told.append, logs=logs, sagemaker=story))
    assert read == ["1", "2", "3"]
    assert told == [Notice(kind=NoticeKind.LOST_STREAM, job="job", stream=TWO)]


def test_a_token_that_has_expired_loses_and_repeats_nothing() -> None:
    """Tokens live for 24 hours; a node that says nothing for longer is no end of its stream."""
    logs = FakeLogs({ONE: [(1, "a"), (2, "b"), (2, "c")]}, page_size=10)
    story = Story(
        logs, ("InProgress", {}), ("InProgress", {ONE: [(2, "d"), (3, "e")]}), ("Completed", {ONE: [(3, "f")]})
    )
    story_wait = story.wait

    def expiring(seconds: float) -> None:
        story_wait(seconds)
        logs.expired = {"f/3/1"} if len(story.waits) == 2 else set()

    read = messages(follow_job("job", wait=expiring, logs=logs, sagemaker=story))
    assert read == ["a", "b", "c", "d", "e", "f"]


def test_jobs_may_come_and_go_between_looks() -> None:
    logs = FakeLogs({"train/algo-1-1": events(1)})
    looks = iter(
        [
            Look(jobs=["train"], ended=False),
            Look(jobs=["exam"], ended=False),
            Look(jobs=["exam"], ended=True),
        ]
    )
    new = iter([{"train/algo-1-1": events(2), "exam/algo-1-1": events(3)}, {"exam/algo-1-1": events(4)}, {}])

    def wait(_seconds: float) -> None:
        for name, more in next(new).items():
            logs.streams.setdefault(name, []).extend(more)

    read = [(line.job, line.message) for line in follow_logs(lambda: next(looks), wait=wait, logs=logs)]
    assert read == [("train", "1"), ("train", "2"), ("exam", "3"), ("exam", "4")]


def test_one_client_of_two_jobs_reads_each_its_own() -> None:
    """The SDK's customizer went on reading the logs of its first job."""
    logs = FakeLogs({"first/algo-1-1": events(1), "second/algo-1-1": events(2)})
    assert messages(read_logs("first", logs=logs)) == ["1"]
    assert messages(read_logs("second", logs=logs)) == ["2"]


def test_the_library_needs_neither_the_cdk_nor_the_command_line() -> None:
    code = (
        "import sys, lambda_handlers.jobs.logs;"
        "print([n for n in ('aws_cdk', 'nova_constructs', 'click', 'boto3', 'botocore') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"

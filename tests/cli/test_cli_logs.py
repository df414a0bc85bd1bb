"""`nova logs` on recorded answers: what is printed where, what is refused, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.logs import command
from nova_constructs.cli.logs.since import parse_since
from nova_constructs.cli.run import target
from tests.cli.cli_support import FakeAws, Nova, execution
from tests.jobs.log_support import FakeLogs, refused

TEN = int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp() * 1000)
STEP = "Training epoch 0, iteration {0}/9 | lr: 1e-05 | global_step: {0} | reduced_train_loss: {1}"


class Account(FakeAws):
    """An account with log streams, and training jobs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = FakeLogs()
        self.jobs: dict[str, str] = {}
        self.chapters: list[Any] = []

    def client(self, service: str) -> Any:
        return self.logs if service == "logs" else self

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if TrainingJobName not in self.jobs:
            raise refused("ValidationException", "DescribeTrainingJob")
        status = self.jobs[TrainingJobName]
        return {"TrainingJobName": TrainingJobName, "TrainingJobStatus": status, "SecondaryStatus": status}

    def run(self, status: str, **stages: str) -> None:
        """Record a run r1 with jobs: stage and the status of its row."""
        self.executions["r1"] = execution("r1", status)
        self.rows = [row(stage.replace("_", "-", 1), status) for stage, status in stages.items()]

    def next_look(self, seconds: float) -> None:
        if self.chapters:
            self.chapters.pop(0)()


def row(stage: str, status: str, kind: str = "TrainingJob") -> dict[str, Any]:
    name = f"job-{stage}".replace("_", "-")
    values = {"stage": stage, "kind": kind, "job_name": name, "status": status, "submitted_at": "1"}
    return {key: {"S": value} for key, value in values.items()}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    monkeypatch.setattr(target, "client", account.client)
    monkeypatch.setattr(command, "client", account.client)
    monkeypatch.setattr(command, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(
        "nova_constructs.cli.interrupts.Interrupts.wait",
        lambda interrupts, seconds: (account.next_look(seconds), interrupts.check())[0],
    )
    monkeypatch.delenv("NOVA_STACK", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    return account


@pytest.fixture
def trained(account: Account) -> Account:
    """Return an account with the run r1: a training on two instances, an evaluation, and an import without a log."""
    account.run("SUCCEEDED", training="CLOSED", evaluation_mmlu="CLOSED")
    account.rows.append(row("import", "CLOSED", "CustomModel"))
    account.logs = FakeLogs(
        {
            "job-training/algo-1-17": [(TEN + 1000 * n, f"first {n}") for n in (1, 4, 5)],
            "job-training/algo-2-17": [(TEN + 1000 * n, f"second {n}") for n in (2, 3, 6)],
            "job-evaluation-mmlu/algo-1-18": [(TEN + 9000, "exam 9")],
            "job-training-other/algo-1-17": [(TEN, "of another job")],
        }
    )
    return account


def told(text: str) -> list[str]:
    """Return the printed lines without their times."""
    return [line[21:] for line in text.splitlines()]


def test_all_jobs_of_a_run_are_read_in_the_order_of_time(nova: Nova, trained: Account) -> None:
    ran = nova("logs", "r1")

    assert (ran.code, ran.err) == (0, "")
    assert told(ran.out) == [
        "training/algo-1  first 1",
        "training/algo-2  second 2",
        "training/algo-2  second 3",
        "training/algo-1  first 4",
        "training/algo-1  first 5",
        "training/algo-2  second 6",
        "evaluation-mmlu/algo-1  exam 9",
    ]
    assert ran.out.startswith(datetime.fromtimestamp(TEN / 1000 + 1).strftime("%Y-%m-%d %H:%M:%S  "))


def test_one_stage_the_last_lines_or_the_first(nova: Nova, trained: Account) -> None:
    last = nova("logs", "r1", "--stage", "training", "--limit", "2")
    assert told(last.out) == ["training/algo-1  first 5", "training/algo-2  second 6"]
    first = nova("logs", "r1", "--stage", "training", "--limit", "2", "--from-head")
    assert told(first.out) == ["training/algo-1  first 1", "training/algo-2  second 2"]


def test_since_a_time_and_since_an_age(nova: Nova, trained: Account) -> None:
    ran = nova("logs", "r1", "--since", "2026-11-22T10:00:05Z")
    assert [line.rsplit(" ", 1)[1] for line in told(ran.out)] == ["5", "6", "9"]
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert parse_since("10m", now) == now - timedelta(minutes=10)
    assert parse_since("2d", now) == now - timedelta(days=2)
    assert parse_since("2026-11-22T10:00", now) == datetime(2026, 11, 22, 10).astimezone()
    assert parse_since("2026-11-22T10:00+02:00", now) == datetime(2026, 11, 22, 8, tzinfo=UTC)
    with pytest.raises(BadInputError, match="neither an age nor a time"):
        parse_since("yesterday", now)


def test_json_is_one_object_per_line_with_the_message_as_it_is(nova: Nova, trained: Account) -> None:
    trained.logs.streams = {"job-training/algo-2-17": [(TEN + 1, "a\tb\x1b[31m\x9b31m é\n2")]}
    ran = nova("logs", "r1", "--stage", "training", "--json")
    assert json.loads(ran.out) == {
        "time": "2026-11-22T10:00:00.001+00:00",
        "stage": "training",
        "job": "job-training",
        "node": "algo-2",
        "stream": "job-training/algo-2-17",
        "message": "a\tb\x1b[31m\x9b31m é\n2",
    }
    assert ran.out.strip().isprintable()


def test_a_line_commands_no_terminal_and_stays_one_line_each(nova: Nova, trained: Account) -> None:
    evil = "\x1b[36mblue\x1b[0m\tok\x1b]0;title\x07\x9b2J\u202egnp\r\nnext \x00 é\n"
    trained.logs.streams = {"job-training/algo-1-17": [(TEN, evil)]}
    ran = nova("logs", "r1", "--stage", "training")
    assert told(ran.out) == [
        "training/algo-1  blue    ok\\x1b]0;title\\x07\\x9b2J\\u202egnp",
        "training/algo-1  next \\x00 é",
    ]


def test_a_job_that_no_run_knows_is_read_by_name_or_arn(nova: Nova, account: Account) -> None:
    account.jobs["mine"] = "Completed"
    account.logs = FakeLogs({"mine/algo-1-17": [(TEN, "hello")]})
    for name in ("mine", "arn:aws:sagemaker:us-east-1:123456789012:training-job/mine"):
        ran = nova("logs", "--job-id", name)
        assert (ran.code, told(ran.out), ran.err) == (0, ["algo-1  hello"], "")
    assert account.reads == {}, "no stack is looked for"


def test_a_deleted_job_whose_lines_are_left_is_read(nova: Nova, account: Account) -> None:
    account.logs = FakeLogs({"gone/algo-1-17": [(TEN, "hello")]})
    assert told(nova("logs", "--job-id", "gone").out) == ["algo-1  hello"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "name either a run or a job"),
        (("r1", "--job-id", "mine"), "name either a run or a job"),
        (("--job-id", "no_such/name"), "no name of a training job"),
        (("--job-id", ""), "no name of a training job"),
        (("--job-id", "nobody"), "no such training job"),
        (("--job-id", "mine", "--stage", "training"), "a job has no stages"),
        (("r1", "--from-head"), "--from-head needs a --limit"),
        (("r1", "--follow", "--from-head", "--limit", "3"), "contradictory"),
        (("r1", "--follow", "--metrics", "--limit", "3"), "contradictory"),
        (("r1", "--since", "soon"), "neither an age nor a time"),
        (("r1", "--limit", "0"), "0 is not in the range x>=1"),
        (("r2",), "has no such run"),
        (("r1", "--stage", "import"), "only training and evaluation jobs write one"),
        (("r1", "--stage", "nope"), "allowed:  training"),
    ],
)
def test_bad_input_exits_2_and_prints_nothing(
    nova: Nova, account: Account, arguments: tuple[str, ...], expected: str
) -> None:
    account.run("SUCCEEDED", training="CLOSED")
    account.rows.append(row("import", "CLOSED", "CustomModel"))
    ran = nova("logs", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err


def test_a_run_without_jobs_says_so(nova: Nova, account: Account) -> None:
    account.run("RUNNING")
    ran = nova("logs", "r1")
    assert (ran.code, ran.out, ran.err) == (0, "", "The run r1 has no training job yet: it is RUNNING.\n")
    account.run("FAILED")
    assert nova("logs", "r1").err == "The run r1 has no training job: it is FAILED.\n"


def test_a_run_that_the_registry_has_forgotten_is_read_from_its_record(nova: Nova, trained: Account) -> None:
    trained.rows = []
    trained.records["runs/r1/record.json"] = {
        "jobs": [{"stage": "training", "kind": "TrainingJob", "name": "job-training", "status": "CLOSED"}]
    }
    assert len(told(nova("logs", "r1").out)) == 6


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("InProgress", "no log stream yet, its container has not begun. The job is InProgress, InProgress."),
        ("Failed", "no log stream, its container never wrote anything, or the lines have expired."),
    ],
)
def test_a_job_without_a_stream_is_said_on_stderr(nova: Nova, account: Account, status: str, expected: str) -> None:
    account.run("RUNNING", training="OPEN")
    account.jobs["job-training"] = status
    ran = nova("logs", "r1")
    assert (ran.code, ran.out) == (0, "")
    assert f"training (job-training): {expected}" in ran.err


def test_a_lost_stream_is_said_on_stderr_and_the_others_are_read(nova: Nova, trained: Account) -> None:
    trained.logs.lost.add("job-training/algo-2-17")
    ran = nova("logs", "r1", "--stage", "training")
    assert [line.rsplit(" ", 1)[1] for line in told(ran.out)] == ["1", "4", "5"]
    assert ran.err == ("training (job-training): the log stream job-training/algo-2-17 is gone: deleted or expired.\n")


def test_following_a_run_goes_on_from_job_to_job_until_the_run_has_ended(nova: Nova, account: Account) -> None:
    account.run("RUNNING")
    streams = account.logs.streams
    account.jobs = {"job-training": "InProgress", "job-evaluation-mmlu": "InProgress"}

    def training_starts() -> None:
        account.run("RUNNING", training="OPEN")

    def training_writes() -> None:
        streams["job-training/algo-1-17"] = [(TEN, "begun")]

    def evaluation_follows() -> None:
        account.run("RUNNING", training="CLOSED", evaluation_mmlu="OPEN")
        streams["job-training/algo-1-17"].append((TEN + 1, "last"))

    def evaluation_writes() -> None:
        streams["job-training/algo-1-17"].append((TEN + 2, "late"))
        streams["job-evaluation-mmlu/algo-1-18"] = [(TEN + 3, "exam")]

    def run_ends() -> None:
        account.run("SUCCEEDED", training="CLOSED", evaluation_mmlu="CLOSED")

    later = [training_starts, training_writes, evaluation_follows, evaluation_writes, run_ends]
    account.chapters = [lambda: None, *later]
    ran = nova("logs", "r1", "--follow")

    assert ran.code == 0
    assert told(ran.out) == [
        "training/algo-1  begun",
        "training/algo-1  last",
        "training/algo-1  late",
        "evaluation-mmlu/algo-1  exam",
    ]
    assert ran.err.splitlines() == [
        "The run r1 has no training job yet: it is RUNNING.",
        "training (job-training): no log stream yet, its container has not begun. The job is InProgress, InProgress.",
        "evaluation-mmlu (job-evaluation-mmlu): no log stream yet, its container has not begun. "
        "The job is InProgress, InProgress.",
    ]


def test_following_asks_for_no_more_of_a_job_that_has_ended(nova: Nova, trained: Account) -> None:
    trained.run("RUNNING", training="CLOSED", evaluation_mmlu="OPEN")
    trained.chapters = [lambda: None] * 5
    trained.chapters.append(lambda: trained.run("SUCCEEDED", training="CLOSED", evaluation_mmlu="CLOSED"))
    assert len(told(nova("logs", "r1", "--follow").out)) == 7
    asked = [request["logStreamName"] for request in trained.logs.asked]
    # Two pages and their end, and once more for what comes late.
    assert asked.count("job-training/algo-1-17") == 4
    assert asked.count("job-evaluation-mmlu/algo-1-18") > 7


def test_following_one_stage_ends_with_its_job(nova: Nova, trained: Account) -> None:
    trained.run("RUNNING", training="OPEN")
    trained.chapters = [lambda: trained.run("RUNNING", training="CLOSED", evaluation_mmlu="OPEN")]
    ran = nova("logs", "r1", "--stage", "training", "--follow", "--limit", "1")
    assert (ran.code, told(ran.out)) == (0, ["training/algo-2  second 6"])


def test_following_a_job_by_name_ends_when_it_is_terminal(nova: Nova, account: Account) -> None:
    account.jobs["mine"] = "InProgress"
    account.logs = FakeLogs({"mine/algo-1-17": [(TEN, "one")]})

    def stops() -> None:
        account.jobs["mine"] = "Stopped"
        account.logs.streams["mine/algo-1-17"].append((TEN + 1, "two"))

    account.chapters = [lambda: None, stops]
    assert told(nova("logs", "--job-id", "mine", "-f").out) == ["algo-1  one", "algo-1  two"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_following_cleanly(nova: Nova, account: Account, number: int, code: int) -> None:
    account.jobs["mine"] = "InProgress"
    account.logs = FakeLogs({"mine/algo-1-17": [(TEN, "one")]})
    account.chapters = [lambda: signal.raise_signal(number)]
    before = signal.getsignal(number)
    ran = nova("logs", "--job-id", "mine", "--follow")
    assert (ran.code, told(ran.out)) == (code, ["algo-1  one"])
    assert ran.err == "Stopped following; the jobs go on.\n"
    assert signal.getsignal(number) is before


def test_a_signal_ends_reading_too(nova: Nova, trained: Account) -> None:
    trained.logs.before = lambda: signal.raise_signal(signal.SIGINT)
    # A shell starts what runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ran = nova("logs", "r1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ran.code, ran.err) == (130, "\nInterrupted.\n")


@pytest.fixture
def measured(account: Account) -> Account:
    account.run("SUCCEEDED", training="CLOSED")
    lines = [(TEN + 1000 * n, STEP.format(n, loss)) for n, loss in enumerate(("2.5", "1.5", "nan"))]
    account.logs = FakeLogs({"job-training/algo-1-17": [(TEN - 1, "Loaded 10 training samples"), *lines]})
    return account


def test_metrics_in_a_pipe_are_csv(nova: Nova, measured: Account) -> None:
    ran = nova("logs", "r1", "--metrics")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert list(rows[0]) == ["time", "stage", "job", "step", "loss", "learning_rate", "reward", "step_seconds"]
    assert [(row["step"], row["loss"]) for row in rows] == [("0", "2.5"), ("1", "1.5"), ("2", "nan")]
    assert rows[1]["time"] == "2026-11-22T10:00:01.000+00:00"
    assert (rows[1]["learning_rate"], rows[1]["reward"], rows[1]["stage"]) == ("1e-05", "", "training")


def test_metrics_as_json_are_one_valid_object_per_step(nova: Nova, measured: Account) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    ran = nova("logs", "r1", "--metrics", "--json", "--limit", "2")
    steps = [json.loads(line, parse_constant=refuse) for line in ran.out.splitlines()]
    assert [(step["step"], step["loss"], step["reward"]) for step in steps] == [(1, 1.5, None), (2, "nan", None)]
    first = nova("logs", "r1", "--metrics", "--json", "--limit", "1", "--from-head")
    assert json.loads(first.out)["step"] == 0


def test_metrics_on_a_terminal_are_columns(
    nova: Nova, measured: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    lines = nova("logs", "r1", "--metrics").out.splitlines()
    assert lines[0].split() == ["STEP", "LOSS", "LEARNING_RATE", "REWARD", "STEP_SECONDS", "TIME", "JOB"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["0", "2.5", "1e-05", "-", "-"],
        ["1", "1.5", "1e-05", "-", "-"],
        ["2", "nan", "1e-05", "-", "-"],
    ]
    assert {len(line) - len(line.lstrip()) for line in lines[1:]} == {7}


def test_metrics_of_a_job_that_goes_on_come_as_they_are_written(nova: Nova, measured: Account) -> None:
    measured.run("RUNNING", training="OPEN")
    stream = measured.logs.streams["job-training/algo-1-17"]

    def ends() -> None:
        stream.append((TEN + 9000, STEP.format(3, "0.5")))
        measured.run("SUCCEEDED", training="CLOSED")

    measured.chapters = [ends]
    assert [line.split(",")[3] for line in nova("logs", "r1", "--metrics", "-f").out.splitlines()] == [
        "step", "0", "1", "2", "3",
    ]  # fmt: skip


class Retried(Account):
    """An account whose run r1 trains for the third time; the second attempt was refused for lack of quota."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self.run(status, training="OPEN" if status == "RUNNING" else "CLOSED")
        self.rows[0] |= {"attempt": {"N": "3"}, "job_name": {"S": "job-3"}}
        told = [
            {"name": "job-1", "arn": "arn:1", "attempt": 1},
            {"name": "job-1", "arn": "arn:1", "attempt": 1, "error": "CapacityUnavailable"},
            {"name": "job-2", "arn": "", "attempt": 2, "error": "QuotaExceeded"},
            {"name": "job-3", "arn": "arn:3", "attempt": 3},
        ]
        common = {"stage": "training", "kind": "TrainingJob"}
        self.ledger = [
            {"type": {"S": "job_submitted"}, "detail": {"S": json.dumps({**common, **detail})}} for detail in told
        ]
        self.asked: list[str] = []
        self.logs = FakeLogs(
            {
                "job-1/algo-1-17": [(TEN + 1000 * n, f"early {n}") for n in (1, 2)],
                "job-3/algo-1-18": [(TEN + 1000 * n, f"late {n}") for n in (5, 6)],
            }
        )

    def get_paginator(self, operation: str) -> Any:
        account = self

        class Tables:
            def paginate(self, *, TableName: str, **_: Any) -> Any:  # noqa: N803 - boto3's names
                account.asked.append(TableName)
                return [{"Items": account.ledger if TableName == "ledger" else account.rows}]

        return Tables() if operation == "query" else super().get_paginator(operation)


def test_earlier_attempts_at_a_stage_come_before_the_present_one(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    retried = Retried("SUCCEEDED")
    monkeypatch.setattr(target, "client", retried.client)
    ran = nova("logs", "r1", "--stage", "training")
    assert (ran.code, ran.err) == (0, "")
    assert told(ran.out) == [
        "training#1/algo-1  early 1",
        "training#1/algo-1  early 2",
        "training/algo-1  late 5",
        "training/algo-1  late 6",
    ]
    as_json = [json.loads(line) for line in nova("logs", "r1", "--json").out.splitlines()]
    assert [(each["stage"], each["job"]) for each in as_json] == [("training", "job-1")] * 2 + [
        ("training", "job-3")
    ] * 2


def test_an_attempt_that_never_wrote_is_told_of_by_its_number(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    retried = Retried("SUCCEEDED")
    retried.logs.streams.pop("job-1/algo-1-17")
    retried.jobs["job-1"] = "Stopped"
    monkeypatch.setattr(target, "client", retried.client)
    ran = nova("logs", "r1")
    assert told(ran.out) == ["training/algo-1  late 5", "training/algo-1  late 6"]
    assert ran.err.startswith("training#1 (job-1): no log stream, its container never wrote anything")


def test_the_ledger_is_read_only_where_a_stage_has_earlier_attempts(
    nova: Nova, account: Account, trained: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    nova("logs", "r1")
    assert [each["TableName"] for each in trained.reads["query"]] == ["registry"]
    retried = Retried("RUNNING")
    monkeypatch.setattr(target, "client", retried.client)

    def ends() -> None:
        retried.rows[0]["status"] = {"S": "CLOSED"}
        retried.executions["r1"] = execution("r1", "SUCCEEDED")

    retried.chapters = [lambda: None, ends]
    monkeypatch.setattr(
        "nova_constructs.cli.interrupts.Interrupts.wait",
        lambda interrupts, seconds: (retried.next_look(seconds), interrupts.check())[0],
    )
    ran = nova("logs", "r1", "--follow")
    assert [line.split()[-1] for line in told(ran.out)] == ["1", "2", "5", "6"]
    assert retried.asked.count("ledger") == 1
    assert retried.asked.count("registry") == 3

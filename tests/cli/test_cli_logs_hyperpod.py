"""`nova logs` of jobs on HyperPod: those of a run, and one that no run knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.protocol.errors import InvalidRequest
from nova_constructs.cli import clusters
from nova_constructs.cli.logs import command
from nova_constructs.cli.run import target
from tests.cli.cli_support import FakeAws, Nova, execution
from tests.cli.test_cli_logs import TEN, row, told
from tests.jobs.cluster_log_support import FakeClusterLogs
from tests.jobs.log_support import refused

PLACE = {"cluster_name": "hp", "namespace": "kubeflow"}
STEP = "[job-training-master-0] Training | global_step: {0} | reduced_train_loss: {1} | train_rm_score: 0.5"


class Account(FakeAws):
    """An account with the HyperPod cluster hp, and the states of its jobs as its Kubernetes API tells them."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = FakeClusterLogs()
        self.states: dict[str, str] = {}
        self.chapters: list[Any] = []
        self.asked: list[tuple[str, str, str]] = []

    def client(self, service: str) -> Any:
        return self.logs if service == "logs" else self

    def describe_cluster(self, *, ClusterName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if ClusterName != "hp":
            raise refused("ResourceNotFound", "DescribeCluster")
        return {"ClusterArn": "arn:aws:sagemaker:us-east-1:123456789012:cluster/a1b2c3d4e5f6"}

    def job_state(self, cluster: str, namespace: str, job: str) -> str | None:
        self.asked.append((cluster, namespace, job))
        if job == "closed":
            raise InvalidRequest("the cluster hp does not know the caller (401)")
        return self.states.get(job)

    def run(self, status: str, **stages: str) -> None:
        """Record a run r1 with jobs on the cluster: stage and the status of its row."""
        self.executions["r1"] = execution("r1", status)
        where = {"place": {"S": json.dumps(PLACE)}}
        self.rows = [row(stage, status, "PyTorchJob") | where for stage, status in stages.items()]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    monkeypatch.setattr(target, "client", account.client)
    monkeypatch.setattr(command, "client", account.client)
    monkeypatch.setattr(clusters, "job_state", account.job_state)
    monkeypatch.setattr(
        "nova_constructs.cli.interrupts.Interrupts.wait", lambda *_: account.chapters and account.chapters.pop(0)()
    )
    monkeypatch.delenv("NOVA_STACK", raising=False)
    return account


def line(second: int, text: str, node: int = 1, job: str = "job-training") -> tuple[int, int, str]:
    return TEN + 1000 * second, node, f"[{job}-master-0] {text}"


def test_the_jobs_of_a_run_are_read_from_the_log_of_their_cluster(nova: Nova, account: Account) -> None:
    account.run("SUCCEEDED", training="CLOSED", evaluation="CLOSED")
    account.logs = FakeClusterLogs(
        line(1, "begun"), line(2, "step", 2), line(3, "exam", job="job-evaluation"), line(0, "x", job="another")
    )
    ran = nova("logs", "r1")
    assert (ran.code, ran.err) == (0, "")
    assert told(ran.out) == [
        "training/i-1  [job-training-master-0] begun",
        "training/i-2  [job-training-master-0] step",
        "evaluation/i-1  [job-evaluation-master-0] exam",
    ]
    # What a run knows of its jobs needs no access to the cluster.
    assert account.asked == []


def test_metrics_of_a_run_on_hyperpod_have_loss_and_reward(nova: Nova, account: Account) -> None:
    account.run("SUCCEEDED", training="CLOSED")
    account.logs = FakeClusterLogs(*(line(n, STEP.format(n, 1 / n)) for n in (1, 2)))
    steps = [json.loads(text) for text in nova("logs", "r1", "--metrics", "--json").out.splitlines()]
    assert [(step["step"], step["loss"], step["reward"]) for step in steps] == [(1, 1.0, 0.5), (2, 0.5, 0.5)]


def test_a_run_is_followed_to_its_end(nova: Nova, account: Account) -> None:
    account.run("RUNNING", training="OPEN")
    account.logs = FakeClusterLogs(line(1, "begun"))

    def ends() -> None:
        account.logs.lines.append(line(2, "ended"))
        account.run("SUCCEEDED", training="CLOSED")

    account.chapters = [lambda: None, ends]
    ran = nova("logs", "r1", "--follow")
    assert [text.rpartition(" ")[2] for text in told(ran.out)] == ["begun", "ended"]


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("OPEN", {}, "no line in the log of its cluster yet, its container has not begun. The job is InProgress."),
        ("CLOSED", {"error": "JobTimedOut"}, "lines have expired. The job is Failed, JobTimedOut."),
        ("CLOSED", {"error": ""}, "lines have expired. The job is Completed."),
    ],
)
def test_a_job_of_a_run_without_a_line_is_said_on_stderr(
    nova: Nova, account: Account, status: str, more: dict[str, str], expected: str
) -> None:
    account.run("RUNNING", training=status)
    if more:
        account.rows[0] |= {"outcome": {"S": json.dumps(more)}}
    ran = nova("logs", "r1")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("training (job-training): ")
    assert expected in ran.err


ASKED = ("logs", "--job-id", "mine", "--platform", "smhp", "--cluster", "hp")


def test_a_job_that_no_run_knows_is_read_without_access_to_the_cluster(nova: Nova, account: Account) -> None:
    account.logs = FakeClusterLogs(line(1, "one", job="mine"), line(2, "two", job="mine"), line(3, "x", job="mines"))
    ran = nova(*ASKED, "--namespace", "kubeflow")
    assert told(ran.out) == ["i-1  [mine-master-0] one", "i-1  [mine-master-0] two"]
    (last,) = [json.loads(text) for text in nova(*ASKED, "--json", "--limit", "1").out.splitlines()]
    assert (last["job"], last["stage"], last["message"]) == ("mine", None, "[mine-master-0] two")
    assert account.asked == []


def test_following_a_job_ends_when_its_conditions_say_so_or_its_object_is_gone(nova: Nova, account: Account) -> None:
    for after in ("Completed", "Failed, out of memory", None):
        account.states = {"mine": "InProgress"}
        account.logs = FakeClusterLogs(line(1, "one", job="mine"))

        def ends(after: str | None = after) -> None:
            account.states = {"mine": after} if after else {}
            account.logs.lines.append(line(2, "two", job="mine"))

        account.chapters = [lambda: None, ends]
        assert len(told(nova(*ASKED, "--follow", "--namespace", "team-a").out)) == 2
    assert set(account.asked) == {("hp", "team-a", "mine")}


def test_a_job_without_a_line_is_told_by_its_state(nova: Nova, account: Account) -> None:
    account.states["mine"] = "InProgress"
    ran = nova(*ASKED)
    assert (ran.code, ran.out) == (0, "")
    assert "job (mine): no line in the log of its cluster yet, its container has not begun." in ran.err
    assert account.asked == [("hp", "kubeflow", "mine")]
    ran = nova(*ASKED, "--since", "2026-11-22T10:00Z")
    assert "no line in the log of its cluster since 2026-11-22T" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (ASKED, 2, "there is no PyTorchJob of that name\n  received: mine on hp, namespace kubeflow"),
        (("logs", "--job-id", "closed", *ASKED[3:]), 1, "the state of closed cannot be read: the cluster hp does not"),
        ((*ASKED[:-1], "other"), 2, "there is no such HyperPod cluster"),
        (ASKED[:5], 2, "add --cluster NAME"),
        ((*ASKED[:3], "--cluster", "hp"), 2, "a training job runs on no cluster"),
        (
            ("logs", "--job-id", "mine", "--platform", "SMTJ", "--namespace", "x"),
            2,
            "a training job runs on no cluster",
        ),
        (("logs", "--job-id", "My_Job", *ASKED[3:]), 2, "this is no name of a job on HyperPod"),
        (("logs", "--job-id", "a" * 64, *ASKED[3:]), 2, "this is no name of a job on HyperPod"),
        ((*ASKED[:-1], "arn:aws:x"), 2, "this is no name of a HyperPod cluster"),
        ((*ASKED, "--namespace", "-"), 2, "this is no name of a Kubernetes namespace"),
        (("logs", "r1", "--platform", "SMHP"), 2, "where the jobs of a run ran is known\n  received: --platform SMHP"),
        (("logs", "--job-id", "mine", "--platform", "EC2"), 2, "'EC2' is not one of"),
    ],
)
def test_bad_input_is_refused_in_words(
    nova: Nova, account: Account, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    ran = nova(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert expected in ran.err


def test_a_run_on_a_cluster_that_is_gone_says_where_its_log_is(nova: Nova, account: Account) -> None:
    account.run("SUCCEEDED", training="CLOSED")
    account.rows[0]["place"] = {"S": json.dumps({**PLACE, "cluster_name": "deleted"})}
    ran = nova("logs", "r1")
    assert ran.code == 2
    assert "--log-group-name-prefix /aws/sagemaker/Clusters/deleted/" in ran.err

"""`nova orphans list|stop`: what no run waits for is found by its tags and stopped; what a run waits for never is."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from lambda_handlers.hyperpod import access
from lambda_handlers.hyperpod import api as api_module
from lambda_handlers.hyperpod.api import KubernetesApi
from lambda_handlers.jobs import pytorch_jobs
from nova_constructs.cli.orphans.living import Living
from tests.cli.cli_support import Nova, execution
from tests.cli.drain_support import DrainAccount
from tests.cli.models_support import TAG, Terminal
from tests.hyperpod.hyperpod_world import ACCESS, FakeCluster, answer
from tests.hyperpod.test_hyperpod_jobs import DRIVER, JOB, SFT, request


@pytest.fixture
def account(drained_account: DrainAccount) -> DrainAccount:
    """Return an account where run r2 works, r1 has ended, and both have jobs; so have others."""
    drained_account.fake.executions["r1"] = execution("r1", "ABORTED")
    drained_account.begins("r2")
    drained_account.trains("left", "r1")
    drained_account.trains("works", "r2")
    drained_account.trains("private", "", tag=None)
    drained_account.trains("stopping", "r1", status="Stopping")
    drained_account.answers_rows("rows", "r1")
    drained_account.answers_rows("more-rows", "never")
    drained_account.answers_rows("rows-at-work", "r2")
    return drained_account


def names(told: Any, member: str = "jobs") -> list[str]:
    return [each["name"] for each in told[member]]


def test_jobs_whose_run_has_ended_are_listed_with_run_reason_and_cost(account: DrainAccount, nova: Nova) -> None:
    ran = nova("orphans", "list", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["unseen"], told["models"]) == (0, [], [])
    assert names(told) == ["left", "stopping", "rows", "more-rows"]
    assert [each.rpartition("/")[2] for each in told["live"]] == ["works", "rows-at-work"]
    first = told["jobs"][0]
    assert {name: first[name] for name in ("kind", "customization", "run_id", "stage", "why", "usd_per_hour")} == {
        "kind": "TrainingJob", "customization": TAG, "run_id": "r1", "stage": "training",
        "why": "run r1 has ended (ABORTED)", "usd_per_hour": 253.18,
    }  # fmt: skip
    assert told["jobs"][3]["why"] == "no execution of run never is known"
    shown = nova("orphans", "list")
    assert "253.18; 4 x ml.p5.48xlarge" in shown.out
    assert "private" not in shown.out
    assert "`nova orphans stop` stops the jobs." in shown.err
    assert nova("orphans", "list", "--customization", "Another/One").err == ("Nothing was found that is left behind.\n")


def test_nothing_is_stopped_unless_somebody_confirms(
    account: DrainAccount, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = nova("orphans", "stop", "--json")
    assert (ran.code, "3 would be stopped, and nobody is here" in json.loads(ran.out)["cause"]) == (2, True)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert (nova("orphans", "stop").code, account.stopped) == (2, [])
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    ran = nova("orphans", "stop")
    assert (ran.code, account.stopped) == (0, ["left", "rows", "more-rows"])
    assert "stopped TrainingJob left: run r1 has ended (ABORTED)" in ran.out
    assert nova("orphans", "stop").err == "There is nothing to stop.\n"


def test_a_job_that_a_running_run_took_over_is_left_alone(account: DrainAccount, nova: Nova) -> None:
    account.row("r2", "training", "left")
    told = json.loads(nova("orphans", "stop", "--yes", "--json").out)
    assert (names(told, "stopped"), told["left"]) == (["rows", "more-rows"], [])
    # That run waits for it no more, or has ended.
    account.row("r2", "training", "left", "CLOSED")
    assert "left" in names(json.loads(nova("orphans", "list", "--json").out))
    account.row("r2", "training", "left")
    account.fake.executions["r2"] = execution("r2", "FAILED")
    assert "left" in names(json.loads(nova("orphans", "list", "--json").out))


def test_a_job_that_a_run_takes_over_at_the_last_moment_is_left_alone(
    account: DrainAccount, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(doomed: Any, *, as_json: bool) -> None:
        account.row("r2", "training", "left")

    monkeypatch.setattr(import_module("nova_constructs.cli.orphans.stop"), "_confirm", asked)
    ran = nova("orphans", "stop", "--json")
    told = json.loads(ran.out)
    assert (ran.code, account.stopped, names(told, "left")) == (1, ["rows", "more-rows"], ["left"])
    assert told["left"][0]["why"] == "a run waits for it by now"


def test_without_the_stack_everything_of_it_is_an_orphan(account: DrainAccount, nova: Nova) -> None:
    account.served("r1")
    account.stacks[0]["Outputs"] = []  # type: ignore[index]
    [why] = {each["why"] for each in json.loads(nova("orphans", "list", "--json").out)["jobs"]}
    assert why == "stack NovaSupport has no customization Support any more"
    account.stacks.clear()
    told = json.loads(nova("orphans", "list", "--json").out)
    assert names(told) == ["left", "works", "stopping", "rows", "more-rows", "rows-at-work"]
    assert {each["why"] for each in told["jobs"]} == {"stack NovaSupport is gone"}
    live = f"nova models prune --customization {TAG} --live-too"
    assert {(each["kind"], each["run_id"], each["remove_with"]) for each in told["models"]} == {
        ("model", "r1", live), ("deployment", "r1", live)
    }  # fmt: skip
    assert live in nova("orphans", "list").err
    assert nova("orphans", "stop", "--yes").code == 0
    assert account.stopped == ["left", "works", "rows", "more-rows", "rows-at-work"]
    assert account.removed == []


def test_of_a_customization_that_is_deployed_models_are_judged_by_its_retention(
    account: DrainAccount, nova: Nova
) -> None:
    account.served("r0", "r5", "r6", "r7")
    account.dynamodb.put_item(TableName="control", Item=account.get_item(Key={"item": {"S": "pointer"}})["Item"])
    told = json.loads(nova("orphans", "list", "--json").out)
    assert {(each["run_id"], each["remove_with"]) for each in told["models"]} == {
        (run, f"nova models prune --customization {TAG}") for run in ("r0", "r5")
    }


def test_what_cannot_be_looked_at_is_told_and_hinders_nothing_else(account: DrainAccount, nova: Nova) -> None:
    account.denied = {"list_training_jobs"}
    ran = nova("orphans", "stop", "--yes", "--json")
    told = json.loads(ran.out)
    assert (ran.code, names(told, "stopped")) == (1, ["rows", "more-rows"])
    assert "training jobs: " in told["unseen"][0]
    assert "AccessDenied" in told["unseen"][0]
    assert "not looked at: training jobs" in nova("orphans", "list").err
    account.denied = {"stop_training_job"}
    ran = nova("orphans", "stop", "--yes")
    assert (ran.code, "left    TrainingJob left: " in ran.err) == (1, True)


def test_nothing_is_taken_for_dead_because_it_may_not_be_looked_at(
    account: DrainAccount, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: Any) -> Any:
        account.denied = {"describe"}
        account._check("describe")

    for name in ("describe_stacks", "describe_execution"):
        with monkeypatch.context() as patched:
            patched.setattr(account.fake, name, denied)
            ran = nova("orphans", "stop", "--yes")
            assert (ran.code, account.stopped) == (1, [])
            assert "AccessDeniedException" in ran.err


def test_jobs_of_clusters_are_found_by_their_annotations(
    account: DrainAccount, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster()
    for module in (access, pytorch_jobs):
        monkeypatch.setattr(module, "cluster_access", lambda _: replace(ACCESS))
    monkeypatch.setattr(KubernetesApi, "_http", lambda _: cluster)
    monkeypatch.setattr(KubernetesApi, "_fresh_token", lambda _: "token")
    monkeypatch.setattr(api_module.time, "sleep", lambda _: None)
    for job, run in ((JOB, "r1"), ("at-work", "r2")):
        tags = {"nova-constructs:customization": TAG, "nova-constructs:run": run, "nova-constructs:request-digest": "d"}
        DRIVER.create(job, request(SFT), "d", tags)
    another = {"metadata": {"name": "another", "namespace": "kubeflow", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    collection = "/apis/kubeflow.org/v1/namespaces/kubeflow/pytorchjobs"
    cluster.objects[collection, "another"] = {"kind": "PyTorchJob", **another}
    ended = json.loads(nova("orphans", "stop", "--cluster", "hp", "--customization", TAG, "--yes", "--json").out)
    assert names(ended, "stopped") == ["left", "rows", "more-rows", JOB]
    assert ended["stopped"][3]["place"] == {"cluster_name": "hp", "namespace": "kubeflow"}
    assert sorted(name for path, name in cluster.objects if path == collection) == ["another", "at-work"]
    cluster.faults = [("GET", answer(403, "Forbidden", "no"))]
    ran = nova("orphans", "list", "--cluster", "hp")
    assert (ran.code, "not looked at: cluster hp: " in ran.err) == (1, True)


def test_a_region_can_be_named(account: DrainAccount, nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    seen: list[str] = []

    def look(self: Living, job: Any) -> None:
        import os

        seen.append(os.environ["AWS_REGION"])

    monkeypatch.setattr(Living, "why_dead", look)
    assert nova("orphans", "list", "--region", "us-west-2").code == 0
    assert set(seen) == {"us-west-2"}

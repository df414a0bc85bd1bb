from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.cli.run import waiting
from tests.cli.cli_support import MACHINE, FakeAws, Nova, at, execution

RESULT = {
    "status": "SUCCEEDED",
    "run_id": "r1",
    "rows": {"in": 3, "out": 2, "rejected": 1, "duplicate": 0, "leaked": 0, "over_limit": 0},
    "jobs": [{"stage": "training", "kind": "TrainingJob", "arn": "arn:aws:sagemaker:us-east-1:1:training-job/t"}],
    "model_arn": "arn:model",
    "deployment_arn": "arn:deployment",
    "pointer": {"name": "/nova/support/live", "before": None, "after": "arn:deployment"},
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


def started_input(aws: FakeAws) -> dict[str, Any]:
    request = next(request for call, request in aws.calls if call == "start_execution")
    assert request["stateMachineArn"] == MACHINE
    document: dict[str, Any] = json.loads(request["input"])
    return document


def test_start_with_a_uri_passes_it_on_and_says_nothing_of_the_requester(nova: Nova, aws: FakeAws) -> None:
    ran = nova("run", "start", "s3://incoming/datasets/a.jsonl")

    assert ran.code == 0
    assert ran.out.strip() in aws.executions
    assert started_input(aws) == {"dataset": {"uri": "s3://incoming/datasets/a.jsonl"}}


def test_start_passes_force_reason_and_typed_overrides(nova: Nova, aws: FakeAws) -> None:
    settings = [
        "--set",
        "max_epochs=3",
        "--set",
        "lr=1e-5",
        "--set",
        "save=true",
        "--set",
        "name=abc",
        "--set",
        "x=NaN",
        "--set",
        "betas=[0.9, 0.95]",
        "--set",
        "quoted='1e-5'",
    ]

    nova("run", "start", "s3://incoming/a.jsonl", "--force", "--reason", "new catalogue", *settings)

    assert started_input(aws) == {
        "dataset": {"uri": "s3://incoming/a.jsonl"},
        "force": True,
        "reason": "new catalogue",
        "overrides": {
            "max_epochs": 3,
            "lr": 1e-5,
            "save": True,
            "name": "abc",
            "x": "NaN",
            "betas": [0.9, 0.95],
            "quoted": "1e-5",
        },
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("s3://incoming/a.jsonl", "--mode", "train", "--base-run", "run-1"), {"mode": "train", "base_run": "run-1"}),
        (("s3://incoming/a.jsonl", "--model-path", "s3://escrow/job/1"), {"model_path": "s3://escrow/job/1"}),
        (("--mode", "evaluate", "--model", "production"), {"mode": "evaluate", "model": "production"}),
        (("--mode", "evaluate", "--base-run", "run-1"), {"mode": "evaluate", "base_run": "run-1"}),
        (
            ("s3://incoming/a.jsonl", "--mode", "batch_inference", "--model", "base", "--output", "s3://answers/june"),
            {"mode": "batch_inference", "model": "base", "output": "s3://answers/june"},
        ),
        (("s3://incoming/a.jsonl", "--hub-content-version", "1.0.20"), {"hub_content_version": "1.0.20"}),
    ],
)
def test_start_passes_mode_and_model(
    nova: Nova, aws: FakeAws, arguments: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert nova("run", "start", *arguments).code == 0
    dataset = {"dataset": {"uri": arguments[0]}} if arguments[0].startswith("s3://") else {}
    assert started_input(aws) == {**dataset, **expected}


def test_start_passes_a_recipe_by_address_or_as_it_is_written(nova: Nova, aws: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("training_config: {lr: 1e-5}\n")
    assert nova("run", "start", "s3://incoming/a.jsonl", "--recipe", file).code == 0
    assert started_input(aws)["recipe"] == {"training_config": {"lr": 1e-5}}
    aws.calls.clear()
    assert nova("run", "start", "s3://incoming/a.jsonl", "--recipe", "s3://incoming/uploads/r.yaml").code == 0
    assert started_input(aws)["recipe"] == "s3://incoming/uploads/r.yaml"


def test_start_uploads_a_local_file_where_it_starts_no_second_run(nova: Nova, aws: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('{"question": "a", "answer": "b"}\n')

    ran = nova("run", "start", file, "--json")

    document = json.loads(ran.out)
    upload = next(request for call, request in aws.calls if call == "upload_file")
    assert upload["bucket"] == "incoming"
    assert not upload["key"].startswith("datasets/")
    assert document["dataset"] == f"s3://incoming/{upload['key']}"
    assert started_input(aws)["dataset"] == {"uri": document["dataset"]}
    assert document["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere.jsonl",), "there is no such file"),
        (("s3://incoming/a.jsonl", "--set", "max_epochs"), "--set needs a key and a value"),
        (("s3://incoming/a.jsonl", "--set", "a=1", "--set", "a=2"), "gives a twice"),
        (("s3://incoming/a.jsonl", "--stack", "Nope"), "no such stack"),
        (("s3://incoming/a.jsonl", "--recipe", "nowhere.yaml"), "the recipe cannot be read"),
        (("s3://incoming/a.jsonl", "--recipe", "/dev/null"), "/dev/null"),
        (("s3://incoming",), "s3://incoming"),
        (("s3://incoming/a.jsonl", "--reason", "x" * 1001), "reason"),
        ((), "dataset: missing"),
        (("s3://incoming/a.jsonl", "--set", "a={b: 1}"), "--set takes one YAML value"),
        (("s3://incoming/a.jsonl", "--set", "a=.nan"), "a finite number"),
        (("s3://incoming/a.jsonl", "--mode", "deploy"), "deploy"),
        (("--mode", "evaluate"), "model: missing"),
        (
            ("s3://incoming/a.jsonl", "--mode", "evaluate", "--model", "base"),
            'dataset: mode "evaluate" does not use it',
        ),
        (("s3://incoming/a.jsonl", "--model", "base"), 'model: mode "full" does not use it'),
        (("s3://incoming/a.jsonl", "--base-run", "r", "--model-path", "s3://b/c"), "give one of them"),
    ],
)
def test_start_refuses_bad_input_before_it_starts_anything(
    nova: Nova, aws: FakeAws, arguments: tuple[str, ...], expected: str
) -> None:
    ran = nova("run", "start", *arguments)

    assert ran.code == 2
    assert expected in ran.err
    assert ran.out == ""
    assert aws.calls == []


@pytest.mark.parametrize(
    ("output", "more", "code"),
    [
        ({"status": "SUCCEEDED"}, {"status": "SUCCEEDED"}, 0),
        ({"status": "REJECTED"}, {"status": "SUCCEEDED"}, 3),
        ({"status": "SKIPPED"}, {"status": "SUCCEEDED"}, 4),
        (None, {"status": "FAILED", "error": "JobFailed", "cause": "AlgorithmError"}, 1),
        (None, {"status": "TIMED_OUT"}, 1),
    ],
)
def test_start_and_wait_ends_with_the_exit_code_of_the_run(
    nova: Nova,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    output: dict[str, Any] | None,
    more: dict[str, Any],
    code: int,
) -> None:
    def start_and_end(**request: Any) -> dict[str, Any]:
        run_id = request["name"]
        aws.executions[run_id] = execution(run_id, output=output, **more)
        aws.records[f"runs/{run_id}/record.json"] = {"status": more["status"]}
        return {"executionArn": aws.executions[run_id]["executionArn"]}

    monkeypatch.setattr(aws, "start_execution", start_and_end)

    ran = nova("run", "start", "s3://incoming/a.jsonl", "--wait", "--json")

    assert ran.code == code
    assert json.loads(ran.out)["error"] == more.get("error")


def test_list_shows_the_status_that_the_run_had_not_that_of_its_execution(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r2"] = execution("r2", "RUNNING")
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output={"status": "REJECTED"})

    ran = nova("run", "list", "--json")

    assert [(run["run_id"], run["status"], run["seconds"]) for run in json.loads(ran.out)] == [
        ("r2", "RUNNING", None),
        ("r1", "REJECTED", 4000.0),
    ]


def test_list_in_a_pipe_is_plain_columns_without_colour_or_rules(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "FAILED")

    ran = nova("run", "list")

    header, row = ran.out.splitlines()
    assert header.split() == ["RUN", "STATUS", "STARTED", "DURATION"]
    assert row.split()[:2] == ["r1", "FAILED"]
    assert row.rstrip().endswith("1 h 06 min")
    assert "\x1b" not in ran.out


def test_list_of_no_runs_prints_an_empty_json_list(nova: Nova, aws: FakeAws) -> None:
    assert json.loads(nova("run", "list", "--json").out) == []


def test_show_prints_stages_jobs_and_pointer(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output=RESULT)
    aws.events = [
        {"id": 1, "previousEventId": 0, "timestamp": at(0), "type": "TaskStateEntered", "d": {}},
    ]
    aws.events[0]["stateEnteredEventDetails"] = {"name": "PlanRun"}

    ran = nova("run", "show", "r1", "--json")

    shown = json.loads(ran.out)
    assert ran.code == 0
    assert shown["pointer"] == RESULT["pointer"]
    assert shown["jobs"] == RESULT["jobs"]
    assert shown["transitions"] == 1
    assert [stage["name"] for stage in shown["stages"]] == ["PlanRun"]


def test_show_for_people_holds_the_verdict_first_and_the_pointer(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output=RESULT)

    lines = nova("run", "show", "r1").out.splitlines()

    assert lines[0] == "Run r1  SUCCEEDED"
    assert "  pointer       /nova/support/live: nothing → arn:deployment" in lines
    assert "  rows          3 in, 2 out, 1 rejected, 0 duplicate, 0 leaked, 0 over_limit" in lines


def test_show_counts_the_rows_of_every_training_stage(nova: Nova, aws: FakeAws) -> None:
    told = {**RESULT, "further_rows": {"rl": {"in": 7, "out": 7}}}
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output=told)

    assert json.loads(nova("run", "show", "r1", "--json").out)["further_rows"] == {"rl": {"in": 7, "out": 7}}
    lines = nova("run", "show", "r1").out.splitlines()
    assert "  rows rl       7 in, 7 out" in lines
    assert "  rows          3 in, 2 out, 1 rejected, 0 duplicate, 0 leaked, 0 over_limit" in lines


def test_show_of_a_failed_run_prints_error_and_cause_and_exits_1(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "FAILED", error="JobFailed", cause="AlgorithmError: [loss] is NaN")

    as_json, for_people = nova("run", "show", "r1", "--json"), nova("run", "show", "r1")

    assert (as_json.code, for_people.code) == (1, 1)
    assert json.loads(as_json.out)["cause"] == "AlgorithmError: [loss] is NaN"
    assert "  cause         AlgorithmError: [loss] is NaN" in for_people.out.splitlines()


def test_show_of_an_aborted_run_takes_its_facts_from_the_closed_record(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "ABORTED")
    aws.records["runs/r1/record.json"] = {"status": "ABORTED", "rows": {"in": 5}}

    assert json.loads(nova("run", "show", "r1", "--json").out)["rows"] == {"in": 5}


def test_show_of_a_running_run_reads_its_jobs_from_the_registry_without_tokens(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")
    aws.rows = [
        {
            "stage": {"S": "training"},
            "kind": {"S": "TrainingJob"},
            "job_name": {"S": "support-1"},
            "arn": {"S": "arn:job"},
            "status": {"S": "OPEN"},
            "token": {"S": "secret"},
        }
    ]

    ran = nova("run", "show", "r1", "--json")

    job = {"stage": "training", "kind": "TrainingJob", "name": "support-1", "arn": "arn:job", "status": "OPEN"}
    where = {"platform": "SMTJ", "place": None}
    ran_on = {
        "attempt": 1,
        "instance_type": None,
        "instance_count": None,
        "choice": 1,
        "choices": 1,
        "held_until": None,
    }
    assert json.loads(ran.out)["jobs"] == [{**job, **where, "error": None, **ran_on}]
    assert "secret" not in ran.out
    (request,) = aws.reads["query"]
    asked = {request["ExpressionAttributeNames"][alias] for alias in request["ProjectionExpression"].split(", ")}
    assert "token" not in asked


def test_show_tells_until_when_something_is_held(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "FAILED")
    row = {"stage": "deployment", "kind": "ProvisionedThroughput", "job_name": "support-1", "status": "HELD"}
    aws.rows = [{**{name: {"S": value} for name, value in row.items()}, "held_until": {"N": "1769817600"}}]
    [job] = json.loads(nova("run", "show", "r1", "--json").out)["jobs"]
    assert (job["status"], job["held_until"]) == ("HELD", "2026-01-31T00:00:00+00:00")


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"choice": {"N": "1"}, "choices": {"N": "2"}}, "8 x ml.p5en.48xlarge (choice 2 of 2)"),
        ({"choice": {"N": "0"}, "choices": {"N": "1"}}, "8 x ml.p5en.48xlarge "),
    ],
)
def test_show_says_which_instances_a_job_runs_on(nova: Nova, aws: FakeAws, more: dict[str, Any], shown: str) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")
    values = {"stage": "training", "kind": "TrainingJob", "job_name": "support-1", "arn": "arn:job", "status": "OPEN"}
    where = {"instance_type": {"S": "ml.p5en.48xlarge"}, "instance_count": {"N": "8"}}
    aws.rows = [{**{name: {"S": value} for name, value in values.items()}, **where, **more}]
    assert f"TrainingJob  SMTJ      {shown}" in nova("run", "show", "r1").out


def test_show_says_on_which_cluster_a_job_runs(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")
    place = {"cluster_name": "hp", "namespace": "kubeflow"}
    values = {"stage": "training", "kind": "PyTorchJob", "job_name": "support-1", "arn": "", "status": "OPEN"}
    aws.rows = [{name: {"S": value} for name, value in {**values, "place": json.dumps(place)}.items()}]
    assert "PyTorchJob  SMHP hp/kubeflow  " in nova("run", "show", "r1").out
    (job,) = json.loads(nova("run", "show", "r1", "--json").out)["jobs"]
    assert (job["kind"], job["platform"], job["place"]) == ("PyTorchJob", "SMHP", place)


def test_show_of_a_failed_run_says_how_to_read_the_logs_of_the_job_that_failed(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "FAILED", error="JobFailed", cause="AlgorithmError")
    rows = [
        ("training", "TrainingJob", {"output": {}, "error": "JobFailed", "cause": "AlgorithmError"}),
        ("evaluation-mmlu", "TrainingJob", {"output": {"seconds": 3}, "error": "", "cause": ""}),
        ("import", "CustomModel", {"output": {}, "error": "ModelImportFailed", "cause": ""}),
    ]
    aws.rows = [
        {
            "stage": {"S": stage},
            "kind": {"S": kind},
            "job_name": {"S": f"job-{stage}"},
            "status": {"S": "CLOSED"},
            "outcome": {"S": json.dumps(outcome)},
        }
        for stage, kind, outcome in rows
    ]
    ran = nova("run", "show", "r1")

    (line,) = [line for line in ran.out.splitlines() if "nova logs" in line]
    assert line.split() == ["logs", "nova", "logs", "r1", "--stage", "training", "--stack", "NovaSupport"]

    # The record keeps what the registry forgets.
    aws.rows, aws.records["runs/r1/record.json"] = (
        [],
        {
            "status": "FAILED",
            "jobs": [{"stage": "evaluation-mmlu", "kind": "TrainingJob", "outcome": {"error": "JobTimedOut"}}],
        },
    )
    assert "nova logs r1 --stage evaluation-mmlu --stack NovaSupport" in nova("run", "show", "r1").out


def test_show_of_an_unknown_run_exits_2(nova: Nova, aws: FakeAws) -> None:
    ran = nova("run", "show", "nope", "--json")

    assert (ran.code, ran.out) == (2, "")
    assert "received: nope" in ran.err


def test_stop_waits_until_the_record_is_closed(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")
    aws.records["runs/r1/record.json"] = {"status": "ABORTED"}

    ran = nova("run", "stop", "r1", "--reason", "wrong dataset", "--json")

    assert ran.code == 0
    assert aws.calls == [
        (
            "stop_execution",
            {
                "executionArn": aws.executions["r1"]["executionArn"],
                "error": "StoppedByOperator",
                "cause": "wrong dataset",
            },
        )
    ]
    shown = json.loads(ran.out)
    assert (shown["status"], shown["cause"]) == ("ABORTED", "wrong dataset")


def test_stop_without_waiting_does_not_ask_for_the_record(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")

    assert nova("run", "stop", "r1", "--no-wait").code == 0


def test_stop_reports_a_record_that_is_never_closed(nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "CLOSE_LIMIT_SECONDS", 0.0)
    aws.executions["r1"] = execution("r1", "RUNNING")

    ran = nova("run", "stop", "r1")

    assert ran.code == 1
    assert "its record is not closed" in ran.err


def test_stop_of_a_run_that_has_ended_exits_2(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output={"status": "REJECTED"})

    ran = nova("run", "stop", "r1")

    assert ran.code == 2
    assert "already ended with REJECTED" in ran.err
    assert aws.calls == []

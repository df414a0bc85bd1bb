from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from nova_constructs.cli.demo.production import Production
from nova_constructs.cli.demo.report import print_report
from nova_constructs.cli.demo.result import COUNTS, DemoResult, IamUse, build_result
from nova_constructs.cli.demo.second_run import Second, describe
from nova_constructs.cli.history import Stage
from nova_constructs.cli.progress import LineProgress, LiveProgress
from nova_constructs.cli.run.details import RunDetails
from nova_constructs.iam_evidence import Permission, PermissionUse
from tests.cli.cli_support import EXECUTION, START, at

SUMMARY: dict[str, Any] = {
    "rows": {"in": 120, "out": 118, "rejected": 1, "duplicate": 1, "leaked": 0, "over_limit": 0},
    "scores": [
        {"task": "mmlu", "model": "candidate", "metrics": {"accuracy": 0.71}, "stderr": {"accuracy": 0.01}},
        {"task": "bbh", "subtask": "navigate", "model": "production", "metrics": {"accuracy": 0.7}},
    ],
    "gate": {
        "verdict": "PASSED",
        "criteria": [{"name": "mmlu.accuracy", "value": 0.71, "threshold": 0.5, "passed": True, "reason": ""}],
    },
    "model_arn": "arn:aws:bedrock:us-east-1:123456789012:custom-model/m",
    "deployment_arn": "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/d",
    "pointer": {"name": "/nova/demo/live", "before": None, "after": "arn:deployment"},
}

LIVE = Production(arn="arn:deployment", answers=True, said="Because.")


def permission(name: str) -> Permission:
    role, rest = name.split("#")
    sid, action = rest.split(":", 1)
    return Permission(role=role, sid=sid, action=action, role_logical_id=role)


USED, PROVEN, UNUSED = (
    permission("demo/Plan#ReadDataset:s3:GetObject"),
    permission("demo/Plan#ReadDataset:s3:GetObjectVersion"),
    permission("demo/Gate#WriteLogs:logs:PutLogEvents"),
)


def result(status: str = "SUCCEEDED", summary: dict[str, Any] | None = None, **more: Any) -> DemoResult:
    details = RunDetails(
        run_id="r1",
        status=status,
        customization="demo",
        execution_arn=f"{EXECUTION}:r1",
        started=START,
        stopped=at(7200),
        stages=[],
        jobs=[{"stage": "training", "kind": "TrainingJob", "arn": "arn:job", "name": "demo-1", "status": "CLOSED"}],
        transitions=19,
        error=more.pop("error", None),
        cause=more.pop("cause", None),
        summary=SUMMARY if summary is None else summary,
    )
    iam = IamUse(
        denied=more.pop("denied", ()),
        granted=(USED, PROVEN, UNUSED),
        use=PermissionUse(used=(USED,), proven=(PROVEN,), required_by_aws=(), unused=(UNUSED,)),
    )
    return build_result(
        details,
        platform="SMTJ",
        prompt="Why?",
        production=more.pop("production", LIVE),
        iam=iam,
        seconds=12.345,
        speed=600,
    )


def report(shown: DemoResult) -> str:
    stream = io.StringIO()
    print_report(Console(file=stream, width=200, color_system=None, highlight=False), shown)
    return stream.getvalue()


def test_the_json_object_has_every_field_that_is_promised() -> None:
    document = result().as_dict()

    assert document["status"] == "SUCCEEDED"
    assert document["run_id"] == "r1"
    assert document["platform"] == "SMTJ"
    assert document["pointer"] == SUMMARY["pointer"]
    assert tuple(document["rows"]) == COUNTS
    assert document["jobs"][0] | {"stage": "training", "kind": "TrainingJob", "arn": "arn:job"} == document["jobs"][0]
    assert document["transitions"] == 19
    assert document["seconds"] == 12.35
    assert document["iam"]["denied"] == []
    assert document["iam"]["unused"] == ["demo/Gate#WriteLogs:logs:PutLogEvents"]


def test_a_failed_run_still_has_one_object_with_error_and_cause() -> None:
    document = result("FAILED", {}, error="JobFailed", cause="AlgorithmError", production=None).as_dict()

    assert (document["error"], document["cause"]) == ("JobFailed", "AlgorithmError")
    assert document["rows"] == dict.fromkeys(COUNTS, 0)
    assert [document[name] for name in ("model_arn", "pointer", "answer", "production")] == [None] * 4


def test_the_report_begins_with_the_verdict_and_ends_with_what_is_simulated() -> None:
    lines = [line for line in report(result()).splitlines() if line.strip()]

    assert lines[0] == "SUCCEEDED  run r1"
    assert lines[1].strip() == "took    12.3 s here, 2 h 00 min of simulated time, 19 transitions"
    assert "Simulated on this machine" in report(result())
    assert "nothing was charged" in " ".join(lines[-2:])


@pytest.mark.parametrize(
    "expected",
    [
        r"120 rows in = 118 out, 1 rejected, 1 duplicate, 0 leaked, 0 over limit",
        r"candidate +mmlu +accuracy +0.71 +0.01\n",
        r"production +bbh.navigate +accuracy +0.7 +-\n",
        r"CRITERION +VALUE +THRESHOLD +VERDICT\n",
        r"mmlu.accuracy +0.71 +0.5 +PASSED",
        r"before +nothing",
        r"after +arn:deployment",
        r"answered +Because. +\(simulated\)",
        r"demo/Plan +2 +1 +1 +0 +0",
        r"demo/Gate +1 +0 +0 +0 +1",
        r"unused +demo/Gate#WriteLogs:logs:PutLogEvents",
        r"No call was denied",
    ],
)
def test_the_report_shows(expected: str) -> None:
    assert re.search(expected, report(result()))


def test_denied_calls_are_named() -> None:
    denied = ({"role": "plan-role", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/[k]"},)

    assert "denied  plan-role: s3:GetObject on arn:aws:s3:::b/[k]" in report(result(denied=denied))


def test_in_a_pipe_each_stage_is_one_line_when_it_ends_and_each_job_one_line_when_it_changes() -> None:
    stream = io.StringIO()
    progress = LineProgress(Console(file=stream, width=200, color_system=None))
    train = Stage(name="Train", entered=START)

    progress.show([train], {"training": "Starting"})
    progress.show([train], {"training": "Starting"})
    progress.show([train], {"training": "Training"})
    train.exited, train.status, train.error = at(3600), "FAILED", "JobFailed"
    progress.show([train], {})
    progress.show([train], {})

    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["training:", "Starting"],
        ["training:", "Training"],
        ["✗", "Train", "1", "h", "00", "min", "JobFailed"],
    ]


def test_on_a_terminal_the_last_frame_holds_every_step_and_stage_and_nothing_that_turns() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        progress = LiveProgress(live)
        progress.say("Deploying the stack")
        progress.say("Run r1")
        progress.show(
            [Stage(name="PlanRun", entered=START, exited=at(3), status="SUCCEEDED")], {"training": "Training"}
        )
        progress.finish()
    last = stream.getvalue().split("✓ Deploying the stack")[-1]

    assert [line.split() for line in last.splitlines()[1:4]] == [
        ["•", "Run", "r1"],
        ["✓", "PlanRun", "3", "s"],
        ["training:", "Training"],
    ]


def test_a_run_that_moved_nothing_tells_where_the_pointer_stayed() -> None:
    stayed = {"name": "/nova/demo/live", "before": "arn:deployment", "after": "arn:deployment"}
    details = result("REJECTED", {}).details
    iam = result().iam
    shown = build_result(
        details, platform="SMTJ", prompt="", production=LIVE, iam=iam, seconds=1, speed=1, pointer=stayed
    ).as_dict()
    assert (shown["status"], shown["pointer"]) == ("REJECTED", stayed)
    # It is another model than this run's.
    assert (shown["answer"], shown["production"]["answers"]) == (None, True)


def test_a_failed_run_tells_that_production_answers_and_what_the_emulator_was_told() -> None:
    stayed = {"name": "/nova/demo/live", "before": "arn:deployment", "after": "arn:deployment"}
    details = result("FAILED", {}, error="DeploymentFailed").details
    shown = build_result(
        details,
        platform="SMTJ",
        prompt="Why?",
        production=LIVE,
        iam=result().iam,
        seconds=1,
        speed=1,
        pointer=stayed,
        injected=describe(Second.FAIL_SMOKE),
    )

    assert shown.as_dict()["injected"].startswith("The emulator was told of a hosting fault")
    assert re.search(r"answered +Because. +\(simulated\)", report(shown))
    assert "The emulator was told of a hosting fault" in report(shown)


def test_production_that_does_not_answer_is_shown_as_failed() -> None:
    silent = Production(arn="arn:deployment", answers=False, said="ModelErrorException")

    assert re.search(r"failed +ModelErrorException", report(result(production=silent)))
    assert result(production=silent).as_dict()["answer"] is None

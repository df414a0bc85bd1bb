"""`nova run start --dry-run`: what would be sent and what it may cost, or why the run cannot start."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_constructs.cli.run import waiting
from tests.cli.cli_support import FakeAws, Nova, Ran, execution

COST: dict[str, Any] = {
    "bound_usd": 6076.42,
    "ceiling_usd": 20000,
    "jobs": [
        {
            "stage": "training",
            "instance_type": "ml.p5.48xlarge",
            "instance_count": 4,
            "hours": 24.0,
            "usd_per_hour": 63.296,
            "usd": 6076.416,
        }
    ],
    "unpriced": [],
}
REQUEST = {
    "stage": "evaluation-mmlu",
    "operation": "CreateTrainingJob",
    "platform": "SMTJ",
    "request_uri": "s3://artifacts/runs/r/dry-run/requests/evaluation-mmlu.json",
    "recipe_uri": None,
    "only_if": "its scores are not known",
    "stand_ins": {"checkpoint": "s3://customer-escrow-000000000000-smtj-planned/checkpoint"},
}
REPORT: dict[str, Any] = {"problems": [], "warnings": ["No quota."], "plan": {}, "cost": COST, "requests": [REQUEST]}
TOLD = {"status": "DRY_RUN", "report_uri": "s3://artifacts/r/dry-run/report.json", "warnings": ["No quota."]}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


def dry_run(
    nova: Nova,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    report: dict[str, Any] | None,
    *options: str,
    cause: str = "",
) -> tuple[Ran, list[Any]]:
    """Start a dry run that ends at once with a report; with a cause it has failed."""
    asked: list[Any] = []

    def start_and_end(**request: Any) -> dict[str, Any]:
        run_id = request["name"]
        asked.append(json.loads(request["input"]))
        ended: dict[str, Any] = {"status": "FAILED", "error": "RecipeInvalid", "cause": cause}
        aws.executions[run_id] = execution(run_id, **(ended if cause else {"status": "SUCCEEDED", "output": TOLD}))
        aws.records[f"runs/{run_id}/record.json"] = ended if cause else TOLD
        if report is not None:
            aws.records[f"runs/{run_id}/dry-run/report.json"] = report
        return {"executionArn": aws.executions[run_id]["executionArn"]}

    monkeypatch.setattr(aws, "start_execution", start_and_end)
    return nova("run", "start", "s3://incoming/a.jsonl", "--dry-run", *options), asked


def test_it_is_waited_for_and_its_report_is_told_in_words(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, asked = dry_run(nova, aws, monkeypatch, REPORT)
    assert ran.code == 0
    assert asked == [{"dataset": {"uri": "s3://incoming/a.jsonl"}, "dry_run": True}]
    for words in ("DRY_RUN", "s3://artifacts/r/dry-run/report.json", "No quota."):
        assert words in ran.out
    request, job = (
        next(line for line in ran.out.splitlines() if line.startswith(begin)) for begin in ("Create", "training")
    )
    assert [cell.strip() for cell in request.split("  ") if cell.strip()] == [
        "CreateTrainingJob of evaluation-mmlu",
        "SMTJ",
        "its scores are not known",
        "checkpoint",
        REQUEST["request_uri"],
    ]
    assert [cell.strip() for cell in job.split("  ") if cell.strip()] == [
        "training",
        "4 x ml.p5.48xlarge",
        "24",
        "63.296",
        "6,076.42",
    ]
    assert ran.out.splitlines()[-1] == "At most 6,076.42 USD, ceiling 20,000.00 USD."


def test_a_type_without_a_price_is_named_in_place_of_a_sum(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {**COST["jobs"][0], "usd_per_hour": None, "usd": None}
    cost = {"bound_usd": None, "ceiling_usd": None, "jobs": [job], "unpriced": ["ml.p5.48xlarge"]}
    ran, _ = dry_run(nova, aws, monkeypatch, {**REPORT, "cost": cost})
    assert "no price" in ran.out
    assert ran.out.splitlines()[-1].startswith("No bound: no price is known for ml.p5.48xlarge")


def test_json_is_one_object_with_the_report(nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, _ = dry_run(nova, aws, monkeypatch, REPORT, "--json")
    document = json.loads(ran.out)
    assert (document["status"], document["report"]) == ("DRY_RUN", REPORT)


def test_problems_are_told_once_each_also_where_the_cause_was_cut(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {**REPORT, "problems": ["max_stps is unknown.", "lr: expects [a] number."], "cost": None, "requests": []}
    ran, _ = dry_run(nova, aws, monkeypatch, report, cause="The run cannot start.\n- max_stps is unknown.\n- lr: ex")
    assert ran.code == 1
    assert [ran.out.count(problem) for problem in report["problems"]] == [1, 1]


def test_a_dry_run_that_ended_without_a_report_is_shown_as_it_is(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, _ = dry_run(nova, aws, monkeypatch, None, "--json", cause="AccessDenied")
    assert (ran.code, json.loads(ran.out)["report"]) == (1, None)

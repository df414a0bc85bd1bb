"""One run, printed for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nova_constructs.cli import history, output, times
from nova_constructs.cli.jobs import failed_with_log, instances_text, platform_text
from nova_constructs.cli.run.details import RunDetails

if TYPE_CHECKING:
    from rich.console import Console


SCORE_HEADERS = ("MODEL", "TASK", "METRIC", "SCORE", "STANDARD ERROR")


def print_details(to: Console, details: RunDetails) -> None:
    """Print a run: verdict first, then stages, jobs and what it left behind."""
    from rich.markup import escape

    to.print(f"Run {escape(details.run_id)}  {output.status_text(details.status)}")
    for label, value in _facts(details):
        to.print(f"  {label:<13} {escape(value)}")
    if details.stages:
        to.print()
        output.print_rows(to, ("STAGE", "STATUS", "DURATION"), [_stage_row(stage) for stage in details.stages])
    if details.jobs:
        to.print()
        cells = [
            (job["stage"], job["kind"], platform_text(job), instances_text(job), job.get("arn") or "-")
            for job in details.jobs
        ]
        headers = ("JOB OF", "KIND", "PLATFORM", "INSTANCES", "ARN")
        output.print_rows(to, headers, [tuple(map(escape, row)) for row in cells])
    if details.summary.get("scores"):
        to.print()
        output.print_rows(to, SCORE_HEADERS, score_rows(details.summary["scores"]))


def gate_rows(gate: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return a gate decision as table rows: criterion, value, threshold, verdict."""
    from rich.markup import escape

    return [
        (
            escape(str(criterion["name"])),
            _number(criterion.get("value")),
            _number(criterion.get("threshold")),
            output.status_text("PASSED" if criterion["passed"] else "FAILED"),
        )
        for criterion in gate.get("criteria", ())
    ]


def score_rows(scores: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str, str]]:
    """Return evaluation scores as table rows: model, task and subtask, metric, score, standard error."""
    from rich.markup import escape

    return [
        (
            escape(score.get("model") or "candidate"),
            escape(".".join(filter(None, (score["task"], score.get("subtask"))))),
            escape(metric),
            _number(value),
            _number(score.get("stderr", {}).get(metric)),
        )
        for score in scores
        for metric, value in score["metrics"].items()
    ]


def _facts(details: RunDetails) -> Iterator[tuple[str, str]]:
    yield "customization", details.customization
    yield "started", times.instant(details.started)
    if details.trigger:
        yield "started by", _trigger_text(details.trigger)
    if details.resume:
        yield "resumes", details.resume
        yield from map(_taken, details.taken)
    took = times.between(details.started, details.stopped or datetime.now(UTC))
    yield "duration", took if details.stopped else f"{took} so far"
    if details.queued:
        behind = f" behind run {', '.join(details.queued.behind)}" if details.queued.behind else ""
        yield "waits", f"at place {details.queued.place}{behind}, until {times.instant(details.queued.deadline)}"
    if details.awaited:
        yield "waits until", f"{times.instant(details.awaited.deadline)}, then it ends REJECTED"
        for command in details.awaited.commands:
            yield "answer with", command
    if details.error:
        yield "error", details.error
    if details.cause:
        yield "cause", details.cause
    for stage in failed_with_log(details.jobs):
        where = ("--stack", details.stack) if details.stack else ()
        yield "logs", shlex.join(("nova", "logs", details.run_id, "--stage", stage, *where))
    told = details.summary
    for warning in told.get("warnings") or ():
        yield "warning", warning
    start, evaluated = told.get("start") or {}, told.get("evaluated") or {}
    if start.get("model_path"):
        yield "trained from", f"{start['model_path']} ({start.get('base_run') or 'no run known'})"
    if evaluated:
        run = f" of run {evaluated['run_id']}" if evaluated.get("run_id") else ""
        yield "evaluated", f"{evaluated['kind']}: {evaluated['model_path']}{run}"
    for label, key in (
        ("reason", "reason"),
        ("mode", "mode"),
        ("checkpoint", "checkpoint_uri"),
        ("report", "report_uri"),
        ("model", "model_arn"),
        ("deployment", "deployment_arn"),
    ):
        if told.get(key):
            yield label, str(told[key])
    if told.get("inference"):
        found = told["inference"]
        yield "inference", f"{found['rows']} rows answered: {found['results_uri']}"
    if told.get("approval"):
        yield "approval", told["approval"]["sentence"]
    if told.get("origin"):
        origin = told["origin"]
        measured = f"run {origin['run_id']}, gate {origin['verdict']}" if origin.get("run_id") else "no run known"
        yield "deployed from", f"{origin['model_path']} ({measured})"
    if told.get("deployment"):
        how = told["deployment"]
        yield "served", f"{how['target']}, {how['mode']}, under the name {how['name']}"
    if told.get("pointer"):
        pointer = told["pointer"]
        yield "pointer", f"{pointer['name']}: {pointer.get('before') or 'nothing'} → {pointer.get('after')}"
    for stage, counts in {"": told.get("rows"), **(told.get("further_rows") or {})}.items():
        if counts:
            yield f"rows {stage}".rstrip(), ", ".join(f"{count} {name}" for name, count in counts.items())


def _taken(told: Mapping[str, Any]) -> tuple[str, str]:
    """Say of a stage from which run it was taken, or why from none."""
    if told["taken"]:
        waits = ", whose job still ran" if told["taken"] == "adopted" else ""
        return "taken", f"{told['stage']} of run {told['from_run']}{waits}"
    reasons = "; ".join(f"{run}: {reason}" for run, reason in told["reasons"].items())
    return "done again", f"{told['stage']} ({reasons})"


def _trigger_text(trigger: Mapping[str, Any]) -> str:
    """Say what started a run: `Data (dataset), 50 arrivals: ID`."""
    count = trigger.get("count")
    arrivals = f", {count} arrivals" if isinstance(count, int) and count > 1 else ""
    return f"{trigger.get('name')} ({trigger.get('kind')}){arrivals}: {trigger.get('id')}"


def _stage_row(stage: history.Stage) -> tuple[str, str, str]:
    from rich.markup import escape

    status = output.status_text(stage.status)
    if stage.error:
        status += f" {escape(stage.error)}"
    took = times.between(stage.entered, stage.exited) if stage.exited else "-"
    return escape(stage.name), status, took


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else "-"

"""Which events of the ledger are decisions that are told, and how each is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lambda_handlers.notifying import asking
from lambda_handlers.notifying.advice import next_step
from lambda_handlers.notifying.notice import (
    APPROVAL,
    DATA,
    ERROR,
    GATE,
    INFO,
    PRODUCTION,
    RUN_STATE,
    WARNING,
    Notice,
    Place,
    Told,
)
from lambda_handlers.protocol.ledger import RUN_CLOSED, LedgerEvent
from lambda_handlers.protocol.pointer import POINTER_MOVED

Detail = Mapping[str, Any]
_KEPT_OF_CLOSED: Final = (
    *("status", "error", "cause", "mode", "rows", "checkpoint_uri", "model_arn", "deployment_arn"),
)
_KEPT_OF_CRITERION: Final = ("name", "kind", "value", "threshold", "passed", "reason")
_ENDED: Final = {"SUCCEEDED": ("succeeded", INFO), "REJECTED": ("rejected", WARNING), "SKIPPED": ("skipped", INFO)}


def notice_of(event: LedgerEvent, place: Place) -> Notice | None:
    """Return what is told of an event of the ledger, None for one that nobody has to be told of.

    Its id is the event's hash, which the record of the run has too.
    """
    tell = _TOLD.get(event.type)
    told = tell(event.run_id, event.detail, place) if tell else None
    if told is None:
        return None
    # What is rolled back is no run: the message is about the one whose model was withdrawn.
    run = event.detail.get("withdrawn_run_id") or event.run_id
    return Notice(id=event.hash, at=event.at, run=str(run), place=place, told=told)


def _started(run: str, detail: Detail, place: Place) -> Told:
    plan, asked = detail["plan"], detail["asked"]
    facts = {**_asked(plan, asked), "status": "RUNNING", "usd_at_most": (plan.get("cost") or {}).get("bound_usd")}
    over = f" over {facts['dataset_uri']}" if facts["dataset_uri"] else ""
    return Told(
        event="run_started",
        kind=RUN_STATE,
        heading="Run started",
        sentence=f"Run {run} of {place.customization} has started: mode {plan['mode']}{over}.",
        facts=facts,
        lines=_who(asked),
    )


def _queued(run: str, detail: Detail, place: Place) -> Told:
    facts = {**_asked(detail, detail["asked"]), "status": "QUEUED", "cause": detail.get("reason")}
    return Told(
        event="run_queued",
        kind=RUN_STATE,
        heading="Run queued",
        sentence=f"Run {run} of {place.customization} waits for its turn. {detail.get('reason') or ''}".rstrip(),
        facts=facts,
        lines=_who(detail["asked"]),
    )


def _asked(plan: Detail, asked: Detail) -> dict[str, Any]:
    trigger = asked.get("trigger")
    return {
        "mode": plan.get("mode"),
        "dataset_uri": (plan.get("dataset") or {}).get("uri"),
        "trigger": {name: trigger[name] for name in ("name", "kind", "count")} if trigger else None,
        "requested_by": asked.get("requested_by"),
        "reason": asked.get("reason"),
    }


def _who(asked: Detail) -> list[str]:
    trigger = asked.get("trigger")
    by = f"trigger {trigger['name']} ({trigger['kind']})" if trigger else asked.get("requested_by") or "unknown"
    return [f"Started by: {by}", *([f"Reason:     {asked['reason']}"] if asked.get("reason") else [])]


def _prepared(run: str, detail: Detail, place: Place) -> Told | None:
    rejected = (detail.get("rows") or {}).get("rejected")
    if not rejected:
        return None
    return Told(
        event="rows_rejected",
        kind=DATA,
        heading="Rows rejected",
        severity=WARNING,
        sentence=f"{rejected} of {detail['rows']['in']} rows of run {run} of {place.customization} were rejected; "
        f"the run goes on with the others.",
        facts=_data(detail),
        lines=_quarantine(detail),
        next="See in the quarantine what is wrong with each row, before the next dataset has it too.",
    )


def _refused(run: str, detail: Detail, place: Place) -> Told:
    return Told(
        event="dataset_rejected",
        kind=DATA,
        heading="Dataset rejected",
        severity=ERROR,
        sentence=f"The dataset of run {run} of {place.customization} was rejected: {detail['reason']}",
        facts={**_data(detail), "reason": detail["reason"]},
        lines=_quarantine(detail),
        next=next_step("DatasetRejected", run, place),
    )


def _data(detail: Detail) -> dict[str, Any]:
    return {name: detail.get(name) for name in ("stage", "rows", "quarantine_uri", "manifest_uri")}


def _quarantine(detail: Detail) -> list[str]:
    stage = [f"Stage:      {detail['stage']}"] if detail.get("stage") else []
    return [*stage, f"Quarantine: {detail.get('quarantine_uri')}", f"Manifest:   {detail.get('manifest_uri')}"]


def _gate(run: str, detail: Detail, place: Place) -> Told:
    passed = detail["verdict"] == "PASSED"
    criteria = [{name: each.get(name) for name in _KEPT_OF_CRITERION} for each in detail["criteria"]]
    return Told(
        event="gate_passed" if passed else "gate_failed",
        kind=GATE,
        heading="Gate passed" if passed else "Gate failed",
        severity=INFO if passed else WARNING,
        sentence=f"Run {run} of {place.customization}: {detail['sentence']}",
        facts={"status": detail["verdict"], "criteria": criteria},
        lines=[f"{'passed' if each['passed'] else 'failed'}: {each['reason']}" for each in criteria],
        next=None if passed else f"Compare the scores: {place.command('eval', 'show', run)}",
    )


def _answered(run: str, detail: Detail, place: Place) -> Told:
    return Told(
        event="approval_answered",
        kind=APPROVAL,
        heading="Approval answered",
        sentence=f"Run {run} of {place.customization}: {detail['sentence']}",
        facts={"status": detail["decision"], "by": detail.get("by"), "reason": detail.get("reason")},
    )


def _expired(run: str, detail: Detail, place: Place) -> Told:
    return Told(
        event="approval_expired",
        kind=APPROVAL,
        heading="Approval expired",
        severity=WARNING,
        sentence=f"Run {run} of {place.customization}: {detail['reason']}",
        facts={"status": "EXPIRED", "deadline": asking.instant(detail["deadline"])},
        next=f"Deploy its model all the same: {place.command('run', 'start', '--mode', 'deploy', '--base-run', run)}",
    )


def _deployed(run: str, detail: Detail, place: Place) -> Told:
    return Told(
        event="deployed",
        kind=PRODUCTION,
        heading="Deployed",
        sentence=f"The model of run {run} of {place.customization} is in production: {detail['after']}",
        facts={"deployment_arn": detail["after"], "before": detail.get("before"), "parameter": detail["name"]},
        lines=[f"Before: {detail.get('before') or 'nothing'}", f"Parameter that callers read: {detail['name']}"],
    )


def _rolled_back(_run: str, detail: Detail, place: Place) -> Told:
    now, withdrawn, by = detail["after"], detail["withdrawn_run_id"], detail.get("by") or {}
    return Told(
        event="rolled_back",
        kind=PRODUCTION,
        heading="Rolled back",
        severity=WARNING,
        sentence=f"The model of run {withdrawn} of {place.customization} was withdrawn; run {now['run_id']} serves "
        f"again: {now['arn']}",
        facts={
            "deployment_arn": now["arn"],
            "deployed_run": now["run_id"],
            "before": detail["withdrawn_arn"],
            "parameter": detail["name"],
            "reason": detail.get("reason"),
            "by": by.get("alarm") or by.get("claim"),
        },
        lines=[f"Reason: {detail.get('reason') or 'none given'}", f"By:     {next(iter(by.values()), 'unknown')}"],
        next="Find out what was wrong before the next run deploys.",
    )


def _closed(run: str, detail: Detail, place: Place) -> Told | None:
    status, cause = detail["status"], detail.get("cause")
    if status == "DRY_RUN":
        return None  # whoever asked for it has the report
    word, severity = _ENDED.get(status, ("failed", ERROR))
    facts = {name: detail.get(name) for name in _KEPT_OF_CLOSED}
    because = f" {detail['error']}: {cause}" if word == "failed" else f" {cause}" if cause else ""
    return Told(
        event=f"run_{word}",
        kind=RUN_STATE,
        heading=f"Run {word}",
        severity=severity,
        sentence=f"Run {run} of {place.customization} has {_was(word)}.{because}",
        facts=facts,
        next=next_step(str(detail["error"]), run, place) if word == "failed" else None,
    )


def _was(word: str) -> str:
    return f"been {word}" if word in ("rejected", "skipped") else word


def _asked_for(run: str, detail: Detail, place: Place) -> Told:
    return asking.told(run, detail, place)


_TOLD: Final[Mapping[str, Callable[[str, Detail, Place], Told | None]]] = {
    "run_started": _started,
    "run_queued": _queued,
    "data_prepared": _prepared,
    "dataset_rejected": _refused,
    "gate_decided": _gate,
    "approval_requested": _asked_for,
    "approval_answered": _answered,
    "approval_expired": _expired,
    POINTER_MOVED: _deployed,
    "pointer_rolled_back": _rolled_back,
    RUN_CLOSED: _closed,
}
TYPES: Final = tuple(_TOLD)
"""The types of ledger events that may be told."""

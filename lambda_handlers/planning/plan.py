"""Plan a run: check what was asked, pin what it is about, and take what keeps other runs out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lambda_handlers.checks.findings import ORDER
from lambda_handlers.planning.context import Account, History, RunContext
from lambda_handlers.planning.dry_run import DryRun
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.plan_document import fingerprint_of, plan_document
from lambda_handlers.planning.run_checks import Checked, RunChecks
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.errors import DuplicateRun, RunLocked, TurnAwaited, service_errors
from lambda_handlers.protocol.fingerprint import claim, settle
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.runs import open_run
from lambda_handlers.protocol.turns import Concurrency
from lambda_handlers.training.continuing import planned_folder
from lambda_handlers.training.recipe import PAYLOAD_FILE, RECIPE_FILE

_TOLD_ALONE: Final = {"SKIP": "run_skipped", "QUEUE": "run_queued"}
"""The ledger event of a decision that nothing is done about yet."""


class _Taken(NamedTuple):
    """What a run got: the decision, why it is none to run, the lock's generation, whether another run kept it out."""

    decision: str
    reason: str | None = None
    generation: int = 0
    turned_away: bool = False


class Planner:
    """Plan runs of one customization."""

    def __init__(self, *, account: Account, history: History, ledger: Ledger, clock: Clock, places: Places) -> None:
        self._account = account
        self._history = history
        self._control = history.control
        self._ledger = ledger
        self._clock = clock
        self._places = places

    def plan(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run and its plan, and in a run that trains nothing the checkpoint that it is about.

        The decision is RUN; or SKIP, holding nothing, for duplicate input or while another run works; or QUEUE, with a
        place in the queue, where the run is to wait for that one: called again once its turn has come, the answer is
        RUN. DRY_RUN holds nothing either.

        Raises InvalidRequest, UnsupportedCombination, RecipeInvalid or QuotaExceeded, the first of these that any
        problem has, with every problem of every kind.
        """
        execution, config = event["execution"], event["config"]
        checked = self._check(event["input"], config, execution)
        if checked.asked.dry_run:
            # So that the reconciler closes it, should nobody else.
            open_run(self._control, execution["name"], execution["id"], self._clock.now())
            taken = _Taken("DRY_RUN")
        else:
            taken = self._take(checked, config, execution)
        run = Run(
            id=execution["name"],
            execution_arn=execution["id"],
            state_machine_arn=execution["state_machine"],
            started_at=execution["start_time"],
            lock_generation=taken.generation,
            resumes=checked.resumes,
        )
        plan = plan_document(checked, config, self._places, run.id, decision=taken.decision, reason=taken.reason)
        if taken.turned_away:
            plan["turned_away"] = True
        if taken.decision == "DRY_RUN":
            plan["report_uri"] = self._dry_run(run.id).report_uri
        self._record(run, plan, checked, config)
        checkpoint = {"checkpoint": checked.model.as_checkpoint()} if checked.model else {}
        return {"run": run.as_dict(), "plan": plan, **checkpoint}

    def _check(self, raw: Any, config: Mapping[str, Any], execution: Mapping[str, Any]) -> Checked:
        context = RunContext(
            account=self._account, history=self._history, places=self._places, config=config, execution=execution
        )
        checks = RunChecks(context)
        try:
            return checks.run(raw)
        except ORDER as error:
            if checks.asked.dry_run:
                problems = error.problems or (error.message,)
                self._dry_run(context.run_id).failed(problems, checks.findings.warnings)
            raise

    def _dry_run(self, run_id: str) -> DryRun:
        return DryRun(self._account.s3, self._places, run_id)

    def _take(self, checked: Checked, config: Mapping[str, Any], execution: Mapping[str, Any]) -> _Taken:
        """Claim the input and take the lock, or a place in the queue."""
        run_id, execution_arn, now = execution["name"], execution["id"], self._clock.now()
        mark = fingerprint_of(checked, config)
        try:
            claim(self._control, mark, run_id, checked.asked.force, now, execution_arn=execution_arn)
            generation = RunLock(self._control).acquire(
                run_id,
                execution_arn,
                now,
                policy=Concurrency(config.get("concurrency", Concurrency.SKIP)),
                started_at=execution["start_time"],
                deadline=int(now.timestamp()) + int(config.get("queue_deadline_seconds", 0)),
            )
        except TurnAwaited as wait:
            return _Taken("QUEUE", wait.message)
        except (DuplicateRun, RunLocked) as refusal:
            settle(self._control, run_id, "SKIPPED")
            return _Taken("SKIP", refusal.message, turned_away=isinstance(refusal, RunLocked))
        return _Taken("RUN", generation=generation)

    def _record(self, run: Run, plan: dict[str, Any], checked: Checked, config: Mapping[str, Any]) -> None:
        asked = {
            # Nothing attests who starts an execution; what the caller claims is kept as a claim.
            "requester": "unknown",
            "requested_by": checked.asked.requested_by,
            "reason": checked.asked.reason,
            "trigger": dict(checked.asked.trigger) if checked.asked.trigger else None,
        }
        if plan["decision"] in _TOLD_ALONE:
            kept = {name: plan[name] for name in ("mode", "reason", "dataset", "evaluation_sets", "start", "model")}
            detail = {**kept, "asked": asked}
            name = _TOLD_ALONE[plan["decision"]]
            self._ledger.append(run_id=run.id, event_id=name.replace("_", "-"), type=name, detail=detail)
            return
        if plan["decision"] == "DRY_RUN":
            self._dry_run(run.id).passed(
                plan,
                config,
                {**checked.training, **checked.further_training, **checked.evaluation, **checked.inference},
            )
        else:
            self._write_recipes(run.id, checked)
        event = "run_checked" if plan["decision"] == "DRY_RUN" else "run_started"
        detail = {"run": run.as_dict(), "plan": plan, "config": dict(config), "asked": asked}
        self._ledger.append(run_id=run.id, event_id=event.replace("_", "-"), type=event, detail=detail)

    def _write_recipes(self, run_id: str, checked: Checked) -> None:
        """Write the recipes that the jobs will read, and what the hub gave."""
        recipes = {**checked.training, **{planned_folder(key): each for key, each in checked.further_training.items()}}
        for folder, resolved in recipes.items():
            self._write(f"runs/{run_id}/{folder}/recipe/{RECIPE_FILE}", resolved.recipe.yaml_text.encode())
        for folder, resolved in {**checked.training, **checked.further_training}.items():
            if resolved.payload:
                self._write(f"runs/{run_id}/{folder}/recipe/{PAYLOAD_FILE}", resolved.payload.encode())
        for name, content in checked.recipes.snapshot().items() if checked.recipes else ():
            self._write(f"{self._places.hub_prefix(run_id)}{name}", content)

    def _write(self, key: str, body: bytes) -> None:
        with service_errors():
            self._account.s3.put_object(Bucket=self._places.artifacts_bucket, Key=key, Body=body)

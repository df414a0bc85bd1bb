"""Plan a run: check what was asked, pin what it is about, and take what keeps other runs out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.checks.findings import ORDER
from lambda_handlers.planning.dry_run import DryRun
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.run_checks import Account, Checked, RunChecks
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.errors import DuplicateRun, RunLocked, service_errors
from lambda_handlers.protocol.fingerprint import claim, fingerprint, settle
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.runs import open_run
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.training.recipe import RECIPE_FILE


class Planner:
    """Plan runs of one customization."""

    def __init__(self, *, account: Account, control: ItemStore, ledger: Ledger, clock: Clock, places: Places) -> None:
        self._account = account
        self._control = control
        self._ledger = ledger
        self._clock = clock
        self._places = places

    def plan(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run and its plan.

        The decision is RUN; or SKIP, holding nothing, for duplicate input or while another run works; or DRY_RUN,
        holding nothing either.

        Raises InvalidRequest, UnsupportedCombination, RecipeInvalid or QuotaExceeded, the first of these that any
        problem has, with every problem of every kind.
        """
        execution, config = event["execution"], event["config"]
        checked = self._check(event["input"], config, execution)
        if checked.asked.dry_run:
            # So that the reconciler closes it, should nobody else.
            open_run(self._control, execution["name"], execution["id"], self._clock.now())
            decision, reason, generation = "DRY_RUN", None, 0
        else:
            reason, generation = self._take(checked, config, execution)
            decision = "SKIP" if reason else "RUN"
        run = Run(
            id=execution["name"],
            execution_arn=execution["id"],
            state_machine_arn=execution["state_machine"],
            started_at=execution["start_time"],
            lock_generation=generation,
        )
        plan = self._plan_document(checked, run.id, decision, reason)
        self._record(run, plan, checked, config)
        return {"run": run.as_dict(), "plan": plan}

    def _check(self, raw: Any, config: Mapping[str, Any], execution: Mapping[str, Any]) -> Checked:
        checks = RunChecks(self._account, self._places, config, execution)
        try:
            return checks.run(raw)
        except ORDER as error:
            if checks.asked.dry_run:
                problems = error.problems or (error.message,)
                self._dry_run(execution["name"]).failed(problems, checks.findings.warnings)
            raise

    def _dry_run(self, run_id: str) -> DryRun:
        return DryRun(self._account.s3, self._places, run_id)

    def _take(
        self, checked: Checked, config: Mapping[str, Any], execution: Mapping[str, Any]
    ) -> tuple[str | None, int]:
        """Claim the input and take the lock; return why not, or the lock's generation."""
        run_id, execution_arn, now = execution["name"], execution["id"], self._clock.now()
        mark = fingerprint(
            dataset_sha256=checked.dataset.sha256,
            recipe_sha256=checked.training.identity,
            hub_content_version=checked.recipes.content.version,
            config={key: value for key, value in config.items() if key != "code_version"},
            code_version=config["code_version"],
        )
        try:
            claim(self._control, mark, run_id, checked.asked.force, now, execution_arn=execution_arn)
            return None, RunLock(self._control).acquire(run_id, execution_arn, now)
        except (DuplicateRun, RunLocked) as refusal:
            settle(self._control, run_id, "SKIPPED")
            return refusal.message, 0

    def _plan_document(self, checked: Checked, run_id: str, decision: str, reason: str | None) -> dict[str, Any]:
        content, asked = checked.recipes.content, checked.asked
        report = {"report_uri": self._dry_run(run_id).report_uri} if decision == "DRY_RUN" else {}
        return {
            **report,
            "decision": decision,
            "reason": reason,
            "mode": asked.mode,
            "dataset": checked.dataset.as_dict(),
            "force": asked.force,
            "own_recipe": asked.recipe
            if asked.recipe is None or isinstance(asked.recipe, str)
            else "given in the input",
            "overrides": dict(checked.overrides),
            "warnings": list(checked.warnings),
            "training": {
                "recipe_prefix_uri": self._places.recipe_prefix_uri(run_id, "training"),
                "recipe_file": RECIPE_FILE,
                "image_uri": checked.training.image_uri,
                "recipe_sha256": checked.training.recipe.sha256,
                "hub_content_version": content.version,
                "hub_content_arn": content.arn,
            },
        }

    def _record(self, run: Run, plan: dict[str, Any], checked: Checked, config: Mapping[str, Any]) -> None:
        asked = {
            # Nothing attests who starts an execution; what the caller claims is kept as a claim.
            "requester": "unknown",
            "requested_by": checked.asked.requested_by,
            "reason": checked.asked.reason,
        }
        if plan["decision"] == "SKIP":
            detail = {"reason": plan["reason"], "dataset": plan["dataset"], "asked": asked}
            self._ledger.append(run_id=run.id, event_id="run-skipped", type="run_skipped", detail=detail)
            return
        with service_errors():
            self._account.s3.put_object(
                Bucket=self._places.artifacts_bucket,
                Key=f"runs/{run.id}/training/recipe/{RECIPE_FILE}",
                Body=checked.training.recipe.yaml_text.encode(),
            )
        if plan["decision"] == "DRY_RUN":
            self._dry_run(run.id).passed(plan, config, checked.training.recipe.values)
        event = "run_checked" if plan["decision"] == "DRY_RUN" else "run_started"
        detail = {"run": run.as_dict(), "plan": plan, "config": dict(config), "asked": asked}
        self._ledger.append(run_id=run.id, event_id=event.replace("_", "-"), type=event, detail=detail)

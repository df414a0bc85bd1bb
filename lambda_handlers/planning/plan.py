"""Plan a run: check what was asked, pin what it is about, and take what keeps other runs out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning.dataset import PinnedDataset
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.errors import DuplicateRun, RunLocked, service_errors
from lambda_handlers.protocol.fingerprint import claim, fingerprint, settle
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.training.recipe import RECIPE_FILE, Locations, Recipes, ResolvedRecipe, check_combination

# Stands for the checkpoint that training will make, so that evaluation recipes can be checked before it is bought.
_CHECKPOINT_TO_COME: Final = "s3://customer-escrow-000000000000-smtj-planned/checkpoint"


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Names of the infrastructure that a plan refers to."""

    slug: str
    prepared_bucket: str
    artifacts_bucket: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Checked:
    """Everything known of a run before it may start."""

    asked: ExecutionInput
    dataset: PinnedDataset
    recipes: Recipes
    training: ResolvedRecipe
    overrides: Mapping[str, Any]


class Planner:
    """Plan runs of one customization."""

    def __init__(
        self, *, s3: Any, sagemaker: Any, control: ItemStore, ledger: Ledger, clock: Clock, places: Places
    ) -> None:
        self._s3 = s3
        self._sagemaker = sagemaker
        self._control = control
        self._ledger = ledger
        self._clock = clock
        self._places = places

    def plan(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run and its plan; decision SKIP, holding nothing, for duplicate input or while another run works.

        Raises InvalidRequest, UnsupportedCombination or RecipeInvalid with every problem of the kind.
        """
        execution, config = event["execution"], event["config"]
        checked = self._check(event["input"], config, execution["name"])
        reason, generation = self._take(checked, config, execution)
        run = Run(
            id=execution["name"],
            execution_arn=execution["id"],
            state_machine_arn=execution["state_machine"],
            started_at=execution["start_time"],
            lock_generation=generation,
        )
        plan = self._plan_document(checked, run.id, reason)
        self._record(run, plan, checked, config)
        return {"run": run.as_dict(), "plan": plan}

    def _check(self, raw: Any, config: Mapping[str, Any], run_id: str) -> _Checked:
        asked = ExecutionInput.parse(raw)
        check_combination(config)
        dataset = datasets.pin(self._s3, asked.dataset_uri, asked.dataset_version_id)
        recipes = Recipes(
            sagemaker=self._sagemaker,
            s3=self._s3,
            model=catalog.model(config["model"]),
            content_version=asked.hub_content_version,
        )
        overrides = {**config.get("overrides", {}), **asked.overrides}
        training = recipes.training(
            method=catalog.method(config["method"]),
            settings=config["training"],
            name=self._places.slug,
            overrides=overrides,
            locations=self._locations(run_id),
        )
        for settings in config.get("evaluation", ()):
            recipes.evaluation(settings=settings, name=self._places.slug, model_path=_CHECKPOINT_TO_COME)
            if settings.get("dataset_uri"):
                datasets.find(self._s3, settings["dataset_uri"], what=f"dataset of evaluation {settings['task']}")
        return _Checked(asked=asked, dataset=dataset, recipes=recipes, training=training, overrides=overrides)

    def _locations(self, run_id: str) -> Locations:
        return Locations(
            data_uri=f"s3://{self._places.prepared_bucket}/runs/{run_id}/train.jsonl",
            output_uri=f"s3://{self._places.artifacts_bucket}/runs/{run_id}/jobs",
        )

    def _take(
        self, checked: _Checked, config: Mapping[str, Any], execution: Mapping[str, Any]
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

    def _plan_document(self, checked: _Checked, run_id: str, reason: str | None) -> dict[str, Any]:
        folder = f"runs/{run_id}/training/recipe"
        content = checked.recipes.content
        return {
            "decision": "SKIP" if reason else "RUN",
            "reason": reason,
            "mode": checked.asked.mode,
            "dataset": checked.dataset.as_dict(),
            "force": checked.asked.force,
            "overrides": dict(checked.overrides),
            "training": {
                "recipe_prefix_uri": f"s3://{self._places.artifacts_bucket}/{folder}/",
                "recipe_file": RECIPE_FILE,
                "image_uri": checked.training.image_uri,
                "recipe_sha256": checked.training.recipe.sha256,
                "hub_content_version": content.version,
                "hub_content_arn": content.arn,
            },
        }

    def _record(self, run: Run, plan: dict[str, Any], checked: _Checked, config: Mapping[str, Any]) -> None:
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
            self._s3.put_object(
                Bucket=self._places.artifacts_bucket,
                Key=f"runs/{run.id}/training/recipe/{RECIPE_FILE}",
                Body=checked.training.recipe.yaml_text.encode(),
            )
        detail = {"run": run.as_dict(), "plan": plan, "config": dict(config), "asked": asked}
        self._ledger.append(run_id=run.id, event_id="run-started", type="run_started", detail=detail)

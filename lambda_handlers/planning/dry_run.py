"""What a dry run leaves: the recipe where a run would have put it, the request it would have sent, and a report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.planning.further_training import further_stages
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.training_checks import TRAINING
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.training.job import request_with
from lambda_handlers.training.recipe import ResolvedRecipe
from lambda_handlers.training.stages import training_stage

REPORT_FILE: Final = "report.json"
REQUEST_FILE: Final = "training-request.json"


class DryRun:
    """Write the findings of one run that is only checked, below `runs/<run>/dry-run/` of the artifacts bucket."""

    def __init__(self, s3: Any, places: Places, run_id: str) -> None:
        self._s3, self._places, self._run_id = s3, places, run_id

    @property
    def report_uri(self) -> str:
        """Where the report is."""
        return self._uri(REPORT_FILE)

    def failed(self, problems: Sequence[str], warnings: Sequence[str]) -> None:
        """Report a run that could not start."""
        self._put(REPORT_FILE, {"run_id": self._run_id, "problems": list(problems), "warnings": list(warnings)})

    def passed(self, plan: Mapping[str, Any], config: Mapping[str, Any], recipes: Mapping[str, ResolvedRecipe]) -> None:
        """Report a run that could start, with the CreateTrainingJob request that it would send.

        `recipes` are those of the run's jobs by stage. Name, tags of the workflow and everything after training are not
        in the request: they are made when their time comes.
        """
        found = {
            name: plan[name]
            for name in ("warnings", "mode", "start", "model", "dataset", "overrides", "training", "further_training")
        }
        report = {"run_id": self._run_id, "problems": [], **found}
        if TRAINING in recipes:
            self._put(REQUEST_FILE, self._training_request(plan["training"], config, recipes[TRAINING]))
            report["request_uri"] = self._uri(REQUEST_FILE)
        report["further_request_uris"] = {
            stage["name"]: self._further_request(plan["further_training"][stage["name"]], stage, recipes)
            for stage in further_stages(config)
            if training_stage(stage["name"]) in recipes
        }
        self._put(REPORT_FILE, report)

    def _further_request(
        self, planned: Mapping[str, Any], stage: Mapping[str, Any], recipes: Mapping[str, ResolvedRecipe]
    ) -> str:
        """Write the request of a further stage, from what stands for the checkpoint to come; return where it is."""
        subject, name = training_stage(stage["name"]), f"{training_stage(stage['name'])}-request.json"
        self._put(name, self._training_request(planned, stage, recipes[subject], stage["name"]))
        return self._uri(name)

    def _training_request(
        self,
        planned: Mapping[str, Any],
        config: Mapping[str, Any],
        resolved: ResolvedRecipe,
        further: str | None = None,
    ) -> dict[str, Any]:
        validation = self._places.validation_uri(self._run_id, config, further)
        event = {
            "recipe": planned,
            "config": config,
            "run": {"id": self._run_id},
            "train_uri": self._places.train_uri(self._run_id, further),
            # Whether a split by content leaves any row is known once the data is prepared.
            "validation": {"uri": validation, "rows": 1} if validation else None,
        }
        return request_with(
            event,
            recipe=resolved.recipe.values,
            role_arn=self._places.role_arn,
            artifacts_bucket=self._places.artifacts_bucket,
            key_arn=self._places.key_arn,
        )

    def _uri(self, name: str) -> str:
        return f"s3://{self._places.artifacts_bucket}/{self._key(name)}"

    def _key(self, name: str) -> str:
        return f"runs/{self._run_id}/dry-run/{name}"

    def _put(self, name: str, document: Mapping[str, Any]) -> None:
        body = json.dumps(document, indent=2, ensure_ascii=False).encode()
        with service_errors():
            self._s3.put_object(Bucket=self._places.artifacts_bucket, Key=self._key(name), Body=body)

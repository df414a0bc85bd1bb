"""What a dry run leaves: a report, every request that the run would have sent, and the recipes that they name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from lambda_handlers.planning.places import Places
from lambda_handlers.planning.planned_objects import planned_objects
from lambda_handlers.planning.planned_requests import PlannedRequest, planned_requests
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.training.recipe import ResolvedRecipe

REPORT_FILE: Final = "report.json"


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
        found = {"run_id": self._run_id, "problems": list(problems), "warnings": list(warnings)}
        self._put(REPORT_FILE, {**found, "plan": None, "cost": None, "requests": []})

    def passed(self, plan: Mapping[str, Any], config: Mapping[str, Any], recipes: Mapping[str, ResolvedRecipe]) -> None:
        """Report a run that could start: its plan, what it may cost, and where its requests and recipes are.

        `recipes` are those of the run's jobs by stage and choice.
        """
        requests = planned_requests(plan, config, recipes, self._places, self._run_id)
        report = {
            "run_id": self._run_id,
            "problems": [],
            "warnings": plan["warnings"],
            "plan": plan,
            "cost": plan["cost"],
            "requests": [self._keep(request) for request in requests],
        }
        self._put(REPORT_FILE, report)

    def _keep(self, request: PlannedRequest) -> dict[str, Any]:
        """Write a request and its recipe, and return what the report says of them."""
        name = f"requests/{request.stage}.json"
        self._put(name, request.body)
        found = {
            "stage": request.stage,
            "operation": request.operation,
            "platform": request.platform,
            "request_uri": self._uri(name),
            "recipe_uri": None,
            "stand_ins": request.stand_ins,
            "only_if": request.only_if,
        }
        if request.is_of_objects:
            objects = f"objects/{request.stage}.yaml"
            made = planned_objects(request.body, self._places)
            self._write(objects, yaml.safe_dump_all(made, sort_keys=False, explicit_start=True).encode())
            found["objects_uri"] = self._uri(objects)
        if request.recipe is None:
            return found
        place = f"recipes/{request.stage}.yaml"
        self._write(place, request.recipe.yaml_text.encode())
        return {**found, "recipe_uri": self._uri(place)}

    def _uri(self, name: str) -> str:
        return f"s3://{self._places.artifacts_bucket}/{self._key(name)}"

    def _key(self, name: str) -> str:
        return f"runs/{self._run_id}/dry-run/{name}"

    def _put(self, name: str, document: Mapping[str, Any]) -> None:
        self._write(name, json.dumps(document, indent=2, ensure_ascii=False).encode())

    def _write(self, name: str, body: bytes) -> None:
        with service_errors():
            self._s3.put_object(Bucket=self._places.artifacts_bucket, Key=self._key(name), Body=body)

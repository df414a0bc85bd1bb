"""The states that evaluate one model by one task: those of the candidate, and of a model it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.catalog import evaluation_task
from lambda_handlers.recipes.finding import WITHOUT_ENTRY
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.handler_assets import handler_code
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.stage import Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Branches:
    """Makes branches of the Parallel state under `scope`, which call these functions."""

    scope: Construct
    workshop: Workshop
    model: str
    submit: HandlerFunction
    read: HandlerFunction
    find_baseline: HandlerFunction | None

    def candidate(self, task: EvaluationTask) -> sfn.IChainable:
        """Return the job that evaluates the run's model, and the reading of its scores."""
        subject = {"subject": {"model": "candidate", "model_path.$": "$.checkpoint.uri"}}
        return self._measure(task, task.name, {**self._payload(task, None), **subject})

    def baseline(self, task: EvaluationTask, model: str, *, base_measured: bool) -> sfn.IChainable:
        """Return the states that find the scores of `production` or `base`, by a job of its own if need be."""
        assert self.find_baseline is not None
        name, payload = f"{task.name}-{model}", self._payload(task, model)
        find = lambda_task(
            self.scope,
            f"FindBaseline-{name}",
            function=self.find_baseline,
            payload={**payload, "base_measured": base_measured},
            result_path="$.baseline",
        )
        measure = self._measure(task, name, {**payload, "subject.$": "$.baseline.subject"})
        known = sfn.Pass(self.scope, f"KnownScores-{name}", input_path="$.baseline.record")
        none = sfn.Pass(self.scope, f"NoBaseline-{name}", result=sfn.Result.from_object({}))
        decision = sfn.Choice(self.scope, f"Baseline-{name}")
        decision.when(sfn.Condition.string_equals("$.baseline.decision", "MEASURE"), measure)
        decision.when(sfn.Condition.string_equals("$.baseline.decision", "KNOWN"), known)
        return find.next(decision.otherwise(none))

    def _payload(self, task: EvaluationTask, baseline: str | None) -> dict[str, Any]:
        config = {"model": self.model, "deadline_seconds": task.runs_on.deadline.to_seconds()}
        if evaluation_task(task.task).recipe_kind in WITHOUT_ENTRY:
            # The recipe comes with the code: what other code has measured is not known to be the same.
            config["code_version"] = handler_code().sha256
        return {
            **RUN,
            "task": settings_of(task, self.workshop.store, baseline),
            "hub_content_version.$": "$.plan.hub.content_version",
            "config": config,
            **({"set.$": f"$.evaluation_sets.{task.task}"} if task.dataset else {}),
        }

    def _measure(self, task: EvaluationTask, name: str, payload: Mapping[str, Any]) -> sfn.Chain:
        submit = job_task(
            self.scope,
            f"Evaluate-{name}",
            function=self.submit,
            payload=payload,
            result_path="$.submitted",
            deadline=task.runs_on.deadline,
            grace=self.workshop.grace,
            choices=len(task.runs_on.choices),
        )
        read = lambda_task(
            self.scope,
            f"ReadScores-{name}",
            function=self.read,
            payload={**payload, "submitted.$": "$.submitted"},
            result_path="$",
        )
        return sfn.Chain.start(submit).next(read)


def settings_of(task: EvaluationTask, store: ArtifactStore, baseline: str | None = None) -> dict[str, Any]:
    """Return a task as the functions read it; `baseline` names the model it is asked of, where not the candidate."""
    return {**task.config(store), **({"baseline": baseline} if baseline else {})}

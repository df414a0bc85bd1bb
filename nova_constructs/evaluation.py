"""The evaluation stage: every task a job of its own, side by side, and its scores.

Input: `$.checkpoint.uri`, `$.plan`; `$.evaluation_sets` where a task has data of your own. Output: `$.evaluations`, one
record per task with its metrics, and one per task and model that the gate compares with.
Errors: `EvaluationFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.

Scores of production and of the base model are kept, and measured again only where the set, the recipes or the settings
are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.evaluation.known_scores import PREFIX
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.evaluation_branch import Branches, settings_of
from nova_constructs.evaluation_sets import looking_back
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.hyperpod import on_clusters, on_training_jobs
from nova_constructs.quality_gate import QualityGate
from nova_constructs.run_plan import read_recipes
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training import job_submitter, list_job_output, output_reader

Baseline = tuple[EvaluationTask, str]
"""A task, and the model of comparison it is asked of too: production or base."""


def baselines_of(tasks: Sequence[EvaluationTask], gate: QualityGate) -> list[Baseline]:
    """Return what the gate needs to know of production and of the base model, in the order of the tasks."""
    needed = gate.needs_baseline([(task.task, task.subtask) for task in tasks])
    models = ("production", "base")
    return [(task, model) for task in tasks for model in models if (task.task, task.subtask, model) in needed]


def baselines_config(baselines: Sequence[Baseline], store: ArtifactStore) -> list[dict[str, Any]]:
    """Return the evaluations of models of comparison as the plan reads them: each may cost a job."""
    return [settings_of(task, store, model) for task, model in baselines]


class Evaluation(Stage):
    """Evaluates the candidate, and what it is compared with.

    Attributes: `submit`, `read`; `find_baseline`, None without comparisons.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole | None,
        model: str,
        tasks: Sequence[EvaluationTask],
        baselines: Sequence[Baseline] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        platforms = [task.runs_on for task in tasks]
        self.submit = job_submitter(self, "Submit", "submit_evaluation", workshop, execution_role, platforms)
        self.submit.write_objects("WriteRecipe", workshop.store.artifacts, "runs/*/evaluation-*/recipe/*")
        read_recipes(self.submit)
        self.read = self._reader(tasks)
        self.find_baseline = self._finder() if baselines else None
        self.run_in_order(self._side_by_side(model, tasks, baselines))

    def _side_by_side(self, model: str, tasks: Sequence[EvaluationTask], baselines: Sequence[Baseline]) -> sfn.Parallel:
        branches = Branches(
            scope=self,
            workshop=self._workshop,
            model=model,
            submit=self.submit,
            read=self.read,
            find_baseline=self.find_baseline,
        )
        side_by_side = sfn.Parallel(self, "Evaluate", result_path="$.evaluations")
        for task in tasks:
            side_by_side.branch(branches.candidate(task))
        for task, against in baselines:
            measured = any(other is task and model == "base" for other, model in baselines)
            side_by_side.branch(branches.baseline(task, against, base_measured=measured))
        return side_by_side

    def _reader(self, tasks: Sequence[EvaluationTask]) -> HandlerFunction:
        artifacts = self._workshop.store.artifacts
        environment = {"ARTIFACTS_BUCKET": artifacts.bucket_name}
        # An archive is read to its end, and may have gigabytes.
        function = output_reader(
            self, "Read", "read_evaluation", self._workshop, environment=environment, timeout=Duration.minutes(15)
        )
        function.write_objects("KeepScores", artifacts, f"{PREFIX}*")
        if on_clusters(task.runs_on for task in tasks):
            list_job_output(function, artifacts)
        if any(platform.tensorboard for platform in on_training_jobs(task.runs_on for task in tasks)):
            function.write_objects("WriteTensorBoard", artifacts, "runs/*/evaluation-*/tensorboard/*")
        return function

    def _finder(self) -> HandlerFunction:
        artifacts = self._workshop.store.artifacts
        environment = {"ARTIFACTS_BUCKET": artifacts.bucket_name}
        function = looking_back(self, "FindBaseline", "find_baseline", self._workshop, environment)
        function.read_objects("ReadKnownScores", artifacts, f"{PREFIX}*")
        # Without it S3 does not tell scores that are not there from those that may not be read.
        function.allow("MissKnownScores", ["s3:ListBucket"], [artifacts.bucket_arn])
        return function

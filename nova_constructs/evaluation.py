"""The evaluation stage: every task a job of its own, side by side, and its scores.

Input: `$.checkpoint.uri`, `$.plan`. Output: `$.evaluations`, one record per task with its metrics, and one per task and
model that the gate compares with; `$.evaluation_sets` where a task has data of your own.
Errors: `EvaluationFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.

The rows of a set are frozen for the run: the candidate and the models it is compared with are asked the same. Scores of
production and of the base model are kept, and measured again only where the set, the recipes or the settings are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.evaluation.known_scores import PREFIX
from nova_constructs.artifact_store import EVALUATION_PREFIX, ArtifactStore
from nova_constructs.data_format import DataFormat
from nova_constructs.evaluation_branch import Branches, settings_of
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.quality_gate import QualityGate
from nova_constructs.run_plan import read_recipes
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training import job_submitter, output_reader

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

    Attributes: `submit`, `read`; `freeze`, None without data of your own; `find_baseline`, None without comparisons.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole,
        model: str,
        tasks: Sequence[EvaluationTask],
        data: DataFormat,
        baselines: Sequence[Baseline] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self._own_data = [task for task in tasks if task.dataset]
        self.submit = job_submitter(self, "Submit", "submit_evaluation", workshop, execution_role)
        self.submit.write_objects("WriteRecipe", workshop.store.artifacts, "runs/*/evaluation-*/recipe/*")
        read_recipes(self.submit)
        self.read = self._reader(tasks)
        self.freeze = self._freezer() if self._own_data else None
        self.find_baseline = self._finder() if baselines else None
        side_by_side = self._side_by_side(model, tasks, baselines)
        self.run_in_order(*([self._freeze(model, data)] if self.freeze else []), side_by_side)

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

    def _freeze(self, model: str, data: DataFormat) -> sfn.CustomState:
        assert self.freeze is not None
        return lambda_task(
            self,
            "FreezeEvaluationSets",
            function=self.freeze,
            payload={
                **RUN,
                "plan.$": "$.plan",
                "tasks": [settings_of(task, self._workshop.store) for task in self._own_data],
                "config": {"model": model, "max_reject_ratio": data.max_reject_ratio},
            },
            result_path="$.evaluation_sets",
        )

    def _reader(self, tasks: Sequence[EvaluationTask]) -> HandlerFunction:
        artifacts = self._workshop.store.artifacts
        environment = {"ARTIFACTS_BUCKET": artifacts.bucket_name}
        # An archive is read to its end, and may have gigabytes.
        function = output_reader(
            self, "Read", "read_evaluation", self._workshop, environment=environment, timeout=Duration.minutes(15)
        )
        function.write_objects("KeepScores", artifacts, f"{PREFIX}*")
        if any(task.runs_on.tensorboard for task in tasks):
            function.write_objects("WriteTensorBoard", artifacts, "runs/*/evaluation-*/tensorboard/*")
        return function

    def _freezer(self) -> HandlerFunction:
        store = self._workshop.store
        function = self._looking_back(
            "Freeze",
            "freeze_evaluation_sets",
            {"PREPARED_BUCKET": store.prepared.bucket_name},
            third_party=True,
            timeout=Duration.minutes(15),
            memory_mib=1769,  # one whole vCPU
        )
        for sid, bucket, pattern in (
            ("EvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*"),
            ("PreparedData", store.prepared, "runs/*"),
        ):
            function.read_objects(f"Find{sid}", bucket, pattern)
            function.read_objects(f"Read{sid}", bucket, pattern, action="s3:GetObjectVersion")
        function.write_objects("WriteEvaluationSets", store.prepared, "runs/*/evaluation-sets/*")
        return function

    def _finder(self) -> HandlerFunction:
        artifacts = self._workshop.store.artifacts
        function = self._looking_back("FindBaseline", "find_baseline", {"ARTIFACTS_BUCKET": artifacts.bucket_name})
        function.read_objects("ReadKnownScores", artifacts, f"{PREFIX}*")
        # Without it S3 does not tell scores that are not there from those that may not be read.
        function.allow("MissKnownScores", ["s3:ListBucket"], [artifacts.bucket_arn])
        return function

    def _looking_back(
        self, construct_id: str, handler: str, environment: dict[str, str], **settings: Any
    ) -> HandlerFunction:
        """Return a function that sees which run made production, and what runs have left in the ledger."""
        control, ledger = self._workshop.control, self._workshop.ledger
        known = {**environment, **control.environment, **ledger.environment}
        known["RUN_LEDGER_TABLE"] = ledger.table.table_name
        function = HandlerFunction(self, construct_id, handler=handler, environment=known, **settings)
        function.use_table("ReadPointer", control.table, "GetItem")
        function.use_table("ReadRuns", ledger.table, "Query")
        ledger.grant_append(function)
        return function

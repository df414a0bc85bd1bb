"""The evaluation stage: every task a job of its own, side by side, and its scores.

Input: `$.checkpoint.uri`. Output: `$.evaluations`, one record per task with its metrics.
Errors: `EvaluationFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.execution_role import ExecutionRole
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.run_plan import read_recipes
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training import job_submitter, output_reader


class Evaluation(Stage):
    """Evaluates the candidate. Attributes: `submit`, `read`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole,
        model: str,
        tasks: Sequence[EvaluationTask],
    ) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self._model = model
        self.submit = job_submitter(self, "Submit", "submit_evaluation", workshop, execution_role)
        self.submit.write_objects("WriteRecipe", workshop.store.artifacts, "runs/*/evaluation-*/recipe/*")
        read_recipes(self.submit)
        self.read = output_reader(self, "Read", "read_evaluation", workshop)
        side_by_side = sfn.Parallel(self, "Evaluate", result_path="$.evaluations")
        for task in tasks:
            side_by_side.branch(self._branch(task))
        self.run_in_order(side_by_side)

    def _branch(self, task: EvaluationTask) -> sfn.IChainable:
        name = task.name
        settings = task.config(self._workshop.store)
        submit = job_task(
            self,
            f"Evaluate-{name}",
            function=self.submit,
            payload={
                **RUN,
                "task": settings,
                "checkpoint_uri.$": "$.checkpoint.uri",
                "hub_content_version.$": "$.plan.training.hub_content_version",
                "config": {"model": self._model, "deadline_seconds": task.runs_on.deadline.to_seconds()},
            },
            result_path="$.submitted",
            deadline=task.runs_on.deadline,
            grace=self._workshop.grace,
            choices=len(task.runs_on.choices),
        )
        return submit.next(
            lambda_task(
                self,
                f"ReadScores-{name}",
                function=self.read,
                payload={**RUN, "task": settings, "submitted.$": "$.submitted"},
                result_path="$",
            )
        )

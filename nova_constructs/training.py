"""The training stage: one job on the chosen platform, and the checkpoint it leaves.

Input: `$.data.train.uri`, with a validation share `$.data.validation`, `$.plan.training`.
Output: `$.training` (job, output location), `$.checkpoint` (URI).
Errors: `JobFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.platforms import TrainingJobs
from nova_constructs.stage import Stage, Workshop


class Training(Stage):
    """Trains the model. Attributes: `submit`, `resolve_checkpoint`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole,
        model: str,
        method: str,
        platform: TrainingJobs,
        validates: bool,
    ) -> None:
        """Create the stage; `validates` tells that the data stage leaves rows for validation."""
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self.submit = job_submitter(self, "Submit", "submit_training", workshop, execution_role)
        self.submit.read_objects("ReadRecipe", workshop.store.artifacts, "runs/*/training/recipe/*")
        self.resolve_checkpoint = output_reader(self, "ResolveCheckpoint", "resolve_checkpoint", workshop)
        self.run_in_order(self._train(model, method, platform, validates), self._find_checkpoint())

    def _train(self, model: str, method: str, platform: TrainingJobs, validates: bool) -> sfn.CustomState:
        config = {
            "model": model,
            "method": method,
            "training": platform.config(),
            "deadline_seconds": platform.deadline.to_seconds(),
        }
        return job_task(
            self,
            "Train",
            function=self.submit,
            payload={
                **RUN,
                "recipe.$": "$.plan.training",
                "train_uri.$": "$.data.train.uri",
                **({"validation.$": "$.data.validation"} if validates else {}),
                "config": config,
            },
            result_path="$.training",
            deadline=platform.deadline,
            grace=self._workshop.grace,
        )

    def _find_checkpoint(self) -> sfn.CustomState:
        return lambda_task(
            self,
            "FindCheckpoint",
            function=self.resolve_checkpoint,
            payload={**RUN, "training.$": "$.training"},
            result_path="$.checkpoint",
        )


def output_reader(scope: Construct, construct_id: str, handler: str, workshop: Workshop) -> HandlerFunction:
    """Return a function that reads what a job has written."""
    function = HandlerFunction(scope, construct_id, handler=handler, environment=workshop.ledger.environment)
    function.read_objects("ReadJobOutput", workshop.store.artifacts, "runs/*/jobs/*")
    workshop.ledger.grant_append(function)
    return function


def job_submitter(
    scope: Construct, construct_id: str, handler: str, workshop: Workshop, execution_role: ExecutionRole
) -> HandlerFunction:
    """Return a function that submits training jobs under the execution role."""
    function = HandlerFunction(
        scope,
        construct_id,
        handler=handler,
        third_party=True,
        environment={
            **workshop.identity.environment,
            **workshop.waiting.environment,
            **workshop.control.environment,
            **workshop.ledger.environment,
            "ARTIFACTS_BUCKET": workshop.store.artifacts.bucket_name,
            "TRAINING_ROLE_ARN": execution_role.role.role_arn,
            "KEY_ARN": workshop.store.key.key_arn,
        },
    )
    workshop.waiting.allow_submitting(function)
    workshop.waiting.permissions.create_training_jobs(function, execution_role.role)
    return function

"""The training stage: one job on the chosen platform, and the checkpoint it leaves, from which further ones go on.

Input: `$.data.train.uri`, with a validation share `$.data.validation`, `$.plan.training`; for each further stage the
same at `$.further_data.NAME` and `$.plan.further_training.NAME`.
Output: `$.training` (job, output location), `$.further_training.NAME`, `$.checkpoint` (URI), which is the last one's.
Errors: `JobFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Size
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.hyperpod import Runtime, on_clusters, on_training_jobs
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training_stage import TrainingStage


class Training(Stage):
    """Trains the model. Attributes: `submit`, `resolve_checkpoint`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole | None,
        model: str,
        method: str,
        platform: Runtime,
        validates: bool,
        further: Sequence[TrainingStage] = (),
    ) -> None:
        """Create the stage; `validates` tells that the data stage leaves rows for validation.

        `further` stages train in order, each from the checkpoint of the one before it.
        """
        super().__init__(scope, construct_id)
        self._workshop = workshop
        platforms = [platform, *(stage.runs_on for stage in further)]
        self.submit = job_submitter(self, "Submit", "submit_training", workshop, execution_role, platforms)
        self.submit.read_objects("ReadRecipe", workshop.store.artifacts, "runs/*/training*/recipe/*")
        if further:
            # Which checkpoint they go on from is known once there is one.
            self.submit.write_objects("WriteRecipe", workshop.store.artifacts, "runs/*/training-*/recipe/*")
        self.resolve_checkpoint = output_reader(self, "ResolveCheckpoint", "resolve_checkpoint", workshop)
        self.run_in_order(
            *self._first(model, method, platform, validates),
            *(state for stage in further for state in self._further(model, stage)),
        )

    def _first(self, model: str, method: str, platform: Runtime, validates: bool) -> list[sfn.CustomState]:
        payload = {
            **RUN,
            "recipe.$": "$.plan.training",
            "train_uri.$": "$.data.train.uri",
            "train_sha256.$": "$.data.train.sha256",
            **({"validation.$": "$.data.validation"} if validates else {}),
            "config": _config(model, method, platform),
        }
        return [
            self._train("Train", payload, platform, result_path="$.training"),
            self._find_checkpoint("FindCheckpoint", {**RUN, "training.$": "$.training"}),
        ]

    def _further(self, model: str, stage: TrainingStage) -> list[sfn.CustomState]:
        name, data, result_path = stage.name, f"$.further_data.{stage.name}", f"$.further_training.{stage.name}"
        payload = {
            **RUN,
            "stage": name,
            "recipe.$": f"$.plan.further_training.{name}",
            "train_uri.$": f"{data}.train.uri",
            "train_sha256.$": f"{data}.train.sha256",
            **({"validation.$": f"{data}.validation"} if stage.data.validates else {}),
            "checkpoint.$": "$.checkpoint",
            "config": _config(model, stage.trains_by, stage.runs_on),
        }
        return [
            self._train(f"Train-{name}", payload, stage.runs_on, result_path=result_path),
            self._find_checkpoint(f"FindCheckpoint-{name}", {**RUN, "stage": name, "training.$": result_path}),
        ]

    def _train(
        self, construct_id: str, payload: Mapping[str, Any], platform: Runtime, *, result_path: str
    ) -> sfn.CustomState:
        return job_task(
            self,
            construct_id,
            function=self.submit,
            payload=payload,
            result_path=result_path,
            deadline=platform.deadline,
            grace=self._workshop.grace,
            choices=len(platform.choices),
        )

    def _find_checkpoint(self, construct_id: str, payload: Mapping[str, Any]) -> sfn.CustomState:
        return lambda_task(
            self, construct_id, function=self.resolve_checkpoint, payload=payload, result_path="$.checkpoint"
        )


def _config(model: str, method: str, platform: Runtime) -> dict[str, Any]:
    return {
        "model": model,
        "method": method,
        "training": platform.config(),
        "deadline_seconds": platform.deadline.to_seconds(),
    }


def output_reader(
    scope: Construct,
    construct_id: str,
    handler: str,
    workshop: Workshop,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: Duration | None = None,
    memory_mib: int = 512,
    scratch: Size | None = None,
) -> HandlerFunction:
    """Return a function that reads what a job has written; `environment` is what it needs beyond the ledger."""
    known = {**workshop.ledger.environment, **(environment or {})}
    function = HandlerFunction(
        scope,
        construct_id,
        handler=handler,
        environment=known,
        timeout=timeout,
        memory_mib=memory_mib,
        scratch=scratch,
    )
    function.read_objects("ReadJobOutput", workshop.store.artifacts, "runs/*/jobs/*")
    workshop.ledger.grant_append(function)
    return function


def list_job_output(function: HandlerFunction, artifacts: s3.IBucket) -> None:
    """Let a function list what jobs left: files in a folder, or one archive, to see that it is there."""
    only = {"StringLike": {"s3:prefix": ["runs/*/jobs/*"]}}
    function.allow("ListJobOutput", ["s3:ListBucket"], [artifacts.bucket_arn], only)


def job_submitter(
    scope: Construct,
    construct_id: str,
    handler: str,
    workshop: Workshop,
    execution_role: ExecutionRole | None,
    platforms: Sequence[Runtime],
) -> HandlerFunction:
    """Return a function that submits jobs on these platforms, training jobs under the execution role."""
    by_training_jobs = bool(on_training_jobs(platforms))
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
            **({"TRAINING_ROLE_ARN": execution_role.role.role_arn} if by_training_jobs and execution_role else {}),
            "KEY_ARN": workshop.store.key.key_arn,
        },
    )
    permissions = workshop.waiting.permissions
    workshop.waiting.allow_submitting(function)
    # A run that resumes another takes over what is still there.
    list_job_output(function, workshop.store.artifacts)
    if by_training_jobs and execution_role:
        permissions.create_training_jobs(function, execution_role.role)
    if on_clusters(platforms):
        permissions.clusters.allow(function)
    return function

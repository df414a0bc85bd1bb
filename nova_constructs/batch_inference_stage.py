"""The batch inference stage: a job answers the prepared rows, and its answers become `inference_results.jsonl`.

Input: `$.checkpoint.uri`, `$.inference_data` (what the data stage left), `$.plan.batch_inference.output_uri`.
Output: `$.inference` (the job), `$.inference_results`: rows, location and SHA-256 of the results, raw output.
Errors: `EvaluationFailed`, `JobStopped`, `JobTimedOut`, `CapacityUnavailable`, `QuotaExceeded`.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from constructs import Construct

from lambda_handlers.inference.stages import NAMED_PREFIX
from nova_constructs.batch_inference import BatchInference
from nova_constructs.batch_role import batch_role, bedrock_reader, bedrock_submitter
from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.hyperpod import on_clusters
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.run_plan import read_recipes
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training import job_submitter, list_job_output, output_reader

DATA = "$.inference_data"
"""Where in the state of a run its prepared rows are told."""


class BatchInferenceStage(Stage):
    """Has the model answer every row. Attributes: `submit`, `read`; `batch_role` of a job of Bedrock, else None."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole | None,
        model: str,
        inference: BatchInference,
    ) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self.batch_role = batch_role(self, workshop, inference) if inference.by_bedrock else None
        self.submit = (
            bedrock_submitter(self, workshop, inference, self.batch_role)
            if self.batch_role
            else self._submitter(execution_role, inference)
        )
        self.read = self._reader(inference)
        common = {**RUN, "model_path.$": "$.checkpoint.uri", "data.$": DATA}
        submit = job_task(
            self,
            "AnswerRows",
            function=self.submit,
            payload={
                **common,
                "inference": inference.config(workshop.store),
                "hub_content_version.$": "$.plan.hub.content_version",
                "config": {"model": model, "deadline_seconds": inference.deadline.to_seconds()},
            },
            result_path="$.inference",
            deadline=inference.deadline,
            grace=workshop.grace,
            choices=1 if inference.by_bedrock else len(inference.runs_on.choices),
        )
        read = lambda_task(
            self,
            "ReadAnswers",
            function=self.read,
            payload={
                **common,
                "submitted.$": "$.inference",
                "output_uri.$": "$.plan.batch_inference.output_uri",
            },
            result_path="$.inference_results",
        )
        self.run_in_order(submit, read)

    def _submitter(self, execution_role: ExecutionRole | None, inference: BatchInference) -> HandlerFunction:
        platforms = [inference.runs_on]
        function = job_submitter(self, "Submit", "submit_batch_inference", self._workshop, execution_role, platforms)
        function.write_objects("WriteRecipe", self._workshop.store.artifacts, "runs/*/batch-inference*/recipe/*")
        read_recipes(function)
        return function

    def _reader(self, inference: BatchInference) -> HandlerFunction:
        artifacts = self._workshop.store.artifacts
        # An archive is read to its end, and may have gigabytes.
        function = (
            bedrock_reader(self, self._workshop)
            if inference.by_bedrock
            else output_reader(
                self, "Read", "read_batch_inference", self._workshop, timeout=Duration.minutes(15), memory_mib=1769
            )
        )
        if not inference.by_bedrock and on_clusters([inference.runs_on]):
            list_job_output(function, artifacts)
        write = ["s3:PutObject", "s3:AbortMultipartUpload"]
        places = [artifacts.arn_for_objects(pattern) for pattern in ("runs/*/inference/*", f"{NAMED_PREFIX}*")]
        function.allow("WriteResults", write, places)
        # A multipart upload decrypts its own parts.
        function.use_key(self._workshop.store.key, "s3", "kms:GenerateDataKey", "kms:Decrypt")
        if inference.output_buckets:
            partition = Stack.of(self).partition
            places = [f"arn:{partition}:s3:::{name}/*" for name in dict.fromkeys(inference.output_buckets)]
            function.allow("WriteElsewhere", write, places)
        return function

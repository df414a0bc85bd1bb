"""The data stage: a dataset becomes validated training data, nothing lost.

Input: `$.plan.dataset`. Output: `$.data` with the location of each prepared file, the six counts and the manifest.
Errors: `DatasetRejected`, `DataPreparationFailed`.

A dataset of one shard is prepared by one function. A larger one is cut by byte ranges and goes through two Distributed
Maps: rows are transformed shard by shard, one function decides about all rows together, and each shard puts its rows
where they belong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jsii
from aws_cdk import ArnFormat, Duration, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.artifact_store import DATASETS_PREFIX, EVALUATION_PREFIX, UPLOADS_PREFIX, WORK_PREFIX
from nova_constructs.data_format import DataFormat
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import RUN, lambda_task, shard_map
from nova_constructs.stage import Stage, Workshop

_DATASETS = (f"{DATASETS_PREFIX}*", f"{UPLOADS_PREFIX}*")
_MEDIA = "runs/*/media/*"
_VERSION = "s3:GetObjectVersion"
# One whole vCPU.
_MEMORY_MIB = 1769
_LONGEST = Duration.minutes(15)


class DataPreparation(Stage):
    """Transforms and validates the dataset.

    Attributes: `prepare`, `transform_shard`, `reduce_shards`, `assemble_shard`, `finish`.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, workshop: Workshop, model: str, method: str, data: DataFormat
    ) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        config = {"model": model, "method": method, **data.config(workshop.store)}
        self._create_functions()
        self._read_and_write(data)
        self._connect(config)

    def _create_functions(self) -> None:
        store = self._workshop.store
        buckets = {"PREPARED_BUCKET": store.prepared.bucket_name, "QUARANTINE_BUCKET": store.quarantine.bucket_name}
        recording = {**buckets, **self._workshop.ledger.environment}
        self.prepare = self._function("Prepare", "prepare_data", recording)
        self.transform_shard = self._function("Transform", "transform_shard", buckets)
        self.reduce_shards = self._function("Reduce", "reduce_shards", buckets, scratch=Size.gibibytes(4))
        self.assemble_shard = self._function("Assemble", "assemble_shard", buckets)
        self.finish = self._function("Finish", "finish_data", recording)
        for function in (self.prepare, self.finish):
            self._workshop.ledger.grant_append(function)

    def _function(
        self, construct_id: str, handler: str, environment: Mapping[str, str], scratch: Size | None = None
    ) -> HandlerFunction:
        return HandlerFunction(
            self,
            construct_id,
            handler=handler,
            third_party=True,
            timeout=_LONGEST,
            memory_mib=_MEMORY_MIB,
            environment=environment,
            scratch=scratch,
        )

    def _read_and_write(self, data: DataFormat) -> None:
        store, work = self._workshop.store, f"{WORK_PREFIX}*"
        for function in (self.prepare, self.transform_shard):
            function.read_objects("ReadDataset", store.incoming, *_DATASETS, action=_VERSION)
        self.prepare.write_objects("WritePreparedData", store.prepared, "runs/*", multipart=True)
        self.prepare.write_objects("WriteQuarantine", store.quarantine, "runs/*", multipart=True)
        self.prepare.allow("WriteShardList", ["s3:PutObject"], [store.prepared.arn_for_objects(work)])
        if data.no_leak_with:
            for function in (self.prepare, self.reduce_shards):
                function.read_objects("FindEvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*")
                function.read_objects("ReadEvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*", action=_VERSION)
        if data.media_buckets:
            self._read_media(data.media_buckets)
        self.transform_shard.write_objects("WriteRows", store.prepared, work, multipart=True)
        self.transform_shard.write_objects("WriteRejectedRows", store.quarantine, work, multipart=True)
        self.reduce_shards.read_objects("ReadShards", store.prepared, work)
        self.reduce_shards.write_objects("WriteAssignments", store.prepared, work)
        self.assemble_shard.read_objects("ReadRows", store.prepared, work)
        self.assemble_shard.read_objects("ReadRejectedRows", store.quarantine, work)
        if data.compares_rows:
            self.assemble_shard.write_objects("WriteParts", store.prepared, work, multipart=True)
        self.assemble_shard.write_objects("WriteRejectedParts", store.quarantine, work, multipart=True)
        self.finish.read_objects("ReadParts", store.prepared, work, "runs/*")
        self.finish.read_objects("ReadRejectedParts", store.quarantine, work, "runs/*")
        self.finish.write_objects("WritePreparedData", store.prepared, "runs/*", multipart=True)
        self.finish.write_objects("WriteQuarantine", store.quarantine, "runs/*", multipart=True)

    def _read_media(self, buckets: Sequence[str]) -> None:
        """Let rows be made with media of these buckets, copied beside them; `Prepare` writes there anyway."""
        prepared, partition = self._workshop.store.prepared, Stack.of(self).partition
        for function in (self.prepare, self.transform_shard):
            function.allow("ReadMedia", ["s3:GetObject"], [f"arn:{partition}:s3:::{name}/*" for name in buckets])
            function.allow("LookAtCopies", ["s3:GetObject"], [prepared.arn_for_objects(_MEDIA)])
            # Without it S3 does not tell a copy that is not there from one that may not be read.
            function.allow("MissCopies", ["s3:ListBucket"], [prepared.bucket_arn])
        self.transform_shard.write_objects("WriteCopies", prepared, _MEDIA)

    def _connect(self, config: Mapping[str, Any]) -> None:
        payload = {**RUN, "dataset.$": "$.plan.dataset", "config": dict(config)}
        shard = {**RUN, "config": dict(config)}
        bucket = self._workshop.store.prepared.bucket_name
        prepare = lambda_task(self, "PrepareData", function=self.prepare, payload=payload, result_path="$.data")
        transform = shard_map(
            self, "TransformShards", function=self.transform_shard, payload=shard, bucket=bucket,
            result_path="$.data.transformed",
        )  # fmt: skip
        reduce = lambda_task(
            self, "ReduceShards", function=self.reduce_shards, payload={**payload, "done.$": "$.data.transformed"},
            result_path="$.data.reduced",
        )  # fmt: skip
        assemble = shard_map(
            self, "AssembleShards", function=self.assemble_shard, payload=shard, bucket=bucket,
            result_path="$.data.assembled",
        )  # fmt: skip
        finish = lambda_task(
            self,
            "FinishData",
            function=self.finish,
            payload={**payload, "done.$": "$.data.assembled", "reduced.$": "$.data.reduced"},
            result_path="$.data",
        )
        self._ready = sfn.Pass(self, "DataReady")
        self._shards = sfn.Choice(self, "DataIsCut")
        sharded = transform.next(reduce).next(assemble).next(finish).next(self._ready)
        self._shards.when(sfn.Condition.is_present("$.data.shards"), sharded).otherwise(self._ready)
        prepare.next(self._shards)
        self.tasks = [prepare, transform, reduce, assemble, finish]

    def allow_shards(self, role: iam.IRole, state_machine: sfn.StateMachine) -> None:
        """Let the state machine read the list of shards and run them, which it does as executions of itself.

        A policy of its own, since the state machine needs its role before it has the ARN that stands here.
        """
        store, stack = self._workshop.store, Stack.of(self)
        key = store.key.key_arn
        through = {"StringEquals": {"kms:ViaService": f"s3.{stack.region}.amazonaws.com"}}
        name = state_machine.state_machine_name
        # The guide writes `NAME:*`; the service names the executions of a Map Run `NAME/LABEL:ID`.
        executions = [self._executions(f"{name}:*"), self._executions(f"{name}/*")]
        machine = state_machine.state_machine_arn
        policy = iam.Policy(
            self,
            "RunShards",
            statements=[
                statement("ReadShardList", ["s3:GetObject"], [store.prepared.arn_for_objects(f"{WORK_PREFIX}*")]),
                statement("UseKeyThroughS3", ["kms:Decrypt"], [key], through),
                statement("RunShards", ["states:StartExecution"], [machine]),
                statement("FollowShards", ["states:DescribeExecution", "states:StopExecution"], executions),
            ],
        )
        policy.attach_to_role(role)

    def _executions(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="states", resource="execution", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    @property
    @jsii.member(jsii_name="endStates")
    def end_states(self) -> list[sfn.INextable]:
        """The state after which the data is ready, whichever way it went."""
        return [cast(sfn.INextable, self._ready)]

"""The data stage: a dataset becomes validated training data, nothing lost.

Input: `$.plan.dataset`. Output: `$.data` with the location of each prepared file, the six counts and the manifest.
For each further training stage: `$.plan.further_training.NAME.dataset`, and `$.further_data.NAME`. All datasets are
prepared before anything is trained on the first. Errors: `DatasetRejected`, `DataPreparationFailed`.

A dataset of one shard is prepared by one function. A larger one is cut by byte ranges and goes through two Distributed
Maps: rows are transformed shard by shard, one function decides about all rows together, and each shard puts its rows
where they belong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import jsii
from aws_cdk import ArnFormat, Duration, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.inference.stages import BATCH_INFERENCE
from nova_constructs.artifact_store import DATASETS_PREFIX, EVALUATION_PREFIX, UPLOADS_PREFIX, WORK_PREFIX
from nova_constructs.batch_inference import BatchInference
from nova_constructs.batch_inference_stage import DATA
from nova_constructs.data_format import DataFormat
from nova_constructs.handler_assets import handler_code
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import RUN, lambda_task, shard_map
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training_stage import TrainingStage

_DATASETS = (f"{DATASETS_PREFIX}*", f"{UPLOADS_PREFIX}*")
_MEDIA = "runs/*/media/*"
_VERSION = "s3:GetObjectVersion"
# One whole vCPU.
_MEMORY_MIB = 1769
_LONGEST = Duration.minutes(15)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Dataset:
    """The states that prepare one dataset: `tasks`, of which the first begins, and the one when it is `ready`."""

    tasks: list[sfn.CustomState]
    ready: sfn.Pass


class DataPreparation(Stage):
    """Transforms and validates the datasets.

    Attributes: `prepare`, `transform_shard`, `reduce_shards`, `assemble_shard`, `finish`; `for_inference`, the states
    that prepare the rows of a batch inference, None without one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        model: str,
        method: str,
        data: DataFormat,
        further: Sequence[TrainingStage] = (),
        inference: BatchInference | None = None,
    ) -> None:
        """Create the functions, which all datasets share, and the states of each: the first, then the `further`.

        The rows that batch inference answers have states of their own, `for_inference`: not every run needs them.
        """
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self._create_functions()
        formats = [data, *(stage.data for stage in further), *([inference.data] if inference else [])]
        self._read_and_write(formats)
        config = {"model": model, "method": method, **data.config(workshop.store)}
        first = self._dataset(config, planned="$.plan.dataset", place="$.data")
        self._connect([first, *(self._further_dataset(model, stage) for stage in further)])
        self.for_inference = self._rows_to_answer(model, inference) if inference else None

    def _create_functions(self) -> None:
        store = self._workshop.store
        buckets = {"PREPARED_BUCKET": store.prepared.bucket_name, "QUARANTINE_BUCKET": store.quarantine.bucket_name}
        recording = {**buckets, **self._workshop.ledger.environment}
        ledger = self._workshop.ledger.table
        self.prepare = self._function("Prepare", "prepare_data", {**recording, "RUN_LEDGER_TABLE": ledger.table_name})
        self.prepare.use_table("ReadEarlierRuns", ledger, "Query")
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

    def _read_and_write(self, formats: Sequence[DataFormat]) -> None:
        store, work = self._workshop.store, f"{WORK_PREFIX}*"
        for function in (self.prepare, self.transform_shard):
            function.read_objects("ReadDataset", store.incoming, *_DATASETS, action=_VERSION)
        self.prepare.write_objects("WritePreparedData", store.prepared, "runs/*", multipart=True)
        self.prepare.write_objects("WriteQuarantine", store.quarantine, "runs/*", multipart=True)
        self.prepare.allow("WriteShardList", ["s3:PutObject"], [store.prepared.arn_for_objects(work)])
        earlier = {"StringLike": {"s3:prefix": ["runs/*"]}}
        self.prepare.allow("FindEarlierData", ["s3:ListBucket"], [store.prepared.bucket_arn], earlier)
        if any(data.no_leak_with for data in formats):
            for function in (self.prepare, self.reduce_shards):
                function.read_objects("FindEvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*")
                function.read_objects("ReadEvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*", action=_VERSION)
        media_buckets = list(dict.fromkeys(name for data in formats for name in data.media_buckets))
        if media_buckets:
            self._read_media(media_buckets)
        self.transform_shard.write_objects("WriteRows", store.prepared, work, multipart=True)
        self.transform_shard.write_objects("WriteRejectedRows", store.quarantine, work, multipart=True)
        self.reduce_shards.read_objects("ReadShards", store.prepared, work)
        self.reduce_shards.write_objects("WriteAssignments", store.prepared, work)
        self.assemble_shard.read_objects("ReadRows", store.prepared, work)
        self.assemble_shard.read_objects("ReadRejectedRows", store.quarantine, work)
        if any(data.compares_rows for data in formats):
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

    def _further_dataset(self, model: str, stage: TrainingStage) -> _Dataset:
        config = {"model": model, "method": stage.trains_by, **stage.data.config(self._workshop.store)}
        planned = f"$.plan.further_training.{stage.name}.dataset"
        return self._dataset(config, planned=planned, place=f"$.further_data.{stage.name}", name=stage.name)

    def _rows_to_answer(self, model: str, inference: BatchInference) -> sfn.Chain:
        config = {"model": model, "method": "EVALUATION", **inference.data.config(self._workshop.store)}
        planned = "$.plan.batch_inference.dataset"
        made = self._dataset(config, planned=planned, place=DATA, name=BATCH_INFERENCE)
        self.tasks += made.tasks
        return sfn.Chain.custom(made.tasks[0], [made.ready], made.ready)

    def _dataset(self, config: Mapping[str, Any], *, planned: str, place: str, name: str | None = None) -> _Dataset:
        """Return the states of one dataset, which leave what came of it at `place`."""
        suffix = f"-{name}" if name else ""
        shard = {
            **RUN,
            **({"stage": name} if name else {}),
            # What other code has prepared is not known to be the same.
            "config": {**config, "code_version": handler_code().sha256},
        }
        payload = {**shard, "dataset.$": planned}
        bucket = self._workshop.store.prepared.bucket_name
        prepare = lambda_task(self, f"PrepareData{suffix}", function=self.prepare, payload=payload, result_path=place)
        transform = shard_map(
            self, f"TransformShards{suffix}", function=self.transform_shard, payload=shard, bucket=bucket,
            key_path=f"{place}.shards.key", result_path=f"{place}.transformed", suffix=suffix,
        )  # fmt: skip
        reduce = lambda_task(
            self, f"ReduceShards{suffix}", function=self.reduce_shards,
            payload={**payload, "done.$": f"{place}.transformed"}, result_path=f"{place}.reduced",
        )  # fmt: skip
        assemble = shard_map(
            self, f"AssembleShards{suffix}", function=self.assemble_shard, payload=shard, bucket=bucket,
            key_path=f"{place}.shards.key", result_path=f"{place}.assembled", suffix=suffix,
        )  # fmt: skip
        finish = lambda_task(
            self, f"FinishData{suffix}", function=self.finish,
            payload={**payload, "done.$": f"{place}.assembled", "reduced.$": f"{place}.reduced"}, result_path=place,
        )  # fmt: skip
        ready = sfn.Pass(self, f"DataReady{suffix}")
        sharded = transform.next(reduce).next(assemble).next(finish).next(ready)
        is_cut = sfn.Condition.is_present(f"{place}.shards")
        prepare.next(sfn.Choice(self, f"DataIsCut{suffix}").when(is_cut, sharded).otherwise(ready))
        return _Dataset(tasks=[prepare, transform, reduce, assemble, finish], ready=ready)

    def _connect(self, datasets: Sequence[_Dataset]) -> None:
        """Prepare one dataset after the other, all before anything is trained on the first."""
        for before, after in pairwise(datasets):
            before.ready.next(after.tasks[0])
        self._ready = datasets[-1].ready
        self.tasks = [task for dataset in datasets for task in dataset.tasks]

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

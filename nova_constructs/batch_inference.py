"""Batch inference as a value object: what a model answers in a run of its own, or in a stage of a whole one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aws_cdk import Duration, Token

from lambda_handlers.catalog.batch_models import model_id_problems
from lambda_handlers.catalog.models import NovaModel
from lambda_handlers.inference.bedrock_records import INFERENCE_VALUES
from lambda_handlers.inference.stages import BEDROCK, TASK
from nova_constructs.artifact_store import DATASETS_PREFIX, UPLOADS_PREFIX, ArtifactStore
from nova_constructs.data_format import DataFormat
from nova_constructs.hyperpod import Runtime, evaluator_beside, on_training_jobs
from nova_constructs.platforms import one_p5

TRAINING_JOB: Final = "training_job"
_PREFIXES: Final = (DATASETS_PREFIX, UPLOADS_PREFIX)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _no_faulty_row() -> DataFormat:
    return DataFormat(max_reject_ratio=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchInference:
    """A model answers every row of a dataset: `query`, `response` (the gold answer), `system`, `images`, `metadata`.

    Any execution may ask for it with mode `batch_inference`. With a `dataset`, a key of the incoming bucket under
    `datasets/` or `uploads/` (an object, or a folder with a slash at the end), it is a stage of every whole run too,
    once the gate has passed and before anything is deployed.

    `data` says how rows are read; by default one faulty row is an error, and a higher `max_reject_ratio` sends faulty
    rows to quarantine. `overrides` change recipe values. `platform` defaults to one ml.p5.48xlarge in the VPC of
    training. `output_buckets` names buckets of yours that an execution's `output` may be in; the function that writes
    the results is allowed s3:PutObject there.

    `through` is training_job, a job of the evaluation container, or bedrock, a batch inference job of Amazon Bedrock:
    for runs that name `model: base`, with 100 to 50,000 rows of text. That has `model_id`, the base model as Bedrock
    calls it or an inference profile of it, and `timeout_hours`, 24 to 168; of `overrides` max_new_tokens,
    temperature, top_p and top_k. Source: CreateModelInvocationJob.
    """

    platform: Runtime | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    through: str = TRAINING_JOB
    dataset: str | None = None
    data: DataFormat = field(default_factory=_no_faulty_row)
    output_buckets: Sequence[str] = ()
    model_id: str | None = None
    timeout_hours: int = 24

    def beside(self, training: Runtime) -> BatchInference:
        """Return it with a platform: its own, or the default one beside that of training."""
        return self if self.platform or self.by_bedrock else replace(self, platform=evaluator_beside(training))

    @property
    def runs_on(self) -> Runtime:
        """The platform."""
        return self.platform or one_p5()

    @property
    def by_bedrock(self) -> bool:
        """Whether Amazon Bedrock answers."""
        return self.through == BEDROCK

    @property
    def deadline(self) -> Duration:
        """How long a job may take from submission to its end."""
        # Bedrock itself ends the job at its time limit; the hour is for that to be seen.
        return Duration.hours(self.timeout_hours + 1) if self.by_bedrock else self.runs_on.deadline

    def problems_with(self, model: NovaModel) -> Iterable[str]:
        """Yield what cannot work with a model."""
        if self.by_bedrock:
            yield from model_id_problems(self.model_id, model)

    def problems(self) -> Iterable[str]:
        """Yield what cannot work, each with the value received and what is allowed."""
        yield from self.runs_on.problems()
        yield from self.data.problems()
        if any(platform.mlflow for platform in on_training_jobs([self.runs_on])):
            yield "its platform has mlflow, which tracks training alone: leave it out"
        if self.data.compares_rows:
            yield "data has split, dedupe, limit or no_leak, but every row is answered: leave them out"
        if self.by_bedrock:
            yield from self._bedrock_problems()
        elif self.through != TRAINING_JOB:
            yield f"through is {self.through!r}: use {TRAINING_JOB} or {BEDROCK}"
        elif self.model_id is not None:
            yield f"model_id is {self.model_id!r}, which only through {BEDROCK} has: leave it out"
        if self.dataset is not None and (not self.dataset.startswith(_PREFIXES) or self.dataset in _PREFIXES):
            yield f"dataset is {self.dataset!r}: use a key under {' or '.join(_PREFIXES)} of the incoming bucket"
        for name in self.output_buckets:
            if not Token.is_unresolved(name) and not _BUCKET.fullmatch(name):
                yield f"output_buckets names {name!r}: use the name of a bucket, without s3:// and without a key"

    def _bedrock_problems(self) -> Iterable[str]:
        if self.platform:
            yield f"platform is given, but through {BEDROCK} has no instances of yours: leave it out"
        if self.dataset is not None:
            yield (
                f"dataset makes it a stage of whole runs, which ask the model just trained, and through {BEDROCK} "
                f"asks the base model only: leave dataset out, or use {TRAINING_JOB}"
            )
        if not 24 <= self.timeout_hours <= 168:
            yield f"timeout_hours is {self.timeout_hours}: use 24 to 168"
        for name in self.overrides:
            if name not in INFERENCE_VALUES:
                yield f"overrides names {name!r}: through {BEDROCK} takes {', '.join(INFERENCE_VALUES)}"

    def config(self, store: ArtifactStore) -> dict[str, Any]:
        """Return batch inference as the functions read it; what is off is left out."""
        options = {
            "dataset_uri": store.incoming.s3_url_for_object(self.dataset) if self.dataset else None,
            "output_buckets": list(self.output_buckets),
        }
        return {
            "task": TASK,
            "through": self.through,
            "overrides": dict(self.overrides),
            "data": self.data.config(store),
            **{name: value for name, value in options.items() if value},
            **(
                {"model_id": self.model_id, "timeout_hours": self.timeout_hours}
                if self.by_bedrock
                else self.runs_on.config()
            ),
        }

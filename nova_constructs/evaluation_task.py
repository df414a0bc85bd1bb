"""What is evaluated, as value objects: the tasks of a customization, their data and the functions that score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from aws_cdk import aws_lambda as lambda_

from nova_constructs.artifact_store import EVALUATION_PREFIX, ArtifactStore
from nova_constructs.hyperpod import Runtime, evaluator_beside
from nova_constructs.platforms import one_p5


class HeldOut(Enum):
    """Stand for rows that a run has put aside itself."""

    TEST_ROWS = "HELD_OUT"


HELD_OUT: Final = HeldOut.TEST_ROWS
"""The run's own test rows, as questions with answers: those that `split` keeps out of training."""


def function_arn(function: str | lambda_.IFunction) -> str:
    """Return the ARN of a function that is given as a construct or by its ARN."""
    return function if isinstance(function, str) else function.function_arn


@dataclass(frozen=True, kw_only=True, slots=True)
class Processor:
    """A function of your own that scores the answers of a `gen_qa` evaluation (Nova guide, bring your own metrics).

    `function` is the function or its ARN; the jobs' role may call it and no other. `preprocessing` has it see each row
    before the model does, `postprocessing` each answer; both on unless turned off. `aggregation` makes one number of
    many: average, min, max or sum. `lambda_type` is custom_metrics, or rft for a reward function as in training.
    """

    function: str | lambda_.IFunction
    preprocessing: bool = True
    postprocessing: bool = True
    aggregation: str = "average"
    lambda_type: str = "custom_metrics"

    def config(self) -> dict[str, Any]:
        """Return the processor as the functions read it."""
        return {
            "function_arn": function_arn(self.function),
            "lambda_type": self.lambda_type,
            "preprocessing": self.preprocessing,
            "postprocessing": self.postprocessing,
            "aggregation": self.aggregation,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationTask:
    """One evaluation: a public benchmark, questions of your own, a judge, or a reward function.

    `dataset` is a key under `evaluation/` of the incoming bucket, for the tasks that take data: gen_qa, llm_judge,
    rubric_llm_judge and rft_eval; HELD_OUT, for gen_qa, means the run's own test rows. `processor` goes with gen_qa,
    `reward_function` (the function or its ARN) with rft_eval. `overrides` change recipe values. `platform` defaults to
    one ml.p5.48xlarge in the VPC of training, with its traffic encryption and tags.
    """

    task: str
    subtask: str | None = None
    dataset: str | HeldOut | None = None
    processor: Processor | None = None
    reward_function: str | lambda_.IFunction | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    platform: Runtime | None = None

    def beside(self, training: Runtime) -> EvaluationTask:
        """Return the task with a platform: its own, or the default one beside that of training."""
        return self if self.platform else replace(self, platform=evaluator_beside(training))

    @property
    def name(self) -> str:
        """Task and subtask in one word, such as mmlu-anatomy."""
        return f"{self.task}-{self.subtask}" if self.subtask else self.task

    @property
    def runs_on(self) -> Runtime:
        """The platform."""
        return self.platform or one_p5()

    @property
    def functions(self) -> list[str]:
        """ARNs of the functions that the job calls."""
        given = [self.processor.function if self.processor else None, self.reward_function]
        return [function_arn(function) for function in given if function is not None]

    def config(self, store: ArtifactStore) -> dict[str, Any]:
        """Return the task as the functions read it; what is off is left out."""
        options = {
            "held_out": self.dataset is HELD_OUT,
            "processor": self.processor.config() if self.processor else None,
            "reward_function": function_arn(self.reward_function) if self.reward_function else None,
        }
        return {
            "task": self.task,
            "subtask": self.subtask,
            "dataset_uri": self._dataset_uri(store),
            "overrides": dict(self.overrides),
            **{name: value for name, value in options.items() if value},
            **self.runs_on.config(),
        }

    def _dataset_uri(self, store: ArtifactStore) -> str | None:
        if not isinstance(self.dataset, str):
            return None
        key = EVALUATION_PREFIX + self.dataset.removeprefix(EVALUATION_PREFIX)
        return store.incoming.s3_url_for_object(key)

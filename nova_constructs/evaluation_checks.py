"""What can be known at synth to be wrong with the evaluations of a customization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from constructs import Construct

from lambda_handlers import catalog
from lambda_handlers.catalog import Technique, evaluation_task
from lambda_handlers.catalog.evaluations import AGGREGATIONS, LAMBDA_TYPES
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.datasets.reading.source_format import ALLOWED, kind_of
from nova_constructs.data_format import DataFormat
from nova_constructs.evaluation_task import HELD_OUT, EvaluationTask, Processor, function_arn
from nova_constructs.function_arn import function_problems
from nova_constructs.hyperpod import Runtime


def evaluation_problems(
    scope: Construct, tasks: Sequence[EvaluationTask], *, method: str, training: Runtime, data: DataFormat
) -> Iterable[str]:
    """Yield what cannot work, each in words that name the task, the value received and what is allowed."""
    if not tasks:
        yield "evaluation has no tasks: give at least one, since nothing is deployed that was not measured"
    seen = set()
    for task in tasks:
        told = training.problems()  # those of the default platform, which stands in the same VPC
        yield from (f"evaluation {task.task!r}: {found}" for found in task.runs_on.problems() if found not in told)
        if (task.task, task.subtask) in seen:
            yield f"evaluation names task {task.task!r} twice: once is enough"
        seen.add((task.task, task.subtask))
        try:
            known = evaluation_task(task.task)
        except UnknownNameError:
            continue  # already told by the combination check, with the nearest name
        yield from _of_task(scope, task, known)
        if task.dataset is HELD_OUT:
            yield from _held_out_problems(known, method, data)


def _of_task(scope: Construct, task: EvaluationTask, known: catalog.EvaluationTask) -> Iterable[str]:
    if task.subtask is not None and task.subtask not in known.subtasks:
        advice = f"use {', '.join(known.subtasks)}" if known.subtasks else "it has none, leave it out"
        yield f"evaluation task {task.task!r} has no subtask {task.subtask!r}: {advice}"
    yield from _dataset_problems(task, known)
    yield from known.function_problems(
        has_processor=task.processor is not None, has_reward=task.reward_function is not None
    )
    if task.processor and known.takes_processor:
        yield from _processor_problems(scope, task.task, task.processor)
    if task.reward_function is not None and known.takes_reward:
        what = f"reward_function of evaluation {task.task!r}"
        yield from function_problems(scope, what, function_arn(task.reward_function))


def _dataset_problems(task: EvaluationTask, known: catalog.EvaluationTask) -> Iterable[str]:
    if known.takes_data and not task.dataset:
        yield f"evaluation task {task.task!r} needs a dataset: name its key, for instance evaluation/{known.data_file}"
    if not known.takes_data and task.dataset:
        given = "HELD_OUT" if task.dataset is HELD_OUT else repr(task.dataset)
        yield f"evaluation task {task.task!r} takes no dataset, got {given}: leave it out"
    elif isinstance(task.dataset, str) and not kind_of(task.dataset):
        yield f"dataset of evaluation {task.task!r} is {task.dataset!r}: use a key that ends in {ALLOWED}"


def _held_out_problems(known: catalog.EvaluationTask, method: str, data: DataFormat) -> Iterable[str]:
    where = f"evaluation {known.name!r} is on HELD_OUT"
    if known.takes_data and known.name != "gen_qa":
        yield f"{where}, whose rows are questions for gen_qa: name the key of a dataset"
    if _technique(method) not in (None, Technique.SFT):
        yield f"{where}, but rows for {method} have no answer to compare with: name the key of a dataset"
    if not (data.split and data.split.test):
        yield f"{where}, but no test rows are put aside: give data.split a test share"


def _technique(method: str) -> Technique | None:
    try:
        return catalog.method(method).technique
    except UnknownNameError:
        return None  # already told by the combination check, with the nearest name


def _processor_problems(scope: Construct, task: str, processor: Processor) -> Iterable[str]:
    where = f"processor of evaluation {task!r}"
    yield from function_problems(scope, f"function of the {where}", function_arn(processor.function))
    if processor.aggregation not in AGGREGATIONS:
        yield f"{where}: aggregation is {processor.aggregation!r}: use {', '.join(AGGREGATIONS)}"
    if processor.lambda_type not in LAMBDA_TYPES:
        yield f"{where}: lambda_type is {processor.lambda_type!r}: use {', '.join(LAMBDA_TYPES)}"
    if not processor.preprocessing and not processor.postprocessing:
        yield f"{where}: preprocessing and postprocessing are both off, so that it would never be called: turn one on"

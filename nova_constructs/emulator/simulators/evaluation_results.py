"""What the evaluation container writes: results, inference output and TensorBoard records in their real shapes.

Layout and keys: AWS documentation of Nova evaluation output and amazon-nova-samples (results are lighteval's shape).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambda_handlers.catalog import evaluation_task
from nova_constructs.emulator.simulators import text_metrics
from nova_constructs.emulator.simulators.answering import answer, fraction, knows
from nova_constructs.emulator.simulators.checkpoints import Checkpoint
from nova_constructs.emulator.simulators.tensorboard import event_file

BENCHMARKS = {"mmlu", "mmlu_pro", "bbh", "gpqa", "math", "strong_reject", "ifeval", "mmmu"}
_BENCHMARK_QUESTIONS = 1000
_WRONG = "The given information leads to a different result."


class UnknownTaskError(Exception):
    """The evaluation image does not know the recipe's task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The model under evaluation: a checkpoint, or a base model with its quality."""

    model_name: str
    checkpoint: Checkpoint | None
    base_quality: float

    @property
    def lineage(self) -> str:
        """Text that stands for the model in everything derived from it."""
        return self.checkpoint.lineage if self.checkpoint else self.model_name

    @property
    def quality(self) -> float:
        """Share of questions that the model gets right."""
        return self.checkpoint.quality if self.checkpoint else self.base_quality


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOutput:
    """Metrics of an evaluation with their standard errors, and the lines of inference_output.jsonl.

    `samples` is the number of questions of a benchmark; `subtasks` has the same of each of its subtasks.
    """

    metrics: Mapping[str, float]
    errors: Mapping[str, float]
    inferences: Sequence[Mapping[str, Any]] = ()
    samples: int | None = None
    subtasks: Mapping[str, EvaluationOutput] = field(default_factory=dict)


def evaluate_benchmark(model: Evaluated, evaluation: Mapping[str, Any]) -> EvaluationOutput:
    """Return the score of a benchmark: the model's quality, moved a little by its lineage and the task."""
    task = str(evaluation.get("task"))
    if task not in BENCHMARKS:
        raise UnknownTaskError(f"Evaluation task {task!r} is not available in this image")
    metric, subtask = str(evaluation.get("metric") or "accuracy"), str(evaluation.get("subtask") or "")
    parts = () if subtask else evaluation_task(task).subtasks
    each = _BENCHMARK_QUESTIONS // max(1, len(parts))
    subtasks = {part: _benchmark_score(model, task, part, metric, each) for part in parts}
    whole = _benchmark_score(model, task, subtask, metric, each * max(1, len(parts)))
    return replace(whole, subtasks=subtasks)


def _benchmark_score(model: Evaluated, task: str, subtask: str, metric: str, questions: int) -> EvaluationOutput:
    wobble = (fraction(model.lineage, task, subtask) - 0.5) * 0.04
    value = round(min(1.0, max(0.0, model.quality + wobble)), 4)
    error = round((value * (1.0 - value) / questions) ** 0.5, 6)
    return EvaluationOutput(metrics={metric: value}, errors={metric: error}, samples=questions)


def evaluate_questions(model: Evaluated, rows: Sequence[Mapping[str, Any]]) -> EvaluationOutput:
    """Let the model answer each row and measure its answers against the gold ones."""
    inferences = [_inference(model, row) for row in rows]
    scored = [text_metrics.scores(given, row["response"]) for row, (given, _) in zip(rows, inferences, strict=True)]
    summary = {name: text_metrics.mean_and_error([row[name] for row in scored]) for name in scored[0]}
    return EvaluationOutput(
        metrics={name: mean for name, (mean, _) in summary.items()},
        errors={name: error for name, (_, error) in summary.items()},
        inferences=[line for _, line in inferences],
    )


def output_files(
    *,
    run_name: str,
    evaluation: Mapping[str, Any],
    model: Evaluated,
    output: EvaluationOutput,
    started: datetime,
    ended: datetime,
) -> dict[str, bytes]:
    """Return the files of the archive by name."""
    folder = f"{run_name}/eval_results"
    stamp = ended.strftime("%Y-%m-%dT%H-%M-%S.%f")
    results = _results(evaluation, model, output, started, ended)
    files = {f"{folder}/results_{stamp}.json": json.dumps(results, indent=2).encode()}
    if output.inferences:
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in output.inferences)
        files[f"{folder}/inference_output.jsonl"] = lines.encode()
    name, body = event_file(ended)
    files[f"{run_name}/tensorboard_results/eval/{name}"] = body
    return files


def _inference(model: Evaluated, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    query, gold = str(row["query"]), str(row["response"])
    given = gold if knows(model.checkpoint, model.base_quality, query) else _other_answer(model, query, gold)
    turns = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    turns.append({"role": "user", "content": query})
    wrapped = f"<|begin_of_solution|>{given}<|end_of_solution|>"
    line: dict[str, Any] = {"prompt": repr(turns), "inference": repr([wrapped]), "gold": gold}
    if row.get("metadata"):
        line["metadata"] = row["metadata"]
    return given, line


def _other_answer(model: Evaluated, query: str, gold: str) -> str:
    if model.checkpoint is None:
        return _WRONG
    given = answer(model.checkpoint, query)
    return _WRONG if given == gold else given


def _results(
    evaluation: Mapping[str, Any], model: Evaluated, output: EvaluationOutput, started: datetime, ended: datetime
) -> dict[str, Any]:
    name = f"custom|{evaluation.get('task')}_{evaluation.get('strategy')}"
    parts = {f"{name}|0": output, **{f"{name}:{part}|0": found for part, found in output.subtasks.items()}}
    return {
        "config_general": {
            "lighteval_sha": "?",
            "num_fewshot_seeds": 1,
            "max_samples": None,
            "job_id": "",
            "start_time": started.timestamp(),
            "end_time": ended.timestamp(),
            "total_evaluation_time_secondes": str((ended - started).total_seconds()),
            "model_name": model.model_name,
            "model_sha": "",
            "model_dtype": None,
            "model_size": "",
        },
        "results": {**{key: _scores(found) for key, found in parts.items()}, "all": _scores(output)},
        "versions": dict.fromkeys(parts, 0),
        "config_tasks": {
            key: {"effective_num_docs": found.samples} for key, found in parts.items() if found.samples is not None
        },
    }


def _scores(output: EvaluationOutput) -> dict[str, float]:
    return {**output.metrics, **{f"{name}_stderr": error for name, error in output.errors.items()}}

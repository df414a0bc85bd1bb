"""Evaluations whose answers something else scores: a judge, a reward function, a processor of the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nova_constructs.emulator.simulators import rewards, text_metrics
from nova_constructs.emulator.simulators.answering import fraction
from nova_constructs.emulator.simulators.container import Container, ContainerError
from nova_constructs.emulator.simulators.evaluation_results import Evaluated, EvaluationOutput, evaluate_questions

Row = Mapping[str, Any]


def judge(model: Evaluated, rows: Sequence[Row], *, rubric: bool) -> EvaluationOutput:
    """Let the model say of each row which answer it prefers; the names are those of the container's judges (AWS)."""
    likings = [fraction(model.lineage, str(row["prompt"]), str(row["response_B"])) for row in rows]
    wins = [float(liking > 0.5) for liking in likings]
    share, error = text_metrics.mean_and_error(wins)
    metrics = {
        "a_scores": len(rows) - sum(wins),
        "b_scores": sum(wins),
        "ties": 0.0,
        "inference_error": 0.0,
        "score": share,
        "winrate": share,
        "lower_rate": max(0.0, share - 1.96 * error),
        "upper_rate": min(1.0, share + 1.96 * error),
    }
    if rubric:
        mean = sum(likings) / len(likings)
        metrics |= {"weighted_score_A": 1.0 - mean, "weighted_score_B": mean, "score_margin": 1.0 - 2.0 * mean}
    errors = {name: error for name in metrics if name not in ("winrate", "lower_rate", "upper_rate")}
    return EvaluationOutput(metrics=metrics, errors=errors)


def by_reward(model: Evaluated, rows: Sequence[Row], container: Container, function_arn: str) -> EvaluationOutput:
    """Have a reward function score the model's answers, the reference answer standing for a right one."""
    samples = [_sample(model, str(number), row) for number, row in enumerate(rows)]
    scores = rewards.scores_of(container, function_arn, samples)
    mean, error = text_metrics.mean_and_error(scores)
    return EvaluationOutput(metrics={"aggregate_reward_score": mean}, errors={"aggregate_reward_score": error})


def by_processor(
    model: Evaluated, rows: Sequence[Row], container: Container, processor: Mapping[str, Any]
) -> EvaluationOutput:
    """Let a function change each row before the model sees it, and score each answer (AWS, bring your own metrics)."""
    arn = str(processor["lambda_arn"])
    if (processor.get("preprocessing") or {}).get("enabled"):
        rows = [_changed(container, arn, row) for row in rows]
    answered = evaluate_questions(model, rows)
    if not (processor.get("postprocessing") or {}).get("enabled"):
        return answered
    values: dict[str, list[float]] = {}
    for line in answered.inferences:
        data = {"prompt": line["prompt"], "inference_output": line["inference"], "gold": line["gold"]}
        for item in _body(container, arn, "postprocess", data):
            values.setdefault(str(item["metric"]), []).append(float(item["value"]))
    found = {name: _aggregated(list_, str(processor.get("aggregation"))) for name, list_ in values.items()}
    return EvaluationOutput(
        metrics={**answered.metrics, **{name: value for name, (value, _) in found.items()}},
        errors={**answered.errors, **{name: error for name, (_, error) in found.items()}},
        inferences=answered.inferences,
    )


def _sample(model: Evaluated, number: str, row: Row) -> dict[str, Any]:
    question = str(row["messages"][-1].get("content"))
    right = fraction(model.lineage, question) < model.quality
    said = row.get("reference_answer") if right else "I do not know."
    messages = [*row["messages"], {"role": "assistant", "content": said if isinstance(said, str) else json.dumps(said)}]
    return {"id": number, "messages": messages, "reference_answer": row.get("reference_answer")}


def _changed(container: Container, arn: str, row: Row) -> dict[str, Any]:
    data = {"system": row.get("system", ""), "prompt": row["query"], "gold": row["response"]}
    body = _body(container, arn, "preprocess", data)
    given = {"query": str(body["prompt"]), "response": str(body["gold"])}
    return {**row, **given, **({"system": body["system"]} if body.get("system") else {})}


def _body(container: Container, arn: str, process: str, data: Mapping[str, Any]) -> Any:
    answer = container.invoke(arn, json.dumps({"process_type": process, "data": data}).encode())
    try:
        document = json.loads(answer)
        if document["statusCode"] == 200:
            return document["body"]
    except (ValueError, TypeError, KeyError):
        pass
    raise ContainerError(f"AlgorithmError: {process}ing: a statusCode of 200 and a body are expected, {answer[:200]!r}")


def _aggregated(values: Sequence[float], how: str) -> tuple[float, float]:
    mean, error = text_metrics.mean_and_error(values)
    return {"min": min(values), "max": max(values), "sum": sum(values)}.get(how, mean), error

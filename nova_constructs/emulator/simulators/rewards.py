"""What reinforcement fine-tuning does with a reward function: it sends samples and reads their scores."""

from __future__ import annotations

import json
from typing import Any

from nova_constructs.emulator.simulators.container import Container, ContainerError
from nova_constructs.emulator.simulators.training_data import TrainingData

_SAMPLES = 4
"""So many samples are enough to see whether the function can be called and answers as it should."""


def score(container: Container, function_arn: str, data: TrainingData) -> list[float]:
    """Have samples scored under the job's role; raise ContainerError where the function cannot be called or used.

    The function is sent a list of samples, the model's answer as their last message, and returns one item for each
    with `id` and a number `aggregate_reward_score` (Nova user guide, reward functions).
    """
    return scores_of(
        container, function_arn, [_sample(str(n), *each) for n, each in enumerate(data.examples[:_SAMPLES])]
    )


def scores_of(container: Container, function_arn: str, samples: list[dict[str, Any]]) -> list[float]:
    """Have samples `{id, messages, …}` scored; raise ContainerError as `score` does."""
    answer = container.invoke(function_arn, json.dumps(samples).encode())
    try:
        scores = {item["id"]: float(item["aggregate_reward_score"]) for item in json.loads(answer)}
        return [scores[sample["id"]] for sample in samples]
    except (ValueError, TypeError, KeyError) as error:
        raise ContainerError(
            "AlgorithmError: The reward function must return one item with id and aggregate_reward_score per sample, "
            f"got {answer[:200]!r}"
        ) from error


def _sample(number: str, question: str, reference: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": reference}]
    return {"id": number, "messages": messages, "reference_answer": reference}

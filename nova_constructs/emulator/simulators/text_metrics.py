"""The text metrics of the Nova evaluation container: ROUGE, exact match, F1 and BLEU of one answer against the gold."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

_TOKEN = re.compile(r"\w+")


def scores(prediction: str, gold: str) -> dict[str, float]:
    """Return all metrics of one sample; 0..1, bleu 0..100 (Nova guide, evaluation metrics)."""
    left, right = _tokens(prediction), _tokens(gold)
    f1 = _ngram_f1(left, right, 1)
    return {
        "rouge1": f1,
        "rouge2": _ngram_f1(left, right, 2),
        "rougeL": _f1(_common_subsequence(left, right), len(left), len(right)),
        "em": float(prediction.strip() == gold.strip()),
        "qem": float(left == right),
        "f1": f1,
        "f1_score_quasi": f1,
        "bleu": 100.0 * _bleu(left, right),
    }


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error (0 for one value)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def _grams(tokens: list[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1))


def _ngram_f1(left: list[str], right: list[str], size: int) -> float:
    ours, theirs = _grams(left, size), _grams(right, size)
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def _f1(common: int, left: int, right: int) -> float:
    return 2.0 * common / (left + right) if left + right else 1.0


def _common_subsequence(left: list[str], right: list[str]) -> int:
    row = [0] * (len(right) + 1)
    for word in left:
        diagonal = 0
        for column, other in enumerate(right, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


def _bleu(left: list[str], right: list[str]) -> float:
    if not left or not right:
        return 0.0
    logs = 0.0
    for size in range(1, 5):
        ours, theirs = _grams(left, size), _grams(right, size)
        matched = (ours & theirs).total() + (size > 1)
        logs += math.log(matched / (ours.total() + (size > 1))) if matched else -math.inf
    brevity = min(0.0, 1.0 - len(right) / len(left))
    return min(1.0, math.exp(logs / 4 + brevity))

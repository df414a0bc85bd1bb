"""The metrics that each evaluation task reports: their names, between which bounds they lie, and which way is up.

Names and bounds: AWS documentation of Nova evaluation results. Benchmarks report one metric, a share between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lambda_handlers.catalog.evaluations import EVALUATION_TASKS, EvaluationTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Describe one metric; a bound that no source names is None.

    `is_share`: the share of samples that were right, so that its standard error follows from the number of samples.
    """

    name: str
    low: float | None = None
    high: float | None = None
    is_share: bool = False
    more_is_better: bool = True

    def out_of_bounds(self, value: float) -> bool:
        """Tell whether the metric can never have this value."""
        return (self.low is not None and value < self.low) or (self.high is not None and value > self.high)


def _shares(*names: str) -> tuple[Metric, ...]:
    return tuple(Metric(name=name, low=0.0, high=1.0, is_share=name == "accuracy") for name in names)


_TEXT = (
    *_shares("rouge1", "rouge2", "rougeL", "em", "qem", "f1", "f1_score_quasi"),
    Metric(name="bleu", low=0.0, high=100.0),
)
_JUDGE = (
    *(Metric(name=name) for name in ("a_scores", "b_scores", "ties", "score")),
    Metric(name="inference_error", more_is_better=False),
    *_shares("winrate", "lower_rate", "upper_rate"),
)
_RUBRIC = (*_JUDGE, *(Metric(name=name) for name in ("weighted_score_A", "weighted_score_B", "score_margin")))
_OWN_DATA = {"gen_qa": _TEXT, "llm_judge": _JUDGE, "rubric_llm_judge": _RUBRIC, "rft_eval": ()}

METRICS: Mapping[str, Mapping[str, Metric]] = MappingProxyType(
    {
        name: MappingProxyType({metric.name: metric for metric in _OWN_DATA.get(name, _shares(task.metric))})
        for name, task in EVALUATION_TASKS.items()
    }
)
"""By task and name. A processor or a reward function adds metrics whose names only its author knows."""


def default_metric(task: EvaluationTask) -> str | None:
    """Return the one metric of a benchmark, or None for a task with several."""
    known = METRICS[task.name]
    return next(iter(known)) if len(known) == 1 else None

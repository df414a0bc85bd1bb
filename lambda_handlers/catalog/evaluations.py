"""The twelve evaluation tasks: how each is asked, scored and fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from lambda_handlers.catalog import subtasks
from lambda_handlers.catalog.lookup import find, nearest


class RecipeKind(StrEnum):
    """Name the family of evaluation recipe in the hub; the value is the part of the recipe's name that tells it."""

    TEXT_BENCHMARK = "general_text_benchmark"
    MULTIMODAL_BENCHMARK = "general_multi_modal_benchmark"
    OWN_DATASET = "bring_your_own_dataset"
    JUDGE = "llm_judge"
    RUBRIC_JUDGE = "rubric_llm_judge"
    REWARD = "rft_eval"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationTask:
    """Describe one task.

    `versions` are the model versions it exists for. `takes_data` tells the tasks that need a dataset of your own from
    the benchmarks, which bring theirs and refuse one.
    """

    name: str
    strategy: str
    metric: str
    recipe_kind: RecipeKind
    subtasks: tuple[str, ...] = ()
    takes_data: bool = False
    versions: tuple[int, ...] = (1, 2)

    def problems(self, *, subtask: str | None = None, has_dataset: bool = False) -> list[str]:
        """Return what is wrong with asking for this subtask and giving (or not giving) a dataset."""
        return [*self._subtask_problems(subtask), *self._dataset_problems(has_dataset)]

    def _subtask_problems(self, subtask: str | None) -> list[str]:
        if not subtask or subtask in self.subtasks:
            return []
        if not self.subtasks:
            return [f"Evaluation task {self.name} has no subtasks; remove subtask {subtask!r}."]
        near = nearest(subtask, self.subtasks)
        hint = f" Did you mean {near}?" if near else f" Allowed: {', '.join(self.subtasks)}."
        return [f"Evaluation task {self.name} has no subtask {subtask!r}.{hint}"]

    def _dataset_problems(self, has_dataset: bool) -> list[str]:
        if self.takes_data and not has_dataset:
            return [f"Evaluation task {self.name} needs a dataset of your own; give its location."]
        if has_dataset and not self.takes_data:
            return [f"Evaluation task {self.name} brings its own data; remove the dataset."]
        return []


def _benchmark(
    name: str,
    strategy: str,
    metric: str,
    subtasks: tuple[str, ...] = (),
    kind: RecipeKind = RecipeKind.TEXT_BENCHMARK,
) -> EvaluationTask:
    return EvaluationTask(name=name, strategy=strategy, metric=metric, recipe_kind=kind, subtasks=subtasks)


def _own_data(name: str, strategy: str, kind: RecipeKind, versions: tuple[int, ...] = (1, 2)) -> EvaluationTask:
    return EvaluationTask(
        name=name, strategy=strategy, metric="all", recipe_kind=kind, takes_data=True, versions=versions
    )


_TASKS = (
    _benchmark("mmlu", "zs_cot", "accuracy", subtasks.MMLU),
    _benchmark("mmlu_pro", "zs_cot", "accuracy"),
    _benchmark("bbh", "fs_cot", "accuracy", subtasks.BBH),
    _benchmark("gpqa", "zs_cot", "accuracy"),
    _benchmark("math", "zs_cot", "exact_match", subtasks.MATH),
    _benchmark("strong_reject", "zs", "deflection", subtasks.STRONG_REJECT),
    _own_data("gen_qa", "gen_qa", RecipeKind.OWN_DATASET),
    _benchmark("ifeval", "zs", "accuracy"),
    _benchmark("mmmu", "zs_cot", "accuracy", subtasks.MMMU, RecipeKind.MULTIMODAL_BENCHMARK),
    _own_data("llm_judge", "judge", RecipeKind.JUDGE, versions=(1,)),
    _own_data("rubric_llm_judge", "judge", RecipeKind.RUBRIC_JUDGE, versions=(2,)),
    _own_data("rft_eval", "rft_eval", RecipeKind.REWARD),
)

EVALUATION_TASKS: Mapping[str, EvaluationTask] = MappingProxyType({task.name: task for task in _TASKS})


def evaluation_task(name: str) -> EvaluationTask:
    """Return the task called `name`, such as mmlu or gen_qa, or raise UnknownNameError."""
    return find("evaluation task", name, EVALUATION_TASKS)

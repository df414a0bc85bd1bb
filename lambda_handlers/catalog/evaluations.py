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

    `versions` are the model versions it exists for. `data_file` is the name under which the container looks for the
    dataset of your own that the task needs (AWS; of rft_eval no source names it); benchmarks bring their data. A
    function of your own may score answers where `takes_processor`, and a reward function has to where `takes_reward`.
    """

    name: str
    strategy: str
    metric: str
    recipe_kind: RecipeKind
    subtasks: tuple[str, ...] = ()
    data_file: str | None = None
    takes_processor: bool = False
    takes_reward: bool = False
    versions: tuple[int, ...] = (1, 2)

    @property
    def takes_data(self) -> bool:
        """Whether the task needs a dataset of your own."""
        return self.data_file is not None

    def problems(self, *, subtask: str | None = None, has_dataset: bool = False) -> list[str]:
        """Return what is wrong with asking for this subtask and giving (or not giving) a dataset."""
        return [*self._subtask_problems(subtask), *self._dataset_problems(has_dataset)]

    def function_problems(self, *, has_processor: bool, has_reward: bool) -> list[str]:
        """Return what is wrong with giving (or not giving) a processor and a reward function."""
        found = []
        if has_processor and not self.takes_processor:
            found.append(f"Evaluation task {self.name} takes no processor, only gen_qa does; leave it out.")
        if has_reward and not self.takes_reward:
            found.append(f"Evaluation task {self.name} takes no reward_function, only rft_eval does; leave it out.")
        if self.takes_reward and not has_reward:
            found.append(f"Evaluation task {self.name} needs a reward_function, which scores the answers.")
        return found

    def _subtask_problems(self, subtask: str | None) -> list[str]:
        if not subtask or subtask in self.subtasks:
            return []
        if not self.subtasks:
            return [f"Evaluation task {self.name} has no subtasks; remove subtask {subtask!r}."]
        near = nearest(subtask, self.subtasks)
        hint = f" Did you mean {near}?" if near else ""
        return [f"Evaluation task {self.name} has no subtask {subtask!r}.{hint} Allowed: {', '.join(self.subtasks)}."]

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


def _judge(name: str, kind: RecipeKind, version: int) -> EvaluationTask:
    return EvaluationTask(
        name=name, strategy="judge", metric="all", recipe_kind=kind, data_file="llm_judge.jsonl", versions=(version,)
    )


_GEN_QA = EvaluationTask(
    name="gen_qa",
    strategy="gen_qa",
    metric="all",
    recipe_kind=RecipeKind.OWN_DATASET,
    data_file="gen_qa.jsonl",
    takes_processor=True,
)
_RFT_EVAL = EvaluationTask(
    name="rft_eval",
    strategy="rft_eval",
    metric="all",
    recipe_kind=RecipeKind.REWARD,
    data_file="rft_eval.jsonl",
    takes_reward=True,
)


_TASKS = (
    _benchmark("mmlu", "zs_cot", "accuracy", subtasks.MMLU),
    _benchmark("mmlu_pro", "zs_cot", "accuracy"),
    _benchmark("bbh", "fs_cot", "accuracy", subtasks.BBH),
    _benchmark("gpqa", "zs_cot", "accuracy"),
    _benchmark("math", "zs_cot", "exact_match", subtasks.MATH),
    _benchmark("strong_reject", "zs", "deflection", subtasks.STRONG_REJECT),
    _GEN_QA,
    _benchmark("ifeval", "zs", "accuracy"),
    _benchmark("mmmu", "zs_cot", "accuracy", subtasks.MMMU, RecipeKind.MULTIMODAL_BENCHMARK),
    _judge("llm_judge", RecipeKind.JUDGE, 1),
    _judge("rubric_llm_judge", RecipeKind.RUBRIC_JUDGE, 2),
    _RFT_EVAL,
)

AGGREGATIONS = ("average", "min", "max", "sum")
"""How scores of a processor become one (Nova evaluation recipes, processor.aggregation)."""
LAMBDA_TYPES = ("rft", "custom_metrics")
"""What a processor is: a reward function as in training, or one with metrics of its own (processor.lambda_type)."""

EVALUATION_TASKS: Mapping[str, EvaluationTask] = MappingProxyType({task.name: task for task in _TASKS})


def evaluation_task(name: str) -> EvaluationTask:
    """Return the task called `name`, such as mmlu or gen_qa, or raise UnknownNameError."""
    return find("evaluation task", name, EVALUATION_TASKS)

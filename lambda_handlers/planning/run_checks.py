"""Everything that is checked of a run before it takes anything: its input, its settings, its data and the account.

All problems are told at once. What one problem hides is not guessed at: where model, method and platform do not go
together, or the hub has no entry or no recipe for them, no override can be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning import inference_checks
from lambda_handlers.planning.account_checks import check_account
from lambda_handlers.planning.cluster_checks import check_clusters
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.cost_checks import check_cost
from lambda_handlers.planning.dataset import FoundDataset, PinnedDataset
from lambda_handlers.planning.deployment_checks import check_deployment, find_measured
from lambda_handlers.planning.evaluation_checks import check_evaluations, pin_sets
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.further_training import check_further_training, locate_further, pin_further
from lambda_handlers.planning.inference_checks import inference_of
from lambda_handlers.planning.model_references import ModelReference, Start, check_compared, find_model, find_start
from lambda_handlers.planning.modes import DEPLOY, MODES, Mode
from lambda_handlers.planning.resumed_run import find_resumed
from lambda_handlers.planning.training_checks import check_training, overrides_of
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from lambda_handlers.training.recipe import Recipes, ResolvedRecipe, check_combination


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """Everything known of a run that may start.

    `training`, `further_training`, `evaluation` and `inference` hold the recipe of each job by its stage,
    `further_datasets` the data of each further training stage by its name, `evaluation_sets` that of each evaluation
    with a set of one's own by its task. `dataset` is None in a run without one,
    `recipes`, where recipes were found, in a run without jobs, `model` in a run that evaluates what it trains.
    `inference_dataset` and `output_uri` are None without batch inference.
    """

    asked: ExecutionInput
    mode: Mode
    dataset: PinnedDataset | None
    further_datasets: Mapping[str, PinnedDataset]
    evaluation_sets: Mapping[str, ReadObject]
    recipes: Recipes | None
    training: Mapping[str, ResolvedRecipe]
    further_training: Mapping[str, ResolvedRecipe]
    evaluation: Mapping[str, ResolvedRecipe]
    inference: Mapping[str, ResolvedRecipe]
    inference_dataset: PinnedDataset | None
    output_uri: str | None
    start: Start
    model: ModelReference | None
    overrides: Mapping[str, Any]
    warnings: tuple[str, ...]
    cost: Mapping[str, Any]
    origin: Mapping[str, Any] | None = None
    """What is known of how a model was made and measured that is deployed without being made."""
    resumes: tuple[str, ...] = ()
    """The run that is resumed, then those that it resumed."""
    functions: Mapping[str, str | None] = field(default_factory=dict)
    """What the functions that jobs call are known by; None for one that could not be looked at."""


class RunChecks:
    """Check one run. Attributes: `findings`, and `asked`, what could be understood of the input."""

    def __init__(self, context: RunContext) -> None:
        self.findings = context.findings
        self.asked = ExecutionInput()
        self._context = context

    def run(self, raw: Any) -> Checked:
        """Check everything and return what is known then.

        Raises one error with every problem; its class is the first of `findings.ORDER` that any of them has.
        """
        context = self._context
        asked, problems = ExecutionInput.understand(raw)
        self.asked, mode = asked, MODES[asked.mode]
        for problem in problems:
            self.findings.problem(problem)
        with self.findings.checking():
            check_combination(context.config)
        found = self._dataset(asked) if mode.reads_dataset else None
        to_answer = inference_checks.locate(context, mode)
        together = [each for each in (found, to_answer) if each]
        more = locate_further(context, together) if mode.prepares else {}
        start = find_start(context, asked) if mode.trains else Start()
        resumes = find_resumed(context, asked)
        check_deployment(context, mode)
        measured = find_measured(context, asked) if mode is DEPLOY else None
        model = self._model(asked, mode) if mode.measures_or_asks else (measured.model if measured else None)
        if mode.evaluates:
            check_compared(context)
        recipes = self._hub(asked) if mode.trains or mode.evaluates or mode.infers else None
        training = check_training(context, recipes, asked, model_path=start.model_path) if mode.trains else {}
        further = check_further_training(context, recipes) if mode.trains else {}
        path = model.model_path if model else CHECKPOINT_TO_COME
        evaluation = check_evaluations(context, recipes, model_path=path) if mode.evaluates else {}
        inference = inference_checks.check_inference(context, recipes, mode, model=model, model_path=path)
        output = inference_checks.output_uri(context, asked, mode)
        resolved = {**training, **further, **evaluation, **inference}
        images = dict.fromkeys(each.image_uri for each in resolved.values() if not each.payload)
        check_account(context, mode, images)
        check_clusters(context, mode, resolved)
        cost = check_cost(context, mode, resolved)
        self.findings.raise_all()
        # Last, because it reads the whole dataset, as pinning what else is data does.
        dataset = datasets.pin(context.account.s3, found) if found else None
        return Checked(
            asked=asked,
            mode=mode,
            dataset=dataset,
            further_datasets=pin_further(context.account.s3, more),
            evaluation_sets=pin_sets(context.account.s3, context.config) if mode.evaluates else {},
            recipes=recipes,
            training=training,
            further_training=further,
            evaluation=evaluation,
            inference=inference,
            inference_dataset=datasets.pin(context.account.s3, to_answer) if to_answer else self._asked(mode, dataset),
            output_uri=output,
            start=start,
            model=model,
            overrides=overrides_of(context.config, asked) if mode.trains else {},
            warnings=tuple(self.findings.warnings),
            cost=cost,
            origin=measured.origin if measured else None,
            resumes=resumes,
            functions=dict(context.functions),
        )

    def _asked(self, mode: Mode, dataset: PinnedDataset | None) -> PinnedDataset | None:
        """Return the input's dataset in a run that answers it."""
        return dataset if mode.needs_model and inference_of(self._context.config, mode) else None

    def _dataset(self, asked: ExecutionInput) -> FoundDataset | None:
        if asked.objects_uri:
            with self.findings.checking():
                return datasets.locate_listed(self._context.account.s3, asked.objects_uri)
            return None
        if not asked.dataset_uri:
            return None
        with self.findings.checking():
            return datasets.locate(self._context.account.s3, asked.dataset_uri, asked.dataset_version_id)
        return None

    def _model(self, asked: ExecutionInput, mode: Mode) -> ModelReference | None:
        inference_checks.check_offered(self._context, mode)
        if mode.infers:
            settings = inference_of(self._context.config, mode)
            return find_model(self._context, asked, [settings] if settings else [])
        tasks = self._context.config.get("evaluation", ())
        if not tasks:
            self.findings.problem("mode: evaluate, but this customization has no evaluation tasks; add one to it")
        found = find_model(self._context, asked, tasks)
        for settings in tasks if found and not found.run_id else ():
            if settings.get("held_out"):
                self.findings.problem(
                    f"{stage_name(settings)}: its test rows are those of the run that trained the model, and no run is "
                    "known to have trained this one; evaluate a run (base_run) or production instead"
                )
        return found

    def _hub(self, asked: ExecutionInput) -> Recipes | None:
        try:
            model = catalog.model(self._context.config["model"])
        except UnknownNameError:
            return None  # told by the check of the combination
        with self.findings.checking():
            return Recipes(
                sagemaker=self._context.account.sagemaker,
                s3=self._context.account.s3,
                model=model,
                content_version=asked.hub_content_version,
                account=str(self._context.execution["id"]).split(":")[4],
            )
        return None

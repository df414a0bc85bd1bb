"""Plan batch inference: its data, its recipe, and where its results may go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.inference.stages import BATCH_INFERENCE, BEDROCK, NAMED_PREFIX, TASK, as_task, default_prefix
from lambda_handlers.jobs.choices import choice_folder, choices_of
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.dataset import FoundDataset
from lambda_handlers.planning.evaluation_checks import resolve
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.model_references import ModelReference
from lambda_handlers.planning.modes import Mode
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination
from lambda_handlers.training.recipe import Recipes, ResolvedRecipe


def inference_of(config: Mapping[str, Any], mode: Mode) -> Mapping[str, Any] | None:
    """Return the settings of the batch inference that a run in this mode has; in a whole run that is one with data."""
    settings: Mapping[str, Any] | None = config.get("batch_inference")
    if not settings or not mode.infers:
        return None
    return settings if mode.needs_model or settings.get("dataset_uri") else None


def check_offered(context: RunContext, mode: Mode) -> None:
    """Note that a run is to infer, where the customization has no batch inference."""
    if mode.infers and mode.needs_model and not context.config.get("batch_inference"):
        context.findings.problem(
            f"mode: {mode.name}, but this customization has no batch_inference; add it to its settings"
        )


def locate(context: RunContext, mode: Mode) -> FoundDataset | None:
    """Find the data of the stage of a whole run; that of a run of its own is the input's."""
    settings = inference_of(context.config, mode)
    if settings is None or mode.needs_model:
        return None
    with context.findings.checking(BATCH_INFERENCE):
        return datasets.locate(context.account.s3, settings["dataset_uri"], None)
    return None


def check_inference(
    context: RunContext, recipes: Recipes | None, mode: Mode, *, model: ModelReference | None, model_path: str
) -> dict[str, ResolvedRecipe]:
    """Return the recipe of the job for each choice of instances by its folder; one with problems is left out.

    A job of Amazon Bedrock has none.
    """
    settings = inference_of(context.config, mode)
    if settings is None:
        return {}
    if settings.get("through") == BEDROCK:
        _check_bedrock(context, model)
        return {}
    try:
        impossible = context.impossible(TASK) - context.impossible()
    except UnknownNameError:
        return {}  # told by the check of the combination
    if recipes is None or impossible:
        return {}
    rows_uri = context.places.inference_rows_uri(context.run_id)
    task = as_task(settings, rows_uri)
    found = {
        choice_folder(BATCH_INFERENCE, index): resolve(
            context, recipes, choice, stage=BATCH_INFERENCE, model_path=model_path, index=index, data_uri=rows_uri
        )
        for index, choice in enumerate(choices_of(task))
    }
    return {folder: recipe for folder, recipe in found.items() if recipe}


def _check_bedrock(context: RunContext, model: ModelReference | None) -> None:
    """Note a model that Bedrock batch jobs are not known to take, and that what they cost is in no bound."""
    if model and model.kind != "base":
        context.findings.problem(
            f"{BATCH_INFERENCE}: through bedrock asks the base model only, and the run names {model.model_path}: "
            "Bedrock batch jobs take neither deployments nor provisioned models, and whether they take a Nova model "
            "imported from a checkpoint is not documented; use model: base, or through: training_job",
            UnsupportedCombination,
        )
    context.findings.warn(f"{BATCH_INFERENCE}: Amazon Bedrock bills it by token; the cost of the plan leaves it out.")


def output_uri(context: RunContext, asked: ExecutionInput, mode: Mode) -> str | None:
    """Return the folder for the results, with a slash at the end; one that may not be written to is noted."""
    settings = inference_of(context.config, mode)
    if settings is None:
        return None
    own = f"s3://{context.places.artifacts_bucket}/"
    if asked.output is None:
        return own + default_prefix(context.run_id)
    folder = f"{asked.output.rstrip('/')}/"
    places = [f"{own}{NAMED_PREFIX}", *(f"s3://{name}/" for name in settings.get("output_buckets") or ())]
    if not folder.startswith(tuple(places)):
        with context.findings.checking():
            raise InvalidRequest(
                f'output: received "{asked.output}"; allowed: a folder under {", ".join(places)}; name another bucket '
                "in output_buckets of batch_inference, so that it may be written to"
            )
    return folder

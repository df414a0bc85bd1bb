"""Plan further training stages: their data, and their recipes with a stand-in for the checkpoint that is to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import combinations
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.dataset import FoundDataset, PinnedDataset
from lambda_handlers.planning.training_checks import PlannedTraining, check_planned
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from lambda_handlers.training.recipe import Recipes, ResolvedRecipe
from lambda_handlers.training.stages import training_stage

_KEY: Final = "further_training"


def further_stages(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the settings of the further training stages of a customization, in order."""
    found: Sequence[Mapping[str, Any]] = config.get(_KEY) or ()
    return found


def locate_further(context: RunContext, others: Sequence[FoundDataset]) -> dict[str, FoundDataset]:
    """Find the dataset of each further stage by its name; what is wrong with one is noted under its stage.

    `others` are the run's other datasets. All datasets of a run together keep to the limits of one: the plan hashes
    them all, and lists them in the state.
    """
    found: dict[str, FoundDataset] = {}
    for stage in further_stages(context.config):
        with context.findings.checking(training_stage(stage["name"])):
            found[stage["name"]] = datasets.locate(context.account.s3, stage["dataset_uri"], None)
    everything = [*others, *found.values()]
    if len(everything) > 1:
        with context.findings.checking():
            _check_together(everything)
    return found


def pin_further(s3: Any, found: Mapping[str, FoundDataset]) -> dict[str, PinnedDataset]:
    """Hash the dataset of each further stage."""
    return {name: datasets.pin(s3, each) for name, each in found.items()}


def check_further_training(context: RunContext, recipes: Recipes | None) -> dict[str, ResolvedRecipe]:
    """Return the recipe of each further training job by the name of its folder; one with problems is left out."""
    found: dict[str, ResolvedRecipe] = {}
    for stage in further_stages(context.config):
        subject = training_stage(stage["name"])
        impossible = combinations.check(context.config["model"], stage["method"], stage["training"]["platform"])
        for problem in impossible:
            if problem not in context.impossible():
                context.findings.problem(f"{subject}: {problem}", UnsupportedCombination)
        if recipes is None or impossible:
            continue
        planned = PlannedTraining(
            stage=subject,
            method=catalog.method(stage["method"]),
            settings=stage["training"],
            overrides=stage["overrides"],
            data_uri=context.places.train_uri(context.run_id, stage["name"]),
            validation_uri=context.places.validation_uri(context.run_id, stage, stage["name"]),
            model_path=CHECKPOINT_TO_COME,
        )
        found |= check_planned(context, recipes, planned)
    return found


def job_inputs(context: RunContext) -> Iterable[str]:
    """Yield the addresses of the data that the jobs of further stages will read."""
    for stage in further_stages(context.config):
        yield context.places.train_uri(context.run_id, stage["name"])
        if validation := context.places.validation_uri(context.run_id, stage, stage["name"]):
            yield validation


def _check_together(found: Sequence[FoundDataset]) -> None:
    objects, size = sum(len(each.objects) for each in found), sum(each.bytes for each in found)
    if objects > datasets.MOST_OBJECTS:
        raise InvalidRequest(
            f"The {len(found)} datasets of the run have {objects} objects together; at most {datasets.MOST_OBJECTS} "
            "can be prepared."
        )
    if size > datasets.MOST_BYTES_CUT:
        raise InvalidRequest(
            f"The {len(found)} datasets of the run have {size / 2**30:.1f} GiB together; at most "
            f"{datasets.MOST_BYTES_CUT / 2**30:.0f} GiB can be prepared."
        )

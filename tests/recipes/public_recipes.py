"""The public Nova recipes of public_recipes.yaml: what each is for, its values, and what the hub has for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lambda_handlers.catalog import MODELS, EvaluationTask, Platform, TrainingMethod, evaluation_task, method
from lambda_handlers.recipes import documents, hub
from lambda_handlers.recipes.finding import FoundRecipe, find
from lambda_handlers.recipes.template import leaves
from tests.recipes.hub_support import FakeS3, FakeSageMaker

PUBLIC = documents.load((Path(__file__).parent / "public_recipes.yaml").read_text(encoding="utf-8"))
NAMES = list(PUBLIC["recipes"])
ON_TRAINING_JOBS = [name for name in NAMES if PUBLIC["recipes"][name]["work"] != "CPT"]


def values(name: str) -> dict[str, Any]:
    """Return the leaves of a recipe by their dotted paths, as the public files have them."""
    row = PUBLIC["recipes"][name]
    found = {**PUBLIC["families"][row["family"]], **row.get("set", {})}
    for key in row.get("without", ()):
        del found[key]
    if row["family"] == "reward":
        # The public file says "an escrow bucket or nova-lite/prod", and an ARN to be filled in: here, the model as
        # published, and no function until one is given.
        found["run.model_name_or_path"] = found["run.model_name_or_path"].rpartition(" or ")[2]
        found["rl_env.reward_lambda_arn"] = ""
    return found


def dotted(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of a tree by their dotted paths."""
    return {leaf.dotted: leaf.literal for leaf in leaves(tree)}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree of leaves that are given by their dotted paths."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *above, key = path.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[key] = value
    return tree


def image(name: str) -> str:
    """Return the container of a recipe in us-east-1, as the public list has it; empty for those of HyperPod alone."""
    kind, version = (
        PUBLIC["recipes"][name]["family"].partition("_")[0],
        MODELS[PUBLIC["recipes"][name]["model"]].version,
    )
    tags = {
        ("sft", 1): "nova-fine-tune-repo:SM-TJ-SFT-latest",
        ("sft", 2): "nova-fine-tune-repo:SM-TJ-SFT-V2-latest",
        ("rft", 2): "nova-fine-tune-repo:SM-TJ-RFT-V2-latest",
    }
    tag = tags.get((kind, version), "nova-evaluation-repo:SM-TJ-Eval-V2-latest")
    return "" if kind == "cpt" else f"708977205387.dkr.ecr.us-east-1.amazonaws.com/{tag}"  # a payload names its own


def work(name: str) -> TrainingMethod | EvaluationTask:
    """Return the method or the task that a recipe is for."""
    of = PUBLIC["recipes"][name]["work"]
    return method(of) if of.isupper() else evaluation_task(of)


@cache
def found(
    name: str, task: TrainingMethod | EvaluationTask | None = None, instance_type: str | None = None
) -> FoundRecipe:
    """Return what the snapshot of the hub has for the work of a recipe, by default its own, on an instance type."""
    row = PUBLIC["recipes"][name]
    platform = Platform.SMHP if row["work"] == "CPT" else Platform.SMTJ
    content = hub.fetch(FakeSageMaker(), MODELS[row["model"]])
    return find(FakeS3(), content, task or work(name), platform, instance_type or row["instance_type"])

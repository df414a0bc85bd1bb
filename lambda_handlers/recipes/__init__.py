"""Recipes: found in the public hub, filled with typed values, checked against the hub's own constraints.

`hub.fetch` reads the hub entry of a model, `hub.select` chooses a recipe, `hub.load_template` reads its template and
override spec, `own_recipe` reads a recipe of the user's own, `render` puts all together. All problems of a recipe come
in one `RecipeInvalid`.
"""

from __future__ import annotations

from lambda_handlers.recipes import hub, own_recipe
from lambda_handlers.recipes.arguments import (
    arguments_before_a_run,
    evaluation_arguments,
    mlflow_arguments,
    training_arguments,
)
from lambda_handlers.recipes.filling import PROTECTED
from lambda_handlers.recipes.mixing import check_mixed, mixing_arguments, typed
from lambda_handlers.recipes.own_recipe import OwnRecipe
from lambda_handlers.recipes.rendering import Recipe, render

__all__ = [
    "PROTECTED",
    "OwnRecipe",
    "Recipe",
    "arguments_before_a_run",
    "check_mixed",
    "evaluation_arguments",
    "hub",
    "mixing_arguments",
    "mlflow_arguments",
    "own_recipe",
    "render",
    "training_arguments",
    "typed",
]

"""Recipes: found in the public hub, filled with typed values, checked against the hub's own constraints.

`hub.fetch` reads the hub entry of a model, `hub.select` chooses a recipe, `hub.load_template` reads its template and
override spec, `render` fills it in. All problems of a recipe come together in one `RecipeInvalid`.
"""

from __future__ import annotations

from lambda_handlers.recipes import hub
from lambda_handlers.recipes.arguments import arguments_before_a_run, evaluation_arguments, training_arguments
from lambda_handlers.recipes.rendering import PROTECTED, Recipe, render

__all__ = [
    "PROTECTED",
    "Recipe",
    "arguments_before_a_run",
    "evaluation_arguments",
    "hub",
    "render",
    "training_arguments",
]

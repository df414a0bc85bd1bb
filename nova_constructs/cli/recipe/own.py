"""The user's own recipe, from a local file or from S3."""

from __future__ import annotations

from pathlib import Path

from lambda_handlers.recipes import OwnRecipe, own_recipe
from nova_constructs.cli.errors import BadInputError


def read_own(place: str) -> OwnRecipe:
    """Return the recipe in a file or an object of S3.

    Raises:
        BadInputError: There is no such file, or it cannot be read.
        RecipeInvalid: What is there is no recipe.
    """
    if place.startswith(("s3://", "arn:")):
        from nova_constructs.cli.aws import client

        return own_recipe.resolve(place, client("s3"))
    try:
        return own_recipe.read_file(Path(place))
    except OSError as error:
        raise BadInputError(
            f"the recipe cannot be read: {error.strerror}", received=place, do="check the path; for S3, s3://BUCKET/KEY"
        ) from None

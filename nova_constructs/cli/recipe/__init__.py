"""`nova recipe`: one file per command.

render.py     nova recipe render
request.py    what is asked for, checked against the catalog
own.py        the user's own recipe
sources.py    the hub that recipes come from: AWS, or the snapshot that comes with the library
"""

from __future__ import annotations

import click

from nova_constructs.cli.recipe.render import render
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova recipe render --model NOVA_LITE_2 --method SFT_LORA --set max_steps=200
  nova recipe render --model NOVA_LITE_2 --method EVALUATION --task mmlu --hub bundled
""",
)
def recipe() -> None:
    """Render recipes: what a training container is told to do, as YAML.

    Credentials, region and endpoint are those of boto3; without any, recipes come from a snapshot.
    """


recipe.add_command(render)

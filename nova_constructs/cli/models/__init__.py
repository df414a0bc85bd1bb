"""`nova models`: one file per command.

holdings.py  what a customization has in Amazon Bedrock, and where each thing stands
list.py      nova models list
prune.py     nova models prune
"""

from __future__ import annotations

import click

from nova_constructs.cli.models.list import list_models
from nova_constructs.cli.models.prune import prune
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova models list --stack NovaSupport
  nova models prune --stack NovaSupport
  nova models prune --customization NovaSupport/Support --live-too --yes
""",
)
def models() -> None:
    """List the models and deployments of a customization in Amazon Bedrock, and remove those nobody needs.

    They are found by their tag, also when the stack is deleted: then name them as the tag does, with
    --customization STACK/NAME.
    """


for _command in (list_models, prune):
    models.add_command(_command)

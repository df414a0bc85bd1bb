"""`nova triggers`: one file per command."""

from __future__ import annotations

import click

from nova_constructs.cli.root import CONTEXT_SETTINGS
from nova_constructs.cli.triggers.list import list_triggers


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova triggers list --stack NovaSupport
  nova triggers list --json
""",
)
def triggers() -> None:
    """Say what starts runs of a deployed customization by itself."""


triggers.add_command(list_triggers)

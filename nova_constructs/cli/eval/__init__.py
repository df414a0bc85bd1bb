"""`nova eval`: one file per command.

show.py      nova eval show
results.py   what a run measured and how its gate decided, out of the run's ledger
"""

from __future__ import annotations

import click

from nova_constructs.cli.eval.show import show
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    "eval",
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova eval show RUN
  nova eval show RUN --stack NovaSupport --json
""",
)
def evaluation() -> None:
    """Show what the models of a run were measured at, and what the gate made of it."""


evaluation.add_command(show)

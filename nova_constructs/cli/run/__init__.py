"""`nova run`: one file per command."""

from __future__ import annotations

import click

from nova_constructs.cli.root import CONTEXT_SETTINGS
from nova_constructs.cli.run.list import list_runs
from nova_constructs.cli.run.resume import resume
from nova_constructs.cli.run.show import show
from nova_constructs.cli.run.start import start
from nova_constructs.cli.run.stop import stop


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova run start ./train.jsonl --stack NovaSupport --wait
  NOVA_STACK=NovaSupport nova run list
  nova run show RUN --json
  nova run stop RUN --reason "wrong dataset"
  nova run resume RUN --wait
""",
)
def run() -> None:
    """Start, list, show, stop and resume runs of a deployed customization, on AWS or on `nova emulate`.

    The stack is found by --stack, by the environment variable NOVA_STACK, or by being the only one. Credentials,
    region and endpoint are those of boto3: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the others.
    """


for _command in (start, list_runs, show, stop, resume):
    run.add_command(_command)

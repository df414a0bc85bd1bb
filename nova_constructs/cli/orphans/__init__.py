"""`nova orphans`: one file per command.

tagged.py    jobs in progress that carry the tags of customizations: SageMaker, Amazon Bedrock, HyperPod clusters
living.py    whether the run that made something is alive
sweep.py     the two put together, and what deleted stacks have left in Amazon Bedrock
list.py      nova orphans list
stop.py      nova orphans stop
"""

from __future__ import annotations

import click

from nova_constructs.cli.orphans.list import list_orphans
from nova_constructs.cli.orphans.stop import stop
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova orphans list
  nova orphans list --customization NovaSupport/Support --region us-east-1
  nova orphans stop --yes
  nova orphans stop --cluster nova-cluster --namespace kubeflow
""",
)
def orphans() -> None:
    """Find and stop what costs money and no run waits for, by its tags alone: no stack is needed.

    What carries no tag of a customization is not looked at further. A job is left alone as long as the execution of
    its run is running, or a run that took the job over is.
    """


for _command in (list_orphans, stop):
    orphans.add_command(_command)

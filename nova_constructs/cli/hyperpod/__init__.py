"""`nova hyperpod`: one file per command.

rbac.py   nova hyperpod rbac
"""

from __future__ import annotations

import click

from nova_constructs.cli.hyperpod.rbac import rbac
from nova_constructs.cli.root import CONTEXT_SETTINGS


@click.group(
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova hyperpod rbac --namespace kubeflow | kubectl apply -f -
""",
)
def hyperpod() -> None:
    """Prepare a SageMaker HyperPod cluster for customizations."""


hyperpod.add_command(rbac)

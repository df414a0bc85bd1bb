"""`nova hyperpod rbac`."""

from __future__ import annotations

import click
import yaml

from lambda_handlers.catalog import clusters
from lambda_handlers.hyperpod import rbac as needed
from nova_constructs.cli import output
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.json_command import JsonCommand


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova hyperpod rbac --namespace kubeflow | kubectl apply -f -
  nova hyperpod rbac --namespace kubeflow --group nova-support --without-rft
  nova hyperpod rbac --namespace kubeflow --json | jq '.items[0].rules'

\b
Exit codes: 0 printed, 2 bad input.
""",
)
@click.option("--namespace", required=True, help="Namespace of the jobs, as in HyperPod(namespace=…).")
@click.option(
    "--group",
    default=clusters.ACCESS_GROUP,
    show_default=True,
    help="Kubernetes group of the functions, as in HyperPod(kubernetes_group=…).",
)
@click.option("--without-rft", is_flag=True, help="Leave out what only reinforcement fine-tuning creates.")
@output.json_option
def rbac(namespace: str, group: str, without_rft: bool, as_json: bool) -> int:
    """Print the Role and the RoleBinding that let a customization's functions run jobs in a namespace.

    CloudFormation cannot make them: the cluster's admin applies them once. They hold what the functions do and no more:
    create, get and delete the objects of jobs, list pods and events.
    """
    if not clusters.NAMESPACE.fullmatch(namespace):
        raise BadInputError(
            "the namespace cannot be one of Kubernetes", received=namespace, do="use 1 to 63 of a-z, 0-9 and -"
        )
    if not clusters.GROUP_NAME.fullmatch(group):
        raise BadInputError(
            "the group cannot be one of an access entry",
            received=group,
            do="use 1 to 63 letters, digits and .:_@/-, not beginning with system:",
        )
    found = list(needed.documents(namespace, group, reinforcement=not without_rft))
    if as_json:
        # A List, which kubectl applies as it does the documents.
        output.print_json({"apiVersion": "v1", "kind": "List", "items": found})
        return 0
    click.echo(yaml.safe_dump_all(found, sort_keys=False, explicit_start=True), nl=False)
    return 0

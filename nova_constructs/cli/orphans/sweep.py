"""What is left behind: jobs in progress for which no run waits, and what nobody needs in Amazon Bedrock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

import click

from lambda_handlers.deployment import inventory
from lambda_handlers.deployment.retention import Judged
from nova_constructs.cli import aws, output
from nova_constructs.cli.models.holdings import Holdings, open_holdings
from nova_constructs.cli.models.list import cost, usd_per_hour
from nova_constructs.cli.orphans.living import Living
from nova_constructs.cli.orphans.tagged import TaggedJob, cluster_jobs, invocation_jobs, training_jobs

P = ParamSpec("P")
R = TypeVar("R")

_HEADERS = ("KIND", "NAME", "STATUS", "CUSTOMIZATION", "RUN", "WHY", "USD PER HOUR")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Say where to look: in one customization or every one, in the account and on clusters."""

    customization: str | None
    """STACK/NAME; None for all."""
    clusters: tuple[str, ...]
    namespace: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """A job in progress for which no run waits, and why."""

    job: TaggedJob
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        job = self.job
        return {
            "kind": job.kind,
            "name": job.name,
            "arn": job.arn,
            "status": job.status,
            "customization": job.customization,
            "run_id": job.run_id,
            "stage": job.stage,
            "place": dict(job.place) if job.place else None,
            "created": job.created,
            "instance_type": job.instance_type,
            "instance_count": job.instance_count,
            "usd_per_hour": job.usd_per_hour,
            "cost": job.cost,
            "why": self.why,
        }

    def row(self) -> tuple[str, ...]:
        """Return it as a line of a table."""
        job = self.job
        return (job.kind, job.name, job.status, job.customization, job.run_id or "-", self.why, job.cost)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unneeded:
    """A model, or what serves one, that nobody needs; `nova models prune` removes it."""

    judged: Judged
    holdings: Holdings

    @property
    def remove_with(self) -> str:
        """Return the command that removes it."""
        live_too = " --live-too" if self.holdings.stack is None and not self.judged.removable else ""
        return f"nova models prune --customization {self.holdings.tag}{live_too}"

    @property
    def why(self) -> str:
        """Say why nobody needs it."""
        if self.holdings.stack is None:
            return f"stack {self.holdings.tag.partition('/')[0]} is gone"
        return f"{self.judged.standing}: no run and no rollback needs it"

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        made, price = self.judged.made, self.holdings.usd_per_unit_hour
        return {
            **made.facts(),
            "status": made.status,
            "customization": self.holdings.tag,
            "created": made.created,
            "usd_per_hour": usd_per_hour(made, price),
            "cost": cost(made, price),
            "why": self.why,
            "remove_with": self.remove_with,
        }

    def row(self) -> tuple[str, ...]:
        """Return it as a line of a table."""
        made = self.judged.made
        price = cost(made, self.holdings.usd_per_unit_hour)
        return (str(made.kind), made.name, made.status, self.holdings.tag, made.run_id or "-", self.why, price)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Everything that was found. `unseen` says what could not be looked at."""

    jobs: Sequence[Orphan]
    live: Sequence[TaggedJob]
    models: Sequence[Unneeded]
    unseen: Sequence[str]


def sweep(place: Place, *, models: bool = True) -> Found:
    """Look everywhere; what may not be looked at is told and hinders nothing else."""
    unseen: list[str] = []
    tagged: list[TaggedJob] = []
    wanted = place.customization
    looks: dict[str, Callable[[], Sequence[TaggedJob]]] = {
        "training jobs": lambda: list(training_jobs(aws.client("sagemaker"), wanted)),
        "batch inference jobs": lambda: list(invocation_jobs(aws.client("bedrock"), wanted)),
    }
    for cluster in place.clusters:
        looks[f"cluster {cluster}"] = partial(lambda each: list(cluster_jobs(each, place.namespace, wanted)), cluster)
    for what, look in looks.items():
        tagged += _seen(look, what, unseen) or ()
    living = Living(client=aws.client)
    orphans, live = [], []
    for job in tagged:
        # An error here ends the command: nothing is taken for dead because it may not be looked at.
        why = living.why_dead(job)
        if why is None:
            live.append(job)
        else:
            orphans.append(Orphan(job=job, why=why))
    unneeded = _seen(lambda: _unneeded(wanted), "models and deployments", unseen) if models else None
    return Found(jobs=orphans, live=live, models=unneeded or (), unseen=unseen)


def place_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say where to look."""
    for option in (
        click.option("--region", metavar="NAME", help="AWS Region to look in. Default: that of the environment."),
        click.option(
            "--namespace", metavar="NAME", default="kubeflow", show_default=True, help="Namespace of the clusters."
        ),
        click.option(
            "--cluster", "clusters", metavar="NAME", multiple=True,
            help="HyperPod cluster to look at too; your own access entry of it is used. May be repeated.",
        ),
        click.option(
            "--customization", metavar="STACK/NAME", help="Only what carries this tag. Default: every customization."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def place_of(customization: str | None, clusters: tuple[str, ...], namespace: str, region: str | None) -> Place:
    """Return where to look; every client opened from now on is one of that Region."""
    if region:
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
    return Place(customization=customization, clusters=clusters, namespace=namespace)


def print_orphans(found: Sequence[Orphan | Unneeded]) -> None:
    """Print a table on stdout."""
    from rich.markup import escape

    rows = [[escape(output.harmless(cell)) for cell in each.row()] for each in found]
    output.print_rows(output.console(), _HEADERS, rows)


def tell_unseen(unseen: Sequence[str]) -> None:
    """Say on stderr what could not be looked at."""
    for each in unseen:
        click.echo(output.harmless(f"not looked at: {each}"), err=True)


def _seen(look: Callable[[], R], what: str, unseen: list[str]) -> R | None:
    """Return what a look finds, None where AWS or a cluster did not answer; then `unseen` says so."""
    from botocore.exceptions import ClientError, EndpointConnectionError

    from lambda_handlers.protocol.errors import WorkflowError

    try:
        return look()
    except (ClientError, EndpointConnectionError, WorkflowError) as error:
        unseen.append(f"{what}: {error}")
        return None


def _unneeded(customization: str | None) -> list[Unneeded]:
    """Return what `nova models prune` would remove, and of a deleted stack everything."""
    from nova_constructs.cli.errors import BadInputError

    found: list[Unneeded] = []
    for tag in [customization] if customization else inventory.customizations(aws.client("bedrock")):
        try:
            holdings = open_holdings(stack=None, customization=tag)
        except BadInputError:
            continue  # it has nothing there
        judged = (each for each in holdings.judged if each.removable or holdings.stack is None)
        found += [Unneeded(judged=each, holdings=holdings) for each in judged]
    return found

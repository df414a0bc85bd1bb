"""What every check of a run looks at, and where it notes what it finds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.catalog import combinations
from lambda_handlers.checks.findings import Findings
from lambda_handlers.hyperpod.access import ClusterAccess, cluster_access
from lambda_handlers.hyperpod.api import KubernetesApi
from lambda_handlers.planning.places import Places
from lambda_handlers.protocol.store import ItemStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The clients of the account that is checked; `functions` is that of AWS Lambda; `bedrock` may be None where
    nothing is deployed. `reach_cluster` and `speak_with` are how HyperPod clusters are found and asked."""

    s3: Any
    sagemaker: Any
    iam: Any
    kms: Any
    service_quotas: Any
    ec2: Any
    functions: Any
    bedrock: Any = None
    reach_cluster: Callable[[str], ClusterAccess] = cluster_access
    speak_with: Callable[[ClusterAccess], KubernetesApi] = KubernetesApi


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What earlier runs of the customization left: their `events` (the ledger) and `control`, where production is."""

    events: ItemStore
    control: ItemStore


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """One run that is being checked; `tracked` holds where its jobs track, once that was looked at.

    `functions` holds what the functions that they call are known by, their code and settings, by ARN.
    """

    account: Account
    history: History
    places: Places
    config: Mapping[str, Any]
    execution: Mapping[str, Any]
    findings: Findings = field(default_factory=Findings)
    tracked: dict[Hashable, dict[str, str] | None] = field(default_factory=dict)
    functions: dict[str, str | None] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.execution["name"])

    def impossible(self, *tasks: str) -> set[str]:
        """Return why model, method, platform and tasks do not go together; that is told, and no recipe is for them."""
        config = self.config
        return set(combinations.check(config["model"], config["method"], config["training"]["platform"], None, tasks))

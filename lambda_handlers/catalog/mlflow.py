"""Where training metrics can be tracked with MLflow: ARN forms, statuses, defaults, and what a job's role needs.

Sources: SageMaker API reference (CreateTrainingJob, MlflowConfig; DescribeMlflowApp; DescribeMlflowTrackingServer), the
Nova customization SDK (ARN of an app, name of the default app), SageMaker Developer Guide, "Set up IAM permissions for
MLflow" and "Set up IAM permissions for MLflow Apps", Service Authorization Reference, Amazon SageMaker with MLflow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import SplitResult, urlsplit

DEFAULT_APP: Final = "DefaultMLFlowApp"
"""The app that SageMaker makes for an account, and the SDK looks for."""
MOST_CHARACTERS: Final = 256
"""Of the name of an experiment or of a run."""

USABLE: Final = frozenset(
    (
        "Created", "Updated", "Started", "UpdateFailed", "StopFailed", "DeleteFailed",
        "MaintenanceInProgress", "MaintenanceComplete", "MaintenanceFailed",
    )
)  # fmt: skip
"""Statuses of a server or app that is there and answers; what failed left it as it was."""
COMING: Final = frozenset(("Creating", "Starting", "Updating"))
"""Statuses of a server or app that will answer later."""

# Of a run's record alone: nothing is deleted, and no model is registered.
SERVER_ACTIONS: Final = (
    "sagemaker-mlflow:CreateExperiment",
    "sagemaker-mlflow:CreateRun",
    "sagemaker-mlflow:GetExperiment",
    "sagemaker-mlflow:GetExperimentByName",
    "sagemaker-mlflow:GetRun",
    "sagemaker-mlflow:LogBatch",
    "sagemaker-mlflow:LogInputs",
    "sagemaker-mlflow:LogMetric",
    "sagemaker-mlflow:LogParam",
    "sagemaker-mlflow:SearchExperiments",
    "sagemaker-mlflow:SearchRuns",
    "sagemaker-mlflow:SetExperimentTag",
    "sagemaker-mlflow:SetTag",
    "sagemaker-mlflow:UpdateRun",
)
"""What tracking a run asks of a tracking server."""
APP_ACTIONS: Final = ("sagemaker:CallMlflowAppApi",)
"""What tracking a run asks of an app, whose interface has one action for everything."""

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"(?:mlflow-tracking-server/(?P<server>[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,255})|mlflow-app/(?P<app>app-[A-Z0-9]+))"
)
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)


class MlflowKind(Enum):
    """A tracking server of one's own size, or an app that SageMaker runs; the value is the ARN's resource type."""

    SERVER = "mlflow-tracking-server"
    APP = "mlflow-app"

    @property
    def actions(self) -> tuple[str, ...]:
        """What tracking a run needs."""
        return SERVER_ACTIONS if self is MlflowKind.SERVER else APP_ACTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowResource:
    """A tracking server or an app, by its ARN; `name` is the server's name or the app's id."""

    arn: str
    kind: MlflowKind
    region: str
    account: str
    name: str


def mlflow_resource(arn: str) -> MlflowResource | None:
    """Return what an ARN names, or None where it has neither form."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    kind = MlflowKind.SERVER if found["server"] else MlflowKind.APP
    name = found["server"] or found["app"]
    return MlflowResource(arn=arn, kind=kind, region=found["region"], account=found["account"], name=name)


def arn_problem(arn: str) -> str | None:
    """Return what is wrong with the ARN of a tracking server or app, with the forms that are allowed."""
    if mlflow_resource(arn):
        return None
    return (
        f"mlflow.resource_arn is {arn!r}: use the ARN of a tracking server, such as arn:aws:sagemaker:us-east-1:"
        "111122223333:mlflow-tracking-server/mine, or of an app, such as arn:aws:sagemaker:us-east-1:111122223333:"
        "mlflow-app/app-ABC123; a server elsewhere goes into uri"
    )


def uri_problem(uri: str) -> str | None:
    """Return what is wrong with the address of a server that is not SageMaker's."""
    found = _split(uri)
    if found is None or found.scheme != "https" or not _HOST.fullmatch(found.hostname or ""):
        return f"mlflow.uri is {uri!r}: use https:// with a host, such as https://mlflow.example.com"
    if found.username or found.password:
        return "mlflow.uri holds a user or a password, which recipe and record would show: leave it out"
    if found.query or found.fragment:
        return f"mlflow.uri is {uri!r}: leave out the query and the fragment"
    return None


def _split(uri: str) -> SplitResult | None:
    try:
        found = urlsplit(uri)
        _ = found.port  # raises ValueError for what is no port
    except ValueError:
        return None
    return found if uri == uri.strip() and uri.isascii() and uri.isprintable() and " " not in uri else None


def name_problem(what: str, name: str) -> str | None:
    """Return what is wrong with the name of an experiment or a run (`what`)."""
    if 1 <= len(name) <= MOST_CHARACTERS and name.strip() and name.isprintable():
        return None
    return f"mlflow.{what} is {name!r}: use 1 to {MOST_CHARACTERS} characters on one line, or leave it out"

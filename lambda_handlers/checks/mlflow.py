"""Where a training job's metrics go by MLflow: found where none is named, and looked at before a job is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any, Final

from lambda_handlers.catalog import mlflow
from lambda_handlers.catalog.mlflow import MlflowKind, MlflowResource, mlflow_resource
from lambda_handlers.checks import tracking_probe
from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.tracking_probe import TrackingProbes
from lambda_handlers.checks.tracking_server import answers
from lambda_handlers.protocol.errors import error_code, service_errors

_DENIED: Final = ("AccessDenied", "AccessDeniedException")
_PAGE: Final = 100
_NAME_ONE: Final = "name one as mlflow.resource_arn, or leave mlflow out"


def resolve(
    findings: Findings,
    sagemaker: Any,
    settings: Mapping[str, Any],
    *,
    role_arn: str,
    region: str,
    probes: TrackingProbes,
    ask: Callable[[str], int] = answers,
) -> dict[str, str] | None:
    """Return where a job tracks, as `resource_arn` or `uri`; None where nothing is asked for, or it cannot be found.

    `settings` are those of a platform; where they have a VPC, `probes` ask a server that is not SageMaker's from there.
    What cannot be looked at is a warning; problems are only a default that cannot be looked for, since tracking is
    never left out silently, and a server that is not reached from the VPC.
    """
    wanted = settings.get("mlflow")
    if wanted is None:
        return None
    if uri := wanted.get("uri"):
        return {"uri": uri} if _usable_server(findings, uri, settings, probes, ask) else None
    arn = wanted.get("resource_arn") or _default(findings, sagemaker)
    if not arn:
        return None
    found = mlflow_resource(arn)
    if found is None:
        findings.problem(str(mlflow.arn_problem(arn)))
        return None
    if wanted.get("resource_arn"):
        _look(findings, sagemaker, found, account=role_arn.split(":")[4], region=region)
    return {"resource_arn": arn}


def _usable_server(
    findings: Findings, uri: str, settings: Mapping[str, Any], probes: TrackingProbes, ask: Callable[[str], int]
) -> bool:
    if problem := mlflow.uri_problem(uri):
        findings.problem(problem)
        return False
    if settings.get("vpc"):
        tracking_probe.check(findings, probes, uri, settings)
        return True
    try:
        ask(uri)
    except (OSError, HTTPException) as error:
        findings.warn(
            f"The MLflow server {uri} did not answer ({error}): a job that runs in no VPC will hardly reach it either."
        )
    return True


def _look(findings: Findings, sagemaker: Any, found: MlflowResource, *, account: str, region: str) -> None:
    if (found.account, found.region) != (account, region):
        findings.warn(f"{found.arn} was not checked: it is of another account or Region than the jobs.")
        return
    try:
        with service_errors():
            arn, status = _described(sagemaker, found)
    except Exception as error:
        if error_code(error) in ("ResourceNotFound", "ResourceNotFoundException"):
            findings.problem(f"mlflow.resource_arn names {found.arn}, which does not exist.")
        elif error_code(error) in _DENIED:
            findings.warn(f"{found.arn} was not checked: sagemaker:{_operation(found)} is denied.")
        else:
            raise
        return
    if arn != found.arn:
        findings.problem(f"mlflow.resource_arn names {found.arn}, which does not exist; there is {arn}.")
    else:
        _judge(findings, arn, status)


def _operation(found: MlflowResource) -> str:
    return "DescribeMlflowTrackingServer" if found.kind is MlflowKind.SERVER else "DescribeMlflowApp"


def _described(sagemaker: Any, found: MlflowResource) -> tuple[str, str]:
    if found.kind is MlflowKind.SERVER:
        server = sagemaker.describe_mlflow_tracking_server(TrackingServerName=found.name)
        return server["TrackingServerArn"], server["TrackingServerStatus"]
    app = sagemaker.describe_mlflow_app(Arn=found.arn)
    return app["Arn"], app["Status"]


def _judge(findings: Findings, arn: str, status: str) -> None:
    if status in mlflow.COMING:
        findings.warn(f"{arn} is {status}: what a job tells it before it is ready is lost.")
    elif status not in mlflow.USABLE:
        advice = "start it" if status in ("Stopped", "Stopping") else "name another"
        findings.problem(f"mlflow.resource_arn names {arn}, which is {status}: {advice}.")


def _default(findings: Findings, sagemaker: Any) -> str | None:
    """Return the ARN of the app that SageMaker calls the default, else of the account's only tracking server."""
    try:
        with service_errors():
            apps = [app for app in _apps(sagemaker) if app["Name"] == mlflow.DEFAULT_APP]
            usable = [app["Arn"] for app in apps if app["Status"] in mlflow.USABLE]
            servers = [] if usable else [each for each in _servers(sagemaker) if _is_there(each)]
    except Exception as error:
        if error_code(error) not in _DENIED:
            raise
        findings.problem(f"No MLflow server or app is named, and the default may not be looked for: {_NAME_ONE}.")
        return None
    if usable:
        return str(usable[0])
    if len(servers) == 1:
        return str(servers[0]["TrackingServerArn"])
    there = f"{len(servers)} tracking servers, none of which is the default" if servers else "no tracking server"
    findings.problem(
        f"No MLflow server or app is named, and this account has no usable app {mlflow.DEFAULT_APP} and {there}: "
        f"{_NAME_ONE}."
    )
    return None


def _is_there(server: Mapping[str, Any]) -> bool:
    return server["TrackingServerStatus"] in mlflow.USABLE


def _apps(sagemaker: Any) -> Iterator[Mapping[str, Any]]:
    return _all(sagemaker.list_mlflow_apps, "Summaries")


def _servers(sagemaker: Any) -> Iterator[Mapping[str, Any]]:
    return _all(sagemaker.list_mlflow_tracking_servers, "TrackingServerSummaries")


def _all(operation: Callable[..., Any], member: str) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {"MaxResults": _PAGE}
    while True:
        answer = operation(**request)
        yield from answer.get(member) or ()
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]

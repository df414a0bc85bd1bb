"""What the plan makes of an MLflow server behind a VPC: a function that stands in it asks, since the plan cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.tracking_server import health
from lambda_handlers.protocol.errors import TransientServiceError, error_code, service_errors

# With these a job goes another way than the function does, or trusts other certificates (MLflow, "Logging to a tracking
# server"; Requests, "Proxies" and "SSL Cert Verification").
REROUTING: Final = frozenset(
    (
        "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
    )
)  # fmt: skip


class ProbeFailed(Exception):  # noqa: N818  # the sentence is told, nothing catches it by name
    """Say why the function that asks could not be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingProbes:
    """The functions that ask from VPCs: `deployed` has the `subnets`, `security_groups` and `function` of each.

    `functions` is the client of AWS Lambda (lambda:InvokeFunction).
    """

    functions: Any
    deployed: Sequence[Mapping[str, Any]] = ()

    def ask(self, vpc: Mapping[str, Any], uri: str) -> Mapping[str, Any]:
        """Return what `tracking_server.probe` answers in this VPC. Raises ProbeFailed."""
        found = [each["function"] for each in self.deployed if all(each[name] == vpc[name] for name in vpc)]
        if not found:
            raise ProbeFailed("no function of this customization stands in that VPC: deploy it anew")
        try:
            with service_errors():
                answer = self.functions.invoke(FunctionName=found[0], Payload=json.dumps({"uri": uri}).encode())
                told = json.loads(answer["Payload"].read())
        except Exception as error:
            if not isinstance(error, TransientServiceError) and not error_code(error):
                raise
            raise ProbeFailed(f"{found[0]} could not be called: {error}") from error
        if "FunctionError" in answer:
            raise ProbeFailed(f"{found[0]} failed: {told.get('errorMessage', told)}")
        return dict(told)


def check(findings: Findings, probes: TrackingProbes, uri: str, settings: Mapping[str, Any]) -> None:
    """Note what a job with these settings of a platform, which has a `vpc`, will meet at the server.

    A problem where nothing is reached; a warning where the server answers with anything but success, where the job may
    go another way by its `environment`, or where it could not be asked.
    """
    vpc = settings["vpc"]
    try:
        told = probes.ask(vpc, uri)
    except ProbeFailed as failed:
        findings.warn(f"The MLflow server {uri} was not asked from the VPC of the jobs: {failed}.")
        return
    status = told.get("status")
    if status is None:
        _not_reached(findings, uri, vpc, str(told["error"]), sorted(REROUTING & set(settings.get("environment") or ())))
    elif not 200 <= status < 300:
        findings.warn(
            f"The MLflow server {uri} is reached from the VPC of the jobs, and answered GET {health(uri)} with HTTP "
            f"status {status}: jobs bring no credentials of ours, and may be refused too."
        )


def _not_reached(findings: Findings, uri: str, vpc: Mapping[str, Any], error: str, rerouting: Sequence[str]) -> None:
    tried = (
        f"The MLflow server {uri} is not reached from the VPC of the jobs ({error}). Tried: GET {health(uri)} from "
        f"{', '.join(vpc['subnets'])} with {', '.join(vpc['security_groups'])}"
    )
    if rerouting:
        findings.warn(f"{tried}. The jobs may reach it all the same, as their environment has {', '.join(rerouting)}.")
    else:
        findings.problem(
            f"{tried}. The jobs would not reach it either: put right name, routes, security groups or certificate, or "
            "leave mlflow out."
        )

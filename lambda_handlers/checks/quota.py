"""The account's quota of training instances, found by its name: the codes differ from source to source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.checks.findings import Findings
from lambda_handlers.protocol.errors import QuotaExceeded, TransientServiceError, error_code, service_errors

SERVICE_CODE: Final = "sagemaker"
_PAGE: Final = 100


def training_quota(instance_type: str) -> str:
    """Return the name of the quota of instances that training jobs use."""
    return f"{instance_type} for training job usage"


def warm_pool_quota(instance_type: str) -> str:
    """Return the name of the quota of instances that are kept after a training job."""
    return f"{instance_type} for training warm pool usage"


def check(
    findings: Findings,
    quotas: Any,
    wanted: Mapping[str, int],
    alternatives: Mapping[str, int] | None = None,
    *,
    advised: Mapping[str, int] | None = None,
) -> None:
    """Note the quotas, by name, that are below the number of instances wanted at once.

    One that is below what `alternatives` need is a warning: they are tried only where there is no capacity for what is
    wanted, and an alternative that is refused is passed over. One below what is `advised` is a warning too: instances
    that are there already are not asked for again. Each gets a warning where the service does not answer or
    has no quota of that name. A quota is of the account and Region: what other jobs use of it is not known here.
    """
    others, told = alternatives or {}, advised or {}
    names = sorted({*wanted, *others, *told})
    try:
        with service_errors():
            found = _find(quotas, set(names))
    except Exception as error:
        if not isinstance(error, TransientServiceError) and not error_code(error):
            raise
        # Never a reason to stop: the job's own create call says the same thing, only later.
        findings.warn(f"Quotas were not checked ({', '.join(names)}): {error}")
        return
    for name in names:
        if name not in found:
            findings.warn(f'The quota "{name}" was not checked: Service Quotas lists none of that name.')
            continue
        value, count, other = found[name]["Value"], wanted.get(name, 0), others.get(name, 0)
        if value < count:
            findings.problem(_exceeded(found[name], count), QuotaExceeded)
        elif value < other:
            findings.warn(f"An alternative will be passed over. {_exceeded(found[name], other)}")
        elif value < told.get(name, 0):
            findings.warn(_exceeded(found[name], told[name]))


def _find(quotas: Any, names: set[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for quota in _all(quotas):
        if quota.get("QuotaName") in names:
            found[quota["QuotaName"]] = quota
            if len(found) == len(names):
                break
    return found


def _all(quotas: Any) -> Iterator[Mapping[str, Any]]:
    request: dict[str, Any] = {"ServiceCode": SERVICE_CODE, "MaxResults": _PAGE}
    while True:
        answer = quotas.list_service_quotas(**request)
        yield from answer["Quotas"]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _exceeded(quota: Mapping[str, Any], wanted: int) -> str:
    name, code, value = quota["QuotaName"], quota["QuotaCode"], quota["Value"]
    command = f"aws service-quotas request-service-quota-increase --service-code {SERVICE_CODE} --quota-code {code}"
    return (
        f'The quota "{name}" ({code}) of this account is {value:g}, and the run needs {wanted} instances at once. '
        f"Ask for more: {command} --desired-value {wanted}"
    )

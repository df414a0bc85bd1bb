"""Service Quotas: ListServiceQuotas of Amazon SageMaker's instances, in pages; other services have none here.

The values are `Simulation.instance_quota`, or by the quota's name those of `Simulation.quotas`; the codes are made up.
What jobs use of a quota is not counted, and creating a job is not refused because of one.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.servicequotas.responses import ServiceQuotasResponse

from lambda_handlers.catalog.instances import TABLES
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.state import SimulatorState, Undo

_USES = ("training job usage", "training warm pool usage", "cluster usage")
_MOST = 100


def install(state: SimulatorState) -> Undo:
    """Serve the operation."""

    def list_service_quotas(parameters: Parameters) -> dict[str, Any]:
        if parameters["ServiceCode"] != "sagemaker":
            raise aws_error("NoSuchResourceException", f"The emulator has no quotas of {parameters['ServiceCode']}.")
        if unknown := set(parameters) - {"ServiceCode", "MaxResults", "NextToken"}:
            raise NotImplementedError(f"ListServiceQuotas with {', '.join(sorted(unknown))}")
        quotas = [_quota(state, name) for name in _names(state)]
        shown, token = page(quotas, parameters.get("NextToken"), min(parameters.get("MaxResults") or _MOST, _MOST))
        return {"Quotas": list(shown), "NextToken": token}

    return serve(ServiceQuotasResponse, {"ListServiceQuotas": list_service_quotas})


def _names(state: SimulatorState) -> list[str]:
    types = {option.type for options in TABLES.values() for option in options}
    return sorted({f"{each} for {use}" for each in types for use in _USES} | set(state.simulation.quotas))


def _quota(state: SimulatorState, name: str) -> dict[str, Any]:
    code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{state.region}:{state.account}:sagemaker/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(state.simulation.quotas.get(name, state.simulation.instance_quota)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }

"""Ask production one question, and leave what came of it where an alarm can watch it: under a name that stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from lambda_handlers.deployment import smoke
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.errors import DeploymentFailed, TransientServiceError, service_errors
from lambda_handlers.protocol.pointer import Pointer

NAMESPACE: Final = "NovaConstructs"
DIMENSION: Final = "Customization"
FAILURES: Final = "Failures"
LATENCY: Final = "LatencyMs"


def watch(
    *, pointer: Pointer, runtime: Any, cloudwatch: Any, clock: Clock, customization: str, prompt: str, bake: timedelta
) -> Mapping[str, Any]:
    """Ask what the pointer shows and put the metrics `Failures` (0 or 1) and `LatencyMs`; return what was found.

    Only within the bake time after a promotion: what a rollback has brought back is not watched. `LatencyMs` is what
    a caller waits, and is left out where there was no answer.
    """
    target = pointer.read()
    now = clock.now()
    if target is None or target.rollback or now - datetime.fromisoformat(target.moved_at) > bake:
        return {"asked": False}
    try:
        smoke.ask_all(runtime, target.arn, [{"text": prompt}])
        failure = ""
    except (DeploymentFailed, TransientServiceError) as error:
        # To a caller, a service that is busy for long is one that does not answer.
        failure = str(error)
    values = {FAILURES: (1.0 if failure else 0.0, "Count")}
    if not failure:
        values[LATENCY] = ((clock.now() - now) / timedelta(milliseconds=1), "Milliseconds")
    dimensions = [{"Name": DIMENSION, "Value": customization}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
        for name, (value, unit) in values.items()
    ]
    with service_errors():
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
    return {"asked": True, "arn": target.arn, "failure": failure}

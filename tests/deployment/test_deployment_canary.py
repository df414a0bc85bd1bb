"""The canary asks within the bake time alone, and leaves its findings under a name that stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_handlers.deployment.canary import watch
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.targets import Rollback
from tests.deployment.test_deployment_promotion import Runtime, refusal
from tests.protocol.protocol_memory import run_control

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Clock:
    """A second passes between one look and the next."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class Metrics:
    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []

    def put_metric_data(self, **request: Any) -> None:
        self.put.append(request)


def pointer(*arns: str) -> Pointer:
    """Return a pointer that runs moved to these deployments, the last one now."""
    store = run_control()
    for arn in arns:
        generation = RunLock(store).acquire(arn, f"e-{arn}", NOW)
        Pointer(store).move(arn, generation, arn, now=NOW)
        RunLock(store).release(arn)
    return Pointer(store)


def asked(found: Pointer, runtime: Runtime, *, after: timedelta = timedelta(minutes=5)) -> tuple[Any, Metrics]:
    metrics = Metrics()
    told = watch(
        pointer=found, runtime=runtime, cloudwatch=metrics, clock=Clock(NOW + after), customization="Nova/Support",
        prompt="Are you there?", bake=timedelta(minutes=30),
    )  # fmt: skip
    return told, metrics


def values(metrics: Metrics) -> dict[str, float]:
    [request] = metrics.put
    assert request["Namespace"] == "NovaConstructs"
    assert all(
        each["Dimensions"] == [{"Name": "Customization", "Value": "Nova/Support"}] for each in request["MetricData"]
    )
    return {each["MetricName"]: each["Value"] for each in request["MetricData"]}


def test_an_answer_is_no_failure_and_has_a_latency() -> None:
    runtime = Runtime("Yes.")
    told, metrics = asked(pointer("arn:old", "arn:new"), runtime)
    assert (told["asked"], told["arn"]) == (True, "arn:new")
    assert values(metrics) == {"Failures": 0.0, "LatencyMs": 1000.0}
    assert [each["modelId"] for each in runtime.asked] == ["arn:new"]
    assert runtime.asked[0]["messages"][0]["content"] == [{"text": "Are you there?"}]


@pytest.mark.parametrize(
    "runtime", [Runtime(""), Runtime(error=refusal("ModelErrorException", 424)), Runtime(error=refusal("x", 503))]
)
def test_no_answer_is_a_failure_without_a_latency(runtime: Runtime) -> None:
    told, metrics = asked(pointer("arn:new"), runtime)
    assert told["failure"]
    assert values(metrics) == {"Failures": 1.0}


def test_a_denied_call_is_a_fault_of_the_canary_and_not_of_production() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        asked(pointer("arn:new"), Runtime(error=refusal("AccessDeniedException", 403)))


def test_nothing_is_asked_after_the_bake_before_the_first_promotion_and_after_a_rollback() -> None:
    baked = pointer("arn:old", "arn:new")
    runtime = Runtime("Yes.")
    assert asked(baked, runtime, after=timedelta(minutes=31))[0] == {"asked": False}
    assert asked(pointer(), runtime)[0] == {"asked": False}
    target = baked.read()
    assert target is not None
    withdrawn = Rollback(
        id="r", withdrawn_arn="arn:new", withdrawn_model_arn="", withdrawn_run_id="arn:new", reason="", by={},
        at=target.moved_at,
    )  # fmt: skip
    baked.roll_back(withdrawn, target.history[0])
    told, metrics = asked(baked, runtime)
    assert (told, metrics.put, runtime.asked) == ({"asked": False}, [], [])

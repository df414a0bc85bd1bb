"""The paths that prove the permissions of updates in place and of provisioned throughput."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from lambda_handlers.jobs.driver import CUSTOMIZATION_TAG, RUN_TAG
from tests.workflow import paths
from tests.workflow.deploying import models, models_of, served, trained
from tests.workflow.harness import Workflow, until

_SERVED: dict[str, Any] = {"mode": "UPDATE_IF_EXISTS", "keep": 1}
ON_DEMAND: dict[str, Any] = {"deployment": {"target": "BEDROCK_OD", **_SERVED}}
PROVISIONED: dict[str, Any] = {"deployment": {"target": "BEDROCK_PT", "model_units": 1, **_SERVED}}
CREATE = {"on demand": "CreateCustomModelDeployment", "provisioned": "CreateProvisionedModelThroughput"}
UPDATE = {"on demand": "UpdateCustomModelDeployment", "provisioned": "UpdateProvisionedModelThroughput"}
KINDS = {"on demand": "DeploymentUpdate", "provisioned": "ThroughputUpdate"}
QUICK = {"deployment_seconds": 0.2}


@cache
def _runs(workflow: Workflow) -> tuple[str, str]:
    """Return two runs that trained a checkpoint each."""
    return trained(workflow, "one"), trained(workflow, "another")


def _start(workflow: Workflow) -> tuple[str, str]:
    """Start the deployment of the model that is not in production; return its execution, and who trained it."""
    serving = set(served(workflow).values())
    run = next(run for run in _runs(workflow) if not serving & set(models_of(workflow, run)))
    return workflow.start(mode="deploy", base_run=run, force=True), run


def _ended(workflow: Workflow, arn: str, status: str) -> None:
    ended = workflow.finish(arn)
    assert ended["status"] == status, (ended.get("cause"), workflow.path(arn))
    paths.closed(workflow, arn)


def deployed(workflow: Workflow) -> None:
    """Make it where there is none, else give it the other model."""
    _ended(workflow, _start(workflow)[0], "SUCCEEDED")


def not_as_it_should_be(workflow: Workflow, target: str) -> None:
    """What was made, or updated, does not answer: it is deleted, or gets the model before it back."""
    arn, run = _start(workflow)
    checkpoint = workflow.record(run)["checkpoint_uri"]
    faults = workflow.emulator.faults

    def silence() -> None:
        faults.answer(lambda _, tags: tags.get("nova-constructs:checkpoint") == checkpoint, "")

    for operation in (CREATE[target], UPDATE[target]):
        # A candidate answers; what is asked after it does not.
        if operation == UPDATE[target] or target == "provisioned":
            faults.after("bedrock", operation, silence)
    _ended(workflow, arn, "FAILED")


def aborted_while(workflow: Workflow, state: str, kind: str) -> None:
    arn = _start(workflow)[0]
    workflow.reach(arn, state)
    until(lambda: kind in json.dumps(paths.rows_of(workflow, arn)) or None, f"the {kind} of {state}")
    workflow.states.stop_execution(executionArn=arn)
    paths.closed(workflow, arn)


def aborted_before(workflow: Workflow, operation: str) -> None:
    """The run is over when its call is sent, and what it asks for is there when the call is answered."""
    arn, _ = _start(workflow)

    def abort() -> None:
        workflow.states.stop_execution(executionArn=arn)
        workflow.record(arn.rsplit(":", 1)[1])

    faults = workflow.emulator.faults
    faults.before("bedrock", operation, abort)
    faults.after("bedrock", operation, lambda: paths.pause(workflow))
    with paths.lasting(workflow, **QUICK):
        paths.closed(workflow, arn)


def over_before_it_is_open(workflow: Workflow, operation: str, *, fails: bool) -> None:
    arn, _ = _start(workflow)
    faults = workflow.emulator.faults
    faults.after("bedrock", operation, lambda: paths.pause(workflow), times=None)
    if fails:
        faults.fail_update(lambda *_: True)
    with paths.lasting(workflow, **QUICK):
        _ended(workflow, arn, "FAILED" if fails else "SUCCEEDED")


def quota(workflow: Workflow, operation: str) -> None:
    arn, _ = _start(workflow)
    workflow.emulator.faults.error("bedrock", operation, "ServiceQuotaExceededException", "no more", times=None)
    _ended(workflow, arn, "FAILED")


def rolled_back(workflow: Workflow) -> None:
    before = served(workflow)
    deployed(workflow)
    asked = json.dumps({"action": "ROLL_BACK", "reason": "it stammers", "claim": "arn:aws:iam::123456789012:user/me"})
    answer = workflow.emulator.client("lambda").invoke(FunctionName=workflow["RollBackFunctionName"], Payload=asked)
    assert json.loads(answer["Payload"].read())["status"] == "ROLLED_BACK"
    until(lambda: served(workflow) == before or None, "the model before")


def orphaned(workflow: Workflow) -> None:
    """What a run has made and lost is retired by the next one that promotes."""
    made = _by_hand(workflow, "provisioned", "an-orphan", [{"key": RUN_TAG, "value": "long-ago"}])
    until(lambda: "Creating" not in _statuses(workflow) or None, "the orphan")
    deployed(workflow)
    assert made not in json.dumps(served(workflow))


def left_failed(workflow: Workflow, target: str) -> None:
    """What has the name failed, and production is elsewhere: it makes room."""
    [name] = served(workflow)
    bedrock = workflow.emulator.client("bedrock")
    if target == "provisioned":
        bedrock.delete_provisioned_model_throughput(provisionedModelId=workflow.pointer())
    else:
        bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=workflow.pointer())
    workflow.emulator.faults.fail_deployment(lambda *_: True, times=1)
    _by_hand(workflow, target, name, [])
    until(lambda: _statuses(workflow) == ["Failed"] or None, "the failure")
    deployed(workflow)


def _by_hand(workflow: Workflow, target: str, name: str, more: list[dict[str, str]]) -> str:
    """Make something of the customization's that none of its runs makes."""
    bedrock, model = workflow.emulator.client("bedrock"), sorted(models(workflow))[0]
    tags = [{"key": CUSTOMIZATION_TAG, "value": "Nova-Demo/Demo"}, *more]
    if target == "on demand":
        bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model, tags=tags)
    else:
        bedrock.create_provisioned_model_throughput(provisionedModelName=name, modelId=model, modelUnits=1, tags=tags)
    return name


def _statuses(workflow: Workflow) -> list[str]:
    bedrock = workflow.emulator.client("bedrock")
    found = bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    return [each["status"] for each in found + bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]]


def _updates(target: str) -> dict[str, Callable[[Workflow], None]]:
    update = UPDATE[target]
    return {
        f"updated, {target}": deployed,
        f"updated and silent, {target}": partial(not_as_it_should_be, target=target),
        f"aborted while updating, {target}": partial(aborted_while, state="UpdateDeployment", kind=KINDS[target]),
        f"aborted before the update, {target}": partial(aborted_before, operation=update),
        f"update over before it is open, {target}": partial(over_before_it_is_open, operation=update, fails=False),
        f"update fails before it is open, {target}": partial(over_before_it_is_open, operation=update, fails=True),
        f"quota of updates, {target}": partial(quota, operation=update),
        f"rolled back in place, {target}": rolled_back,
        f"failed under the name, {target}": partial(left_failed, target=target),
    }


ON_DEMAND_PATHS: dict[str, Callable[[Workflow], None]] = {"deployed by name": deployed, **_updates("on demand")}
PROVISIONED_PATHS: dict[str, Callable[[Workflow], None]] = {
    "provisioned and silent": partial(not_as_it_should_be, target="provisioned"),
    "aborted while provisioning": partial(aborted_while, state="DeployModel", kind="ProvisionedThroughput"),
    "aborted before provisioning": partial(aborted_before, operation=CREATE["provisioned"]),
    "quota of throughput": partial(quota, operation=CREATE["provisioned"]),
    "provisioned": deployed,
    "orphaned throughput": orphaned,
    **_updates("provisioned"),
}

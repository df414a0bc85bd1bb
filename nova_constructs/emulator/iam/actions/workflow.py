"""AWS Lambda, AWS Step Functions, EventBridge and EventBridge Scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from nova_constructs.emulator.iam.actions.call import (
    ApiCall,
    Need,
    Row,
    anywhere,
    as_mapping,
    on,
    pass_role,
    request_tags,
)
from nova_constructs.emulator.iam.errors import EvaluationError

_ARN_PARTS = 7


def function_arn(call: ApiCall) -> str:
    """Give the ARN of a function, with the version or alias when the call names one."""
    name = call.text("FunctionName")
    parts = name.split(":")
    if name.startswith("arn:"):
        arn = name
    elif len(parts) >= len(("account", "function", "name")):
        arn = call.arn(":".join(parts[1:]), account=parts[0])
    else:
        arn = call.arn(f"function:{name}")
    qualifier = call.params.get("Qualifier")
    return f"{arn}:{qualifier}" if qualifier and len(arn.split(":")) == _ARN_PARTS else arn


def _invoke(call: ApiCall) -> list[Need]:
    arn = function_arn(call)
    return [Need(action="lambda:InvokeFunction", resource=arn, context={"lambda:FunctionArn": arn})]


def _create_function(call: ApiCall) -> Iterator[Need]:
    tags = request_tags(as_mapping(call.params.get("Tags")))
    arn = function_arn(call)
    yield Need(action=f"lambda:{call.operation}", resource=arn, context=tags)
    yield from pass_role(call.params.get("Role"), "lambda.amazonaws.com", associated=arn)


_function = on(function_arn)
LAMBDA: Final[Mapping[str, Row]] = {
    "Invoke": _invoke,
    "InvokeWithResponseStream": _invoke,
    "CreateFunction": _create_function,
    "UpdateFunctionConfiguration": _create_function,
    "UpdateFunctionCode": _function,
    "DeleteFunction": _function,
    "GetFunction": _function,
    "GetFunctionConfiguration": _function,
    "GetPolicy": _function,
    "AddPermission": _function,
    "RemovePermission": _function,
    "PublishVersion": _function,
    "ListVersionsByFunction": _function,
    "ListFunctions": anywhere,
}


def _create_state_machine(call: ApiCall) -> Iterator[Need]:
    arn = call.params.get("stateMachineArn") or call.arn(f"stateMachine:{call.text('name')}")
    tags = request_tags(as_mapping(call.params.get("tags"), key="key", value="value"))
    yield Need(action=f"states:{call.operation}", resource=arn, context=tags)
    if tags:
        yield Need(action="states:TagResource", resource=arn, context=tags)
    yield from pass_role(call.params.get("roleArn"), "states.amazonaws.com", associated=arn)


def _send_task(call: ApiCall) -> list[Need]:
    """Give the need on the state machine inside the token; a token that nobody issued is for the service to refuse."""
    arn = call.facts.state_machine_of_token(call.text("taskToken"))
    return [Need(action=f"states:{call.operation}", resource=arn)] if arn else []


_machine, _execution = on(lambda call: call.text("stateMachineArn")), on(lambda call: call.text("executionArn"))
STATES: Final[Mapping[str, Row]] = {
    "StartExecution": _machine,
    "StartSyncExecution": _machine,
    "DescribeStateMachine": _machine,
    "DeleteStateMachine": _machine,
    "ListExecutions": on(lambda call: call.text("mapRunArn") or call.text("stateMachineArn")),
    "ListStateMachineVersions": _machine,
    "CreateStateMachine": _create_state_machine,
    "UpdateStateMachine": _create_state_machine,
    "DescribeExecution": _execution,
    "DescribeStateMachineForExecution": _execution,
    "GetExecutionHistory": _execution,
    "RedriveExecution": _execution,
    "StopExecution": _execution,
    "ListMapRuns": _execution,
    "DescribeMapRun": on(lambda call: call.text("mapRunArn")),
    "SendTaskSuccess": _send_task,
    "SendTaskFailure": _send_task,
    "SendTaskHeartbeat": _send_task,
    "ListStateMachines": anywhere,
}


def _rule_arn(call: ApiCall, name: str) -> str:
    bus = (call.params.get("EventBusName") or "default").rsplit("/", 1)[-1]
    return call.arn(f"rule/{call.text(name)}" if bus == "default" else f"rule/{bus}/{call.text(name)}")


def _put_events(call: ApiCall) -> Iterator[Need]:
    for entry in call.params.get("Entries") or ():
        bus = entry.get("EventBusName") or "default"
        resource = bus if bus.startswith("arn:") else call.arn(f"event-bus/{bus}")
        context = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
        yield Need(action="events:PutEvents", resource=resource, context=context)


def _put_rule(call: ApiCall) -> Iterator[Need]:
    tags = request_tags(as_mapping(call.params.get("Tags")))
    arn = _rule_arn(call, "Name")
    yield Need(action="events:PutRule", resource=arn, context=tags)
    yield from pass_role(call.params.get("RoleArn"), "events.amazonaws.com", associated=arn)


def _put_targets(call: ApiCall) -> Iterator[Need]:
    arn = _rule_arn(call, "Rule")
    yield Need(action="events:PutTargets", resource=arn)
    for target in call.params.get("Targets") or ():
        yield from pass_role(target.get("RoleArn"), "events.amazonaws.com", associated=arn)


_rule, _targets = on(lambda call: _rule_arn(call, "Name")), on(lambda call: _rule_arn(call, "Rule"))
EVENTS: Final[Mapping[str, Row]] = {
    "PutEvents": _put_events,
    "PutRule": _put_rule,
    "PutTargets": _put_targets,
    "RemoveTargets": _targets,
    "ListTargetsByRule": _targets,
    "DescribeRule": _rule,
    "DeleteRule": _rule,
    "EnableRule": _rule,
    "DisableRule": _rule,
    "ListRules": anywhere,
}


def _schedule_arn(call: ApiCall) -> str:
    return call.arn(f"schedule/{call.params.get('GroupName') or 'default'}/{call.text('Name')}")


def _put_schedule(call: ApiCall) -> Iterator[Need]:
    arn = _schedule_arn(call)
    target = call.params.get("Target")
    if not isinstance(target, Mapping):
        raise EvaluationError(f"scheduler:{call.operation} without Target: no role to evaluate")
    yield Need(action=f"scheduler:{call.operation}", resource=arn)
    yield from pass_role(target.get("RoleArn"), "scheduler.amazonaws.com", associated=arn)


_schedule = on(_schedule_arn)
SCHEDULER: Final[Mapping[str, Row]] = {
    "CreateSchedule": _put_schedule,
    "UpdateSchedule": _put_schedule,
    "GetSchedule": _schedule,
    "DeleteSchedule": _schedule,
    "ListSchedules": anywhere,
}

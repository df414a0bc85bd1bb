"""A state that runs one function of the workflow.

Written as Amazon States Language because two things matter that the L2 task does not do: the state names a published
version whose predecessors stay callable, and the role of the state machine gets one named statement for all functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.handler_function import HandlerFunction

# Never retried: bad data, failed jobs, denied calls. Retried: what passes by itself. Lambda's own errors are those a
# function can show in a state machine.
TRANSIENT_ERRORS = [
    "TransientServiceError",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
]
# Safe to run again, since creates are adopted; but what ran out of time or memory once mostly does so again.
EXHAUSTED = ["Sandbox.Timedout", "Lambda.Unknown"]
EXHAUSTED_RETRY = {"ErrorEquals": EXHAUSTED, "IntervalSeconds": 2, "MaxAttempts": 1}
RETRY = {
    "ErrorEquals": TRANSIENT_ERRORS,
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 6,
    "JitterStrategy": "FULL",
}
CAPACITY_RETRY = {"ErrorEquals": ["CapacityUnavailable"], "IntervalSeconds": 300, "BackoffRate": 2, "MaxAttempts": 3}
TRIES_OF_A_CHOICE = 4
"""How often instances are asked for, whether there are alternatives to them or not: once, and CAPACITY_RETRY."""
MOST_SHARDS_AT_ONCE = 64

RUN = {"run.$": "$.run"}
EXECUTION = {
    "id.$": "$$.Execution.Id",
    "name.$": "$$.Execution.Name",
    "start_time.$": "$$.Execution.StartTime",
    "state_machine.$": "$$.StateMachine.Id",
}


def lambda_task(
    scope: Construct,
    construct_id: str,
    *,
    function: HandlerFunction,
    payload: Mapping[str, Any],
    result_path: str,
) -> sfn.CustomState:
    """Return a state that calls a function and puts what it returns at `result_path`."""
    return sfn.CustomState(
        scope,
        construct_id,
        state_json={
            "Type": "Task",
            "Resource": function.version_arn,
            "Parameters": dict(payload),
            "ResultPath": result_path,
            # Longer than the function may take, so that the function's own error is the one that is seen.
            "TimeoutSeconds": function.timeout.to_seconds() + 30,
            "Retry": [RETRY, EXHAUSTED_RETRY],
        },
    )


def capacity_retry(choices: int) -> dict[str, Any]:
    """Return the retry of a job that may run on one of several choices of instances.

    The next choice is tried after half a minute: nothing is gained by waiting for what is not asked for again. The
    pause grows to five minutes, in case every choice is refused at once. A quota refuses one choice, not the job.
    """
    if choices == 1:
        return CAPACITY_RETRY
    return {
        "ErrorEquals": ["CapacityUnavailable", "QuotaExceeded"],
        "IntervalSeconds": 30,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 300,
        "MaxAttempts": TRIES_OF_A_CHOICE * choices - 1,
    }


def job_task(
    scope: Construct,
    construct_id: str,
    *,
    function: HandlerFunction,
    payload: Mapping[str, Any],
    result_path: str,
    deadline: Duration,
    grace: Duration,
    choices: int = 1,
) -> sfn.CustomState:
    """Return a state that submits a job and waits, without polling, for the token to come back.

    `choices` is how many instances there are to choose from; `deadline` is that of one attempt. The reconciler ends a
    job at its deadline; the state's own timeout, `grace` later, is there in case it does not.
    """
    return sfn.CustomState(
        scope,
        construct_id,
        state_json={
            "Type": "Task",
            "Resource": f"arn:{Stack.of(scope).partition}:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": function.version_arn,
                "Payload": {**payload, "token.$": "$$.Task.Token", "retry.$": "$$.State.RetryCount"},
            },
            "ResultPath": result_path,
            "TimeoutSeconds": deadline.plus(grace).to_seconds(),
            "Retry": [RETRY, EXHAUSTED_RETRY, capacity_retry(choices)],
        },
    )


def shard_map(
    scope: Construct,
    construct_id: str,
    *,
    function: HandlerFunction,
    payload: Mapping[str, Any],
    bucket: str,
    key_path: str,
    result_path: str,
    suffix: str = "",
) -> sfn.CustomState:
    """Return a Distributed Map that calls a function for each shard of the list in `bucket` at `key_path`.

    `suffix` sets the states inside apart from those of another Map over the same function.
    The result has one small item for each shard: its number, or what went wrong with it, for the next state to judge.
    The rest is left in S3, since what a Map returns has to fit 256 KiB.
    """
    name, lost = f"{function.node.id}{suffix}", f"{function.node.id}Failed{suffix}"
    again = {**EXHAUSTED_RETRY, "ErrorEquals": [*EXHAUSTED, "Runtime.ExitError"]}
    call = {
        "Type": "Task",
        "Resource": function.version_arn,
        "TimeoutSeconds": function.timeout.to_seconds() + 30,
        "Retry": [RETRY, again],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": lost}],
        "ResultPath": sfn.JsonPath.DISCARD,
        "OutputPath": "$.shard.number",
        "End": True,
    }
    failure = {"Type": "Pass", "Parameters": {"shard.$": "$.shard.number", "error.$": "$.error"}, "End": True}
    return sfn.CustomState(
        scope,
        construct_id,
        state_json={
            "Type": "Map",
            "Label": construct_id,
            "ItemReader": {
                "Resource": f"arn:{Stack.of(scope).partition}:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": bucket, "Key.$": key_path},
            },
            "ItemSelector": {**payload, "shard.$": "$$.Map.Item.Value"},
            "MaxConcurrency": MOST_SHARDS_AT_ONCE,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": name,
                "States": {name: call, lost: failure},
            },
            "ResultPath": result_path,
        },
    )

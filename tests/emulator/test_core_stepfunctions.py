"""State machines behave as Step Functions runs them, on the emulator's clock."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from nova_constructs.emulator import Emulator
from tests.emulator.core_support import Assembly, eventually, history, run, start

# Keeps the token in the environment of the process that the next invocation also uses.
KEEPS = """
tokens = []
def handler(event, context):
    if 'token' in event:
        tokens.append(event['token'])
    return tokens
"""


def _task(function: str, **fields):
    resource = "arn:aws:states:::lambda:invoke"
    parameters = {"FunctionName": "${" + function + "}", "Payload": fields.pop("Payload", {})}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}


def _token_task(**fields):
    payload = {"token.$": "$$.Task.Token"}
    task = _task("Keeps", Payload=payload, **fields)
    return {**task, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}


def _machine(**states):
    return {"StartAt": next(iter(states)), "States": states}


MACHINES = {
    "Plain": _machine(
        Call=_task("Echo", Payload={"x.$": "$.x"}, ResultSelector={"value.$": "$.Payload"}),
    ),
    "Fails": _machine(
        Call=_task(
            "Raises",
            Retry=[{"ErrorEquals": ["Flaky"], "IntervalSeconds": 100, "MaxAttempts": 2, "BackoffRate": 2}],
            Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Failed"}],
        ),
        Failed={"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
    ),
    "Waits": _machine(Wait={"Type": "Wait", "Seconds": 86400, "End": True}),
    "Token": _machine(Ask=_token_task()),
    "Patient": _machine(
        Ask=_token_task(
            TimeoutSeconds=3600,
            Retry=[{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Failed"}],
        ),
        Failed={"Type": "Fail", "ErrorPath": "$.failure.Error"},
    ),
    "Beating": _machine(Ask=_token_task(HeartbeatSeconds=600, TimeoutSeconds=100_000)),
    "Branches": _machine(
        Both={
            "Type": "Parallel",
            "Branches": [_machine(Ask=_token_task()), _machine(Break=_task("Raises"))],
            "Catch": [{"ErrorEquals": ["Flaky"], "ResultPath": "$.failure", "Next": "Caught"}],
            "End": True,
        },
        Caught={"Type": "Pass", "End": True},
    ),
    "Limited": {**_machine(Ask=_token_task()), "TimeoutSeconds": 7200},
    "Large": _machine(
        Make=_task(
            "Big",
            ResultPath="$.big",
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
        ),
        Caught={"Type": "Pass", "End": True},
    ),
    "Context": _machine(
        Say={
            "Type": "Pass",
            "Parameters": {"started.$": "$$.Execution.StartTime", "entered.$": "$$.State.EnteredTime"},
            "End": True,
        }
    ),
    "Stuck": _machine(Call={**_task("Echo"), "Parameters": {"FunctionName": "missing"}}),
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    assembly = Assembly(tmp_path_factory.mktemp("assembly"))
    assembly.function("Echo", "def handler(event, context): return event")
    assembly.function("Raises", "class Flaky(Exception): pass\ndef handler(event, context): raise Flaky('no luck')")
    assembly.function("Keeps", KEEPS, FunctionName="Keeps")
    assembly.function("Big", "def handler(event, context): return 'x' * 270_000")
    for name, definition in MACHINES.items():
        assembly.machine(name, definition)
    with Emulator(speed=36_000) as running:
        running.outputs = running.deploy(assembly.write()).outputs
        running.told = []
        put = running.state.put_service_event

        def tell(source, detail_type, detail, resources=()):
            running.told.append((source, detail_type, dict(detail), list(resources)))
            put(source, detail_type, detail, resources)

        running.state.put_service_event = tell
        yield running


def _arn(emulator, name: str) -> str:
    return emulator.outputs[f"{name}Arn"]


def _token(emulator, execution: str, attempt: int = 1) -> str:
    """Return the token that a task of an execution was scheduled with."""

    def find():
        scheduled = [event for event in history(emulator, execution) if event["type"] == "TaskSubmitted"]
        return scheduled[attempt - 1] if len(scheduled) >= attempt else None

    eventually(find)
    events = [event for event in history(emulator, execution) if event["type"] == "TaskScheduled"]
    tokens = [json.loads(event["taskScheduledEventDetails"]["parameters"])["Payload"] for event in events]
    return [payload["token"] for payload in tokens if "token" in payload][attempt - 1]


def _succeed(emulator, token: str, output="{}"):
    emulator.client("stepfunctions").send_task_success(taskToken=token, output=output)


def _refused(emulator, token: str) -> str:
    client = emulator.client("stepfunctions")
    with pytest.raises(client.exceptions.ClientError) as caught:
        _succeed(emulator, token)
    with pytest.raises(client.exceptions.ClientError):
        client.send_task_failure(taskToken=token, error="E")
    with pytest.raises(client.exceptions.ClientError):
        client.send_task_heartbeat(taskToken=token)
    return caught.value.response["Error"]["Code"]


def test_a_lambda_task_gives_its_payload(emulator):
    ended = run(emulator, _arn(emulator, "Plain"), {"x": 7})
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"value": {"x": 7}}


def test_a_fail_state_rethrows_the_class_and_cause_of_the_function(emulator):
    begun = emulator.clock.monotonic()
    ended = run(emulator, _arn(emulator, "Fails"))
    assert (ended["status"], ended["error"]) == ("FAILED", "Flaky")
    assert json.loads(ended["cause"])["errorMessage"] == "no luck"
    assert emulator.clock.monotonic() - begun >= 300, "the back-off counts 100 and 200 simulated seconds"


def test_waits_run_on_the_simulated_clock(emulator):
    begun, real = emulator.clock.monotonic(), time.monotonic()
    assert run(emulator, _arn(emulator, "Waits"))["status"] == "SUCCEEDED"
    assert emulator.clock.monotonic() - begun >= 86_400
    assert time.monotonic() - real < 15


def test_a_token_ends_its_task_once(emulator):
    execution = start(emulator, _arn(emulator, "Token"))
    token = _token(emulator, execution)
    _succeed(emulator, token, '{"done": true}')
    ended = emulator.wait_for_execution(execution, 20)
    assert json.loads(ended["output"]) == {"done": True}
    assert _refused(emulator, token) == "TaskTimedOut"


def test_an_unknown_token_is_invalid(emulator):
    assert _refused(emulator, "x" * 40) == "InvalidToken"


def test_output_that_is_not_json_is_refused_and_the_token_stays_open(emulator):
    execution = start(emulator, _arn(emulator, "Token"))
    token = _token(emulator, execution)
    with pytest.raises(emulator.client("stepfunctions").exceptions.InvalidOutput):
        _succeed(emulator, token, "{no")
    _succeed(emulator, token)
    assert emulator.wait_for_execution(execution, 20)["status"] == "SUCCEEDED"


def test_each_attempt_has_a_token_of_its_own(emulator):
    with emulator.clock.busy():
        execution = start(emulator, _arn(emulator, "Patient"))
        first = _token(emulator, execution)
        emulator.client("stepfunctions").send_task_failure(taskToken=first, error="Again", cause="once more")
        second = _token(emulator, execution, attempt=2)
        assert first != second
        assert _refused(emulator, first) == "TaskTimedOut"
        _succeed(emulator, second)
    assert emulator.wait_for_execution(execution, 20)["status"] == "SUCCEEDED"


def test_a_failure_sent_to_a_token_keeps_error_and_cause(emulator):
    execution = start(emulator, _arn(emulator, "Token"))
    token = _token(emulator, execution)
    emulator.client("stepfunctions").send_task_failure(taskToken=token, error="JobFailed", cause="loss is NaN")
    ended = emulator.wait_for_execution(execution, 20)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "JobFailed", "loss is NaN")


def test_a_state_that_waits_too_long_times_out_and_closes_its_token(emulator):
    begun = emulator.clock.monotonic()
    execution = start(emulator, _arn(emulator, "Patient"))
    ended = emulator.wait_for_execution(execution, 20)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    assert emulator.clock.monotonic() - begun >= 3600
    assert _refused(emulator, _token(emulator, execution)) == "TaskTimedOut"


def test_heartbeats_keep_a_task_alive(emulator):
    client, speed = emulator.client("stepfunctions"), emulator.clock.speed
    with emulator.clock.busy():
        execution = start(emulator, _arn(emulator, "Beating"))
        token = _token(emulator, execution)
        emulator.clock.speed = 600
        for _ in range(2):
            emulator.clock.sleep(400)
            client.send_task_heartbeat(taskToken=token)
        emulator.clock.speed = speed
    ended = emulator.wait_for_execution(execution, 20)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() >= 1400


def test_an_abort_takes_effect_at_once_and_keeps_error_and_cause(emulator):
    execution = start(emulator, _arn(emulator, "Token"))
    token = _token(emulator, execution)
    emulator.client("stepfunctions").stop_execution(executionArn=execution, error="Stop", cause="asked to")
    ended = emulator.client("stepfunctions").describe_execution(executionArn=execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Stop", "asked to")
    assert ended["stopDate"] >= ended["startDate"]
    assert _refused(emulator, token) == "TaskTimedOut"
    last = history(emulator, execution)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Stop", "cause": "asked to"}


def test_an_execution_over_its_own_limit_is_timed_out(emulator):
    execution = start(emulator, _arn(emulator, "Limited"))
    token = _token(emulator, execution)
    ended = emulator.wait_for_execution(execution, 20)
    assert ended["status"] == "TIMED_OUT"
    assert history(emulator, execution)[-1]["type"] == "ExecutionTimedOut"
    assert _refused(emulator, token) == "TaskTimedOut"


def test_a_failing_branch_closes_the_token_of_its_sibling(emulator):
    execution = start(emulator, _arn(emulator, "Branches"))
    ended = emulator.wait_for_execution(execution, 20)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["failure"]["Error"] == "Flaky"
    events = [event for event in history(emulator, execution) if event["type"] == "TaskScheduled"]
    payloads = [json.loads(event["taskScheduledEventDetails"]["parameters"])["Payload"] for event in events]
    (token,) = [payload["token"] for payload in payloads if "token" in payload]
    assert _refused(emulator, token) == "TaskTimedOut"


def test_a_result_over_256_kib_fails_and_no_wildcard_catches_it(emulator):
    ended = run(emulator, _arn(emulator, "Large"))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_input_over_256_kib_is_refused(emulator):
    client = emulator.client("stepfunctions")
    with pytest.raises(client.exceptions.ClientError, match="262144"):
        client.start_execution(stateMachineArn=_arn(emulator, "Plain"), input=json.dumps("x" * 262_144))


def test_times_in_the_context_are_texts_on_the_simulated_clock(emulator):
    emulator.clock.sleep(86_400)
    ended = run(emulator, _arn(emulator, "Context"))
    started = datetime.fromisoformat(json.loads(ended["output"])["started"])
    assert abs((emulator.clock.now() - started).total_seconds()) < 40_000
    assert abs((ended["startDate"] - started).total_seconds()) < 1


def test_a_call_that_lambda_refuses_is_named_as_lambda_names_it(emulator):
    ended = run(emulator, _arn(emulator, "Stuck"))
    assert ended["error"] == "Lambda.ResourceNotFoundException"


def test_a_lost_connection_to_lambda_is_a_client_exception(emulator):
    emulator.faults.lose_response("lambda", "Invoke")
    assert run(emulator, _arn(emulator, "Plain"), {"x": 1})["error"] == "Lambda.SdkClientException"


def test_executions_get_names_and_keep_the_given_ones(emulator):
    machine = _arn(emulator, "Waits")
    assert len(start(emulator, machine).rsplit(":", 1)[1]) == 36
    first = start(emulator, machine, {"n": 1}, name="same")
    assert start(emulator, machine, {"n": 1}, name="same") == first
    with pytest.raises(emulator.client("stepfunctions").exceptions.ExecutionAlreadyExists):
        start(emulator, machine, {"n": 2}, name="same")


def test_status_changes_are_told_with_every_field(emulator):
    emulator.told.clear()
    ended = run(emulator, _arn(emulator, "Plain"), {"x": 1}, name="told")
    kinds = [(source, kind) for source, kind, _, _ in emulator.told]
    assert kinds == [("aws.states", "Step Functions Execution Status Change")] * 2
    running, done = (detail for _, _, detail, _ in emulator.told)
    assert (running["status"], running["stopDate"], running["output"]) == ("RUNNING", None, None)
    assert done == {
        "executionArn": ended["executionArn"],
        "stateMachineArn": ended["stateMachineArn"],
        "name": "told",
        "status": "SUCCEEDED",
        "startDate": int(ended["startDate"].timestamp() * 1000),
        "stopDate": done["stopDate"],
        "input": '{"x": 1}',
        "inputDetails": {"included": True},
        "output": '{"value":{"x":1}}',
        "outputDetails": {"included": True},
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": None,
        "error": None,
        "cause": None,
    }
    assert done["stopDate"] >= done["startDate"]


def test_an_update_leaves_running_executions_as_they_are(emulator):
    client, machine = emulator.client("stepfunctions"), _arn(emulator, "Token")
    execution = start(emulator, machine)
    token = _token(emulator, execution)
    before = client.describe_state_machine(stateMachineArn=machine)["definition"]
    client.update_state_machine(
        stateMachineArn=machine, definition=json.dumps(_machine(Broken={"Type": "Fail", "Error": "New"}))
    )
    _succeed(emulator, token, '"old"')
    assert json.loads(emulator.wait_for_execution(execution, 20)["output"]) == "old"
    assert run(emulator, machine)["error"] == "New"
    client.update_state_machine(stateMachineArn=machine, definition=before)


def test_a_machine_whose_role_refuses_step_functions_cannot_call_anything(emulator):
    iam = emulator.client("iam")
    role = emulator.client("stepfunctions").describe_state_machine(stateMachineArn=_arn(emulator, "Context"))["roleArn"]
    name = role.rsplit("/", 1)[1]
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "other.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    plain = emulator.client("stepfunctions").describe_state_machine(stateMachineArn=_arn(emulator, "Plain"))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    machine = emulator.client("stepfunctions").create_state_machine(
        name="refused", definition=plain["definition"], roleArn=role
    )["stateMachineArn"]
    ended = run(emulator, machine, {"x": 1})
    assert ended["status"] == "FAILED"
    assert "sts:AssumeRole" in ended["cause"]

"""A Distributed Map runs its children as Step Functions does: under the machine's role, tolerating what it says."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.cloudformation.preflight import UnsupportedTemplate
from nova_constructs.emulator.iam import Call
from nova_constructs.emulator.stepfunctions.map_definitions import unhonoured
from tests.emulator.core_support import ACCOUNT, REGION, Assembly, allow, arn_of, eventually, history, ref, run, start

BUCKET = "items-of-the-maps"
STATES = f"arn:aws:states:{REGION}:{ACCOUNT}"

# Counts its calls in the process that the next invocation of the same version also uses.
FLAKY = """
class Flaky(Exception): pass
calls = []
def handler(event, context):
    calls.append(1)
    if len(calls) % 3: raise Flaky('not yet')
    return len(calls)
"""
ECHO = """
class Broken(Exception): pass
def handler(event, context):
    if isinstance(event, dict) and event.get('break'): raise Broken('as asked')
    return event
"""
RETRY = [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 100, "MaxAttempts": 5, "BackoffRate": 1}]
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Caught"}]
CAUGHT = {"Type": "Pass", "Parameters": {"caught.$": "$.failure.Error"}, "End": True}


def _call(function: str, **fields):
    """Call the published version of a function by its ARN."""
    parameters = {"FunctionName": "${" + function + "Version}", "Payload.$": "$"}
    selector = {"ResultSelector": {"value.$": "$.Payload"}}
    resource = "arn:aws:states:::lambda:invoke"
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, **selector, "End": True, **fields}


def _processor(first: dict, **others: dict) -> dict:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return {"ProcessorConfig": config, "StartAt": "First", "States": {"First": first, **others}}


def _map(first: dict, kind: str = "JSON", **fields) -> dict:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": kind},
        "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"},
    }
    return {"Type": "Map", "ItemReader": reader, "ItemProcessor": _processor(first), "End": True, **fields}


def _machine(each: dict, **others: dict) -> dict:
    return {"StartAt": "Each", "States": {"Each": each, **others}}


def _from_input(first: dict, **fields) -> dict:
    state = _map(first, ItemsPath="$.items", **fields)
    del state["ItemReader"]
    return state


def _direct(function: str) -> dict:
    """Call a version by naming it as the resource; a failure becomes the result."""
    caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Lost"}]
    task = {"Type": "Task", "Resource": "${" + function + "Version}", "TimeoutSeconds": 40, "Catch": caught}
    return {**task, "ResultPath": None, "OutputPath": "$.shard.number", "End": True}


LOST = {"Type": "Pass", "Parameters": {"shard.$": "$.shard.number", "error.$": "$.error.Error"}, "End": True}
SELECTED = {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "run.$": "$.run"}
WAIT = {"Type": "Wait", "Seconds": 10**6, "End": True}
CHOICE = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.break", "BooleanEquals": True, "Next": "Broken"}],
    "Default": "Late",
}
BRANCHES = {
    "Broken": {"Type": "Fail", "Error": "Broken", "Cause": "as asked"},
    "Late": WAIT,
}
SAY = {
    "Type": "Pass",
    "Parameters": {
        "execution.$": "$$.Execution.Id",
        "machine.$": "$$.StateMachine.Id",
        "input.$": "$$.Execution.Input",
        "started.$": "$$.Execution.StartTime",
    },
    "End": True,
}
MACHINES = {
    "Reads": _machine(
        _map(_call("Echo"), ItemSelector=SELECTED, MaxConcurrency=3, Label="Each", ResultPath="$.results", Catch=CATCH),
        Caught=CAUGHT,
    ),
    "Lines": _machine(_map(_call("Echo"), "JSONL", ToleratedFailurePercentage=0, ToleratedFailureCount=0)),
    "Discards": _machine(_map(_call("Echo"), ResultPath=None)),
    "Selects": _machine(_map(_call("Echo"), ResultSelector={"first.$": "$[0].value"})),
    "Direct": _machine(
        {
            **_map(
                _direct("Echo"), ItemSelector={"shard.$": "$$.Map.Item.Value", "break.$": "$$.Map.Item.Value.break"}
            ),
            "ItemProcessor": _processor(_direct("Echo"), Lost=LOST),
            "ResultPath": "$.results",
        }
    ),
    "Throttled": _machine({**_from_input(WAIT), "ItemProcessor": _processor(_direct("Busy"), Lost=LOST)}),
    "Retries": _machine(_from_input(_call("Flaky", Retry=RETRY), MaxConcurrency=1)),
    "Breaks": _machine(
        {
            **_from_input(CHOICE, Label="Each", Catch=CATCH),
            "ItemProcessor": _processor(CHOICE, **BRANCHES),
        },
        Caught=CAUGHT,
    ),
    "Serial": _machine(_from_input(_call("Echo"), MaxConcurrency=1)),
    "LinesCaught": _machine(_map(_call("Echo"), "JSONL", Catch=CATCH), Caught=CAUGHT),
    "Counts": _machine(_from_input(_call("Echo"), ToleratedFailureCountPath="$.count")),
    "Shares": _machine(_from_input(_call("Echo"), ToleratedFailurePercentage=50)),
    "Either": _machine(_from_input(_call("Echo"), ToleratedFailurePercentage=50, ToleratedFailureCount=1)),
    "Waits": _machine(_from_input(WAIT, Label="Each", Catch=CATCH), Caught=CAUGHT),
    "Limited": {**_machine(_from_input(WAIT, Label="Each")), "TimeoutSeconds": 7200},
    "Large": _machine(
        _from_input(
            _call("Big", ResultSelector={"big.$": "$.Payload"}),
            Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": "$.failure", "Next": "Caught"}],
        ),
        Caught=CAUGHT,
    ),
    "Many": _machine(_map({"Type": "Pass", "End": True}, MaxConcurrency=20)),
    "Says": _machine(_from_input(SAY, Label="Each")),
}
FORBIDDEN = {
    "NoStart": _machine(_map(_call("Echo"), Catch=CATCH), Caught=CAUGHT),
    "NoRead": _machine(_map(_call("Echo"), Catch=CATCH), Caught=CAUGHT),
    "NoInvoke": _machine(_from_input(_call("Echo"))),
}
READ = allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*")


def _on_itself(name: str) -> dict:
    return allow("states:StartExecution", f"{STATES}:stateMachine:{name}")


def _add(assembly: Assembly, name: str, definition: dict, *statements: dict) -> None:
    assembly.machine(name, definition, *statements)
    assembly.resources[name]["Properties"]["StateMachineName"] = name


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    assembly = Assembly(tmp_path_factory.mktemp("assembly"))
    sources = {"Echo": ECHO, "Busy": ECHO, "Flaky": FLAKY, "Big": "def handler(event, context): return 'x' * 100_000"}
    for name, source in sources.items():
        assembly.function(name, source, **({"ReservedConcurrentExecutions": 0} if name == "Busy" else {}))
        published = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": ref(name)}}
        assembly.add(**{f"{name}Version": published})
    assembly.add(Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}})
    for name, definition in MACHINES.items():
        _add(assembly, name, definition, _on_itself(name), READ)
    _add(assembly, "NoStart", FORBIDDEN["NoStart"], READ)
    _add(assembly, "NoRead", FORBIDDEN["NoRead"], _on_itself("NoRead"))
    _add(assembly, "NoInvoke", FORBIDDEN["NoInvoke"], _on_itself("NoInvoke"))
    for resource in assembly.resources.values():
        substitutions = resource["Properties"].get("DefinitionSubstitutions", {})
        substitutions.update({name: ref(name) for name in substitutions if name.endswith("Version")})
    policies = assembly.resources["NoInvokeRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    policies[0]["Resource"] = arn_of("Big")
    with Emulator(speed=36_000) as running:
        running.outputs = running.deploy(assembly.write()).outputs
        yield running


def _arn(emulator, name: str) -> str:
    return emulator.outputs[f"{name}Arn"]


def _put(emulator, key: str, text: str) -> dict:
    emulator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    return {"bucket": BUCKET, "key": key}


def _items(emulator, key: str, items: list) -> dict:
    return _put(emulator, key, json.dumps(items))


def _output(ended: dict):
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    return json.loads(ended["output"])


def _kinds(emulator, execution: str) -> list[str]:
    return [event["type"] for event in history(emulator, execution)]


def _map_run(emulator, execution: str) -> dict:
    client = emulator.client("stepfunctions")
    (listed,) = client.list_map_runs(executionArn=execution)["mapRuns"]
    return client.describe_map_run(mapRunArn=listed["mapRunArn"])


def _decisions(emulator, role: str, action: str) -> list[Call]:
    return [call for call in emulator.calls if call.role_name.startswith(f"Stack-{role}") and call.action == action]


def test_each_item_of_an_object_is_selected_and_given_to_a_version(emulator):
    given = _items(emulator, "three.json", [{"n": 1}, {"n": 2}, {"n": 3}])
    output = _output(run(emulator, _arn(emulator, "Reads"), {**given, "run": "r"}))
    assert output["results"] == [{"value": {"item": {"n": n}, "index": n - 1, "run": "r"}} for n in (1, 2, 3)]


def test_children_may_name_the_version_as_their_resource(emulator):
    items = [{"number": 0, "break": False}, {"number": 1, "break": True}]
    output = _output(run(emulator, _arn(emulator, "Direct"), _items(emulator, "shards.json", items)))
    assert output["results"] == [0, {"shard": 1, "error": "Broken"}]


def test_a_throttled_version_is_named_as_lambda_names_it(emulator):
    items = [{"shard": {"number": 7}}]
    output = _output(run(emulator, _arn(emulator, "Throttled"), {"items": items}))
    assert output == [{"shard": 7, "error": "Lambda.TooManyRequestsException"}]


def test_lines_are_items(emulator):
    given = _put(emulator, "lines.jsonl", '{"n": 1}\n{"n": 2}\n')
    assert _output(run(emulator, _arn(emulator, "Lines"), given)) == [{"value": {"n": 1}}, {"value": {"n": 2}}]


def test_a_discarded_result_leaves_the_input(emulator):
    given = _items(emulator, "one.json", [{"n": 1}])
    assert _output(run(emulator, _arn(emulator, "Discards"), given)) == given


def test_a_result_selector_sees_the_array(emulator):
    given = _items(emulator, "one.json", [{"n": 1}])
    assert _output(run(emulator, _arn(emulator, "Selects"), given)) == {"first": {"n": 1}}


@pytest.mark.parametrize(("machine", "text"), [("Discards", "[]"), ("Lines", "")])
def test_no_items_succeed_with_nothing(emulator, machine, text):
    given = _put(emulator, "none", text)
    execution = start(emulator, _arn(emulator, machine), given)
    assert _output(emulator.wait_for_execution(execution, 20)) == (given if machine == "Discards" else [])
    assert _map_run(emulator, execution)["status"] == "SUCCEEDED"


def test_children_act_under_the_role_of_the_machine(emulator):
    emulator.calls.clear()
    given = _items(emulator, "two.json", [{"n": 1}, {"n": 2}])
    _output(run(emulator, _arn(emulator, "Discards"), given))
    (started,) = _decisions(emulator, "DiscardsRole", "states:StartExecution")
    assert (started.resource, started.decision) == (_arn(emulator, "Discards"), "allowed")
    (read,) = _decisions(emulator, "DiscardsRole", "s3:GetObject")
    assert (read.resource, read.decision) == (f"arn:aws:s3:::{BUCKET}/two.json", "allowed")
    invoked = _decisions(emulator, "DiscardsRole", "lambda:InvokeFunction")
    assert [call.decision for call in invoked] == ["allowed"] * 2
    assert {call.resource.rsplit(":", 1)[1] for call in invoked} == {"1"}


def test_a_role_that_may_not_start_its_own_machine_cannot_map(emulator):
    given = _items(emulator, "one.json", [{"n": 1}])
    execution = start(emulator, _arn(emulator, "NoStart"), given)
    assert _output(emulator.wait_for_execution(execution, 20)) == {"caught": "StepFunctions.AccessDeniedException"}
    (entered,) = [event for event in history(emulator, execution) if event["type"] == "PassStateEntered"]
    cause = json.loads(entered["stateEnteredEventDetails"]["input"])["failure"]["Cause"]
    assert f"not authorized to perform: states:StartExecution on resource: {STATES}:stateMachine:NoStart" in cause
    assert not {"MapRunStarted", "MapRunSucceeded"} & set(_kinds(emulator, execution))
    assert _map_run(emulator, execution)["status"] == "FAILED"


def test_the_items_are_read_with_the_rights_of_the_role(emulator):
    given = _items(emulator, "one.json", [{"n": 1}])
    assert _output(run(emulator, _arn(emulator, "NoRead"), given)) == {"caught": "States.ItemReaderFailed"}


def test_a_child_that_may_not_invoke_fails(emulator):
    execution = start(emulator, _arn(emulator, "NoInvoke"), {"items": [{}]})
    ended = emulator.wait_for_execution(execution, 20)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    (child,) = _children(emulator, execution)
    assert "lambda:InvokeFunction" in child["cause"]


def _children(emulator, execution: str) -> list[dict]:
    client, run_arn = emulator.client("stepfunctions"), _map_run(emulator, execution)["mapRunArn"]
    listed = client.list_executions(mapRunArn=run_arn)["executions"]
    return [client.describe_execution(executionArn=child["executionArn"]) for child in reversed(listed)]


def test_one_failing_child_fails_the_map_and_stops_the_others(emulator):
    execution = start(emulator, _arn(emulator, "Breaks"), {"items": [{"break": False}, {"break": True}]})
    begun = time.monotonic()
    assert _output(emulator.wait_for_execution(execution, 20)) == {"caught": "States.ExceedToleratedFailureThreshold"}
    assert time.monotonic() - begun < 5, "the other child would wait for a million seconds"
    stopped, broken = _children(emulator, execution)
    assert (stopped["status"], broken["status"]) == ("ABORTED", "FAILED")
    assert (broken["error"], broken["cause"]) == ("Broken", "as asked")
    described = _map_run(emulator, execution)
    assert described["status"] == "FAILED"
    counts = described["executionCounts"]
    assert {name: counts[name] for name in ("total", "running", "failed", "aborted")} == {
        "total": 2,
        "running": 0,
        "failed": 1,
        "aborted": 1,
    }
    (failed,) = [event for event in history(emulator, execution) if event["type"] == "MapRunFailed"]
    assert failed["mapRunFailedEventDetails"]["error"] == "States.ExceedToleratedFailureThreshold"


def test_no_child_is_started_once_the_map_has_failed(emulator):
    execution = start(emulator, _arn(emulator, "Serial"), {"items": [{"break": True}] * 3})
    assert emulator.wait_for_execution(execution, 20)["status"] == "FAILED"
    assert len(_children(emulator, execution)) == 1


@pytest.mark.parametrize(
    ("machine", "broken", "count", "status"),
    [
        ("Counts", 2, 2, "SUCCEEDED"),
        ("Counts", 3, 2, "FAILED"),
        ("Counts", 1, 0, "FAILED"),
        ("Shares", 2, 0, "SUCCEEDED"),
        ("Shares", 3, 0, "FAILED"),
        ("Either", 1, 0, "SUCCEEDED"),
        ("Either", 2, 0, "FAILED"),
    ],
)
def test_as_many_children_may_fail_as_the_state_tolerates(emulator, machine, broken, count, status):
    items = [{"break": index < broken} for index in range(4)]
    ended = run(emulator, _arn(emulator, machine), {"items": items, "count": count})
    assert ended["status"] == status
    if status == "FAILED":
        assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    else:
        assert json.loads(ended["output"]) == [None] * broken + [{"value": {"break": False}}] * (4 - broken)


def test_children_retry_on_the_simulated_clock(emulator):
    begun = emulator.clock.monotonic()
    assert _output(run(emulator, _arn(emulator, "Retries"), {"items": [0, 1]})) == [{"value": 3}, {"value": 6}]
    assert emulator.clock.monotonic() - begun >= 400, "twice two retries, 100 simulated seconds apart"


def test_an_abort_stops_the_children(emulator):
    execution = start(emulator, _arn(emulator, "Waits"), {"items": [1, 2]})
    eventually(lambda: "MapRunStarted" in _kinds(emulator, execution) and len(_children(emulator, execution)) == 2)
    client = emulator.client("stepfunctions")
    client.stop_execution(executionArn=execution, error="Stop", cause="asked to")
    eventually(lambda: _map_run(emulator, execution)["status"] == "ABORTED")
    assert [child["status"] for child in _children(emulator, execution)] == ["ABORTED"] * 2
    ended = client.describe_execution(executionArn=execution)
    assert (ended["status"], ended["error"]) == ("ABORTED", "Stop")
    assert _kinds(emulator, execution)[-1] == "ExecutionAborted", "no Catch runs"
    emulator.settle()


def test_the_limit_of_the_execution_stops_the_children(emulator):
    execution = start(emulator, _arn(emulator, "Limited"), {"items": [1, 2]})
    ended = emulator.wait_for_execution(execution, 20)
    assert ended["status"] == "TIMED_OUT"
    eventually(lambda: _map_run(emulator, execution)["status"] == "ABORTED")
    assert [child["status"] for child in _children(emulator, execution)] == ["ABORTED"] * 2
    assert _kinds(emulator, execution)[-1] == "ExecutionTimedOut"


def test_what_children_do_is_not_in_the_history_of_the_execution(emulator):
    execution = start(emulator, _arn(emulator, "Discards"), _items(emulator, "two.json", [{"n": 1}, {"n": 2}]))
    _output(emulator.wait_for_execution(execution, 20))
    assert _kinds(emulator, execution) == [
        "ExecutionStarted",
        "MapStateEntered",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]
    child = _children(emulator, execution)[0]["executionArn"]
    kinds = _kinds(emulator, child)
    assert (kinds[0], kinds[-1]) == ("ExecutionStarted", "ExecutionSucceeded")
    assert "TaskSucceeded" in kinds


def test_children_are_executions_of_their_own(emulator):
    execution = start(emulator, _arn(emulator, "Says"), {"items": [{"n": 1}]})
    (said,) = _output(emulator.wait_for_execution(execution, 20))
    assert said["execution"].startswith(f"{STATES}:execution:Says/Each:")
    assert said["machine"] == f"{STATES}:stateMachine:Says/Each"
    assert said["input"] == {"n": 1}
    (child,) = _children(emulator, execution)
    assert (child["executionArn"], child["stateMachineArn"]) == (said["execution"], said["machine"])
    with pytest.raises(ClientError, match="single children"):
        emulator.client("stepfunctions").stop_execution(executionArn=said["execution"])


def test_a_result_over_256_kib_is_caught_by_its_name_only(emulator):
    items = {"items": [1, 2, 3]}
    assert _output(run(emulator, _arn(emulator, "Large"), items)) == {"caught": "States.DataLimitExceeded"}
    assert len(_output(run(emulator, _arn(emulator, "Large"), {"items": [1, 2]}))) == 2


@pytest.mark.parametrize(
    ("machine", "text"),
    [("Reads", '{"n": 1}'), ("Reads", "[1"), ("LinesCaught", '{"n": 1}\n\n{"n": 2}\n'), ("Reads", None)],
)
def test_items_that_cannot_be_read_fail_the_map(emulator, machine, text):
    given = {"bucket": BUCKET, "key": "missing"} if text is None else _put(emulator, "bad", text)
    execution = start(emulator, _arn(emulator, machine), {**given, "run": "r"})
    assert _output(emulator.wait_for_execution(execution, 20)) == {"caught": "States.ItemReaderFailed"}
    assert "MapRunFailed" in _kinds(emulator, execution)


def test_two_hundred_children_run_twenty_at_a_time(emulator):
    begun = time.monotonic()
    execution = start(emulator, _arn(emulator, "Many"), _items(emulator, "many.json", list(range(200))))
    assert _output(emulator.wait_for_execution(execution, 20)) == list(range(200))
    assert time.monotonic() - begun < 10
    assert len(history(emulator, execution)) < 10
    spans = [(child["startDate"], child["stopDate"]) for child in _children(emulator, execution)]
    most = max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)
    assert 2 <= most <= 20
    emulator.settle()


def _changed(**fields) -> dict:
    return _machine({**_map({"Type": "Pass", "End": True}), **fields})


def _reader(**fields) -> dict:
    return _changed(ItemReader={**_changed()["States"]["Each"]["ItemReader"], **fields})


REFUSED = {
    "ItemBatcher": _changed(ItemBatcher={"MaxItemsPerBatch": 2}),
    "ResultWriter": _changed(ResultWriter={}),
    "TimeoutSeconds": _changed(TimeoutSeconds=5),
    "Parameters": _changed(Parameters={}),
    "ToleratedFailureCount together": _changed(ToleratedFailureCount=1, ToleratedFailureCountPath="$.c"),
    "ExecutionType EXPRESS": _changed(
        ItemProcessor={
            **_processor({"Type": "Pass", "End": True}),
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        }
    ),
    "InputType CSV": _reader(ReaderConfig={"InputType": "CSV"}),
    "ItemReader.ReaderConfig.ItemsPointer": _reader(ReaderConfig={"InputType": "JSON", "ItemsPointer": "/x"}),
    "listObjectsV2": _reader(Resource="arn:aws:states:::s3:listObjectsV2"),
    "ItemReader.Parameters.VersionId": _reader(Parameters={"Bucket": "b", "Key": "k", "VersionId": "v"}),
    "without Key": _reader(Parameters={"Bucket": "b"}),
    "JSONata": {**_changed(), "QueryLanguage": "JSONata"},
    "inside another": _changed(ItemProcessor=_processor(_map({"Type": "Pass", "End": True}))),
    "Label (for DISTRIBUTED": _changed(
        Label="x", ItemProcessor={"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    ),
    "of 2 Map states": {
        "StartAt": "A",
        "States": {name: _map({"Type": "Pass", "End": True}, Label="same") for name in "AB"},
    },
}


@pytest.mark.parametrize("named", REFUSED)
def test_what_is_not_honoured_is_refused_by_name(emulator, named):
    client = emulator.client("stepfunctions")
    role = client.describe_state_machine(stateMachineArn=_arn(emulator, "Reads"))["roleArn"]
    with pytest.raises(client.exceptions.InvalidDefinition) as caught:
        client.create_state_machine(name="refused", definition=json.dumps(REFUSED[named]), roleArn=role)
    assert named in str(caught.value)
    assert "Map state" in str(caught.value)


def test_what_the_workflow_may_use_is_not_refused():
    assert all(unhonoured(json.dumps(definition)) == [] for definition in MACHINES.values())


def test_a_template_is_refused_before_anything_is_made(emulator, tmp_path):
    assembly = Assembly(tmp_path, "Refused")
    assembly.machine("Batches", REFUSED["ItemBatcher"])
    text = assembly.resources["Batches"]["Properties"]["DefinitionString"]
    assembly.resources["Batches"]["Properties"]["DefinitionString"] = {
        "Fn::Join": ["", [*text.partition("arn:")[:2], {"Ref": "AWS::Partition"}, text.partition("arn:aws")[2]]]
    }
    with pytest.raises(UnsupportedTemplate) as caught:
        emulator.deploy(assembly.write())
    problem = "Batches (AWS::StepFunctions::StateMachine): ItemBatcher of Map state 'Each' is not emulated"
    assert caught.value.problems == [problem]

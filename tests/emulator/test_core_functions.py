"""Functions run as Lambda runs them, from the code of their asset."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from nova_constructs.emulator import Emulator
from tests.emulator.core_support import Assembly, allow, arn_of, eventually, function_role, invoke, messages, ref

SOURCES = {
    "Echo": "def handler(event, context): return {'got': event, 'name': context.function_name}",
    "Raises": "class Flaky(Exception): pass\ndef handler(event, context): raise Flaky('no luck')",
    "Slow": "import time\ndef handler(event, context): time.sleep(30)",
    "Exits": "import sys\ndef handler(event, context): sys.exit(3)",
    "Killed": "import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGKILL)",
    "NoModule": "import there_is_no_such_module\ndef handler(event, context): pass",
    "NoHandler": "def other(event, context): pass",
    "Syntax": "def handler(event, context) return 1",
    "NotJson": "def handler(event, context): return {1, 2}",
    "Prints": "def handler(event, context): print('hello', event['who'])",
    "Identity": ("import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']"),
    "Left": "def handler(event, context): return context.get_remaining_time_in_millis()",
    "Counts": "calls = []\ndef handler(event, context): calls.append(1); return len(calls)",
    "Variables": "import os\ndef handler(event, context): return dict(os.environ)",
    "Large": "def handler(event, context): return 'x' * 7_000_000",
}
CLOCK = """
from datetime import datetime, UTC
class SystemClock:
    def now(self): return datetime.now(UTC)
_installed = SystemClock()
def current(): return _installed
def install(clock):
    global _installed
    _installed = clock
"""


def _assembly(folder) -> Assembly:
    assembly = Assembly(folder)
    for name, source in SOURCES.items():
        extra = {"Timeout": 1} if name == "Slow" else {}
        assembly.function(name, source, FunctionName=name, **extra)
    assembly.function(
        "Own",
        "",
        FunctionName="Own",
        Code=assembly.code(
            {
                "index.py": (
                    "import lambda_handlers, importlib.util, sys\n"
                    "from lambda_handlers.protocol import clock\n"
                    "def handler(event, context):\n"
                    "    return {'file': lambda_handlers.__file__, 'now': clock.current().now().isoformat(),\n"
                    "            'catalog': importlib.util.find_spec('lambda_handlers.catalog') is not None,\n"
                    "            'nova': importlib.util.find_spec('nova_constructs') is not None,\n"
                    "            'boto3': importlib.util.find_spec('boto3') is not None}"
                ),
                "lambda_handlers/__init__.py": "",
                "lambda_handlers/protocol/__init__.py": "",
                "lambda_handlers/protocol/clock.py": CLOCK,
            }
        ),
    )
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/own/group"}}
    assembly.add(Group=group)
    assembly.function("Logged", SOURCES["Prints"], FunctionName="Logged", LoggingConfig={"LogGroup": ref("Group")})
    assembly.add(MuteRole=function_role() | {"Properties": function_role()["Properties"] | {"Policies": []}})
    assembly.function("Mute", SOURCES["Prints"], FunctionName="Mute", role_id="MuteRole")
    assembly.function("One", SOURCES["Slow"], FunctionName="One", ReservedConcurrentExecutions=0)
    assembly.add(
        Failures={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failures"}},
        SendingRole=function_role(allow("sqs:SendMessage", arn_of("Failures"))),
    )
    assembly.function("Fails", SOURCES["Raises"], FunctionName="Fails", role_id="SendingRole")
    assembly.add(
        FailsConfig={
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": ref("Fails"),
                "Qualifier": "$LATEST",
                "DestinationConfig": {"OnFailure": {"Destination": arn_of("Failures")}},
            },
        }
    )
    return assembly


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with Emulator(speed=3600) as running:
        running.deploy(_assembly(tmp_path_factory.mktemp("assembly")).write())
        yield running


def test_a_result_comes_back_with_the_version_that_ran(emulator):
    answer, payload = invoke(emulator, "Echo", {"a": [1, None]})
    assert payload == {"got": {"a": [1, None]}, "name": "Echo"}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("Raises", "Flaky", "no luck"),
        ("NoModule", "Runtime.ImportModuleError", "No module named 'there_is_no_such_module'"),
        ("NoHandler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("Syntax", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("NotJson", "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ("Exits", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("Killed", "Runtime.ExitError", "Runtime exited with error: signal: kill"),
        ("Slow", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("Large", "Function.ResponseSizeTooLarge", "6291556 bytes"),
    ],
)
def test_a_failure_is_reported_as_lambda_reports_it(emulator, name, kind, message):
    answer, payload = invoke(emulator, name)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == kind
    assert message in payload["errorMessage"]


def test_a_function_works_again_after_its_process_died(emulator):
    for _ in range(2):
        _, payload = invoke(emulator, "Exits")
        assert payload["errorType"] == "Runtime.ExitError"


def test_a_warm_process_serves_the_next_invocation(emulator):
    assert [invoke(emulator, "Counts")[1] for _ in range(3)] == [1, 2, 3]


def test_a_function_acts_under_its_own_role(emulator):
    _, arn = invoke(emulator, "Identity")
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/Stack-FunctionRole-")
    assert arn.endswith("/Identity")


def test_the_package_of_the_asset_wins_over_the_checkout(emulator):
    _, seen = invoke(emulator, "Own")
    assert "nova-emulator-" in seen["file"]
    assert seen["catalog"] is False, "a module that the asset lacks must not come from the checkout"
    assert seen["nova"] is False
    assert seen["boto3"] is True, "the host supplies third-party packages"


def test_handlers_follow_the_clock_of_the_emulator(emulator):
    emulator.clock.sleep(7200)
    _, seen = invoke(emulator, "Own")
    told = datetime.fromisoformat(seen["now"])
    assert abs((told - emulator.clock.now()).total_seconds()) < 3600
    assert (told - datetime.now(UTC)).total_seconds() > 7000


def test_nothing_in_the_environment_names_an_emulator(emulator):
    _, variables = invoke(emulator, "Variables")
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "Variables"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    names = " ".join(variables).lower()
    assert "emulator" not in names
    assert "moto" not in names


def test_remaining_time_starts_at_the_timeout(emulator):
    _, left = invoke(emulator, "Left")
    assert 8_000 < left <= 10_000


def _log_messages(emulator, group: str) -> list[str]:
    logs = emulator.client("logs")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


@pytest.mark.parametrize(("name", "group"), [("Prints", "/aws/lambda/Prints"), ("Logged", "/own/group")])
def test_what_a_function_prints_is_in_its_log_group(emulator, name, group):
    invoke(emulator, name, {"who": "you"})
    lines = _log_messages(emulator, group)
    assert "hello you" in lines
    assert lines[0].startswith("START RequestId: ")


def test_logs_of_a_role_without_the_right_are_lost_and_the_function_still_answers(emulator):
    answer, _ = invoke(emulator, "Mute", {"who": "you"})
    assert "FunctionError" not in answer
    groups = [group["logGroupName"] for group in emulator.client("logs").describe_log_groups()["logGroups"]]
    assert "/aws/lambda/Mute" not in groups
    assert any(call.action.startswith("logs:") and "MuteRole" in call.role_name for call in emulator.calls.denied())


def test_reserved_concurrency_limits_invocations(emulator):
    with pytest.raises(emulator.client("lambda").exceptions.TooManyRequestsException):
        invoke(emulator, "One")


def test_an_asynchronous_failure_is_tried_three_times_and_then_reported(emulator):
    answer = emulator.client("lambda").invoke(FunctionName="Fails", InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    begun = emulator.clock.monotonic()
    queue = emulator.client("sqs").get_queue_url(QueueName="failures")["QueueUrl"]
    (message,) = eventually(lambda: messages(emulator, queue))
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorType"] == "Flaky"
    assert emulator.clock.monotonic() - begun >= 180 - 5

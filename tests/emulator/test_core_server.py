"""The server fails clearly, injects faults, and leaves nothing behind."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.logs.models import LogGroup

from nova_constructs.emulator import Emulator, EmulatorError
from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.iam import credentials
from tests.emulator.core_support import Assembly, invoke


@pytest.fixture(scope="module")
def emulator():
    with Emulator(speed=36_000) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(request):
    yield
    if "emulator" in request.fixturenames:
        request.getfixturevalue("emulator").faults.clear()


def test_the_environment_points_a_client_here(emulator):
    variables = emulator.environment
    assert variables["AWS_ENDPOINT_URL"] == emulator.endpoint
    assert variables["AWS_ENDPOINT_URL"].startswith("http://localhost:")
    assert len(variables["AWS_ACCESS_KEY_ID"]) == 20
    assert variables["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"


def test_it_listens_on_loopback_only(emulator):
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.1", emulator.state.port)) == 0
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        with socket.socket() as probe:
            probe.settimeout(1)
            assert probe.connect_ex((address, emulator.state.port)) != 0


def test_an_operation_that_is_not_emulated_says_so_once(emulator):
    with pytest.raises(ClientError) as caught:
        emulator.client("sagemaker").create_app_image_config(AppImageConfigName="x")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "does not implement" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_read_that_another_thread_disturbs_is_read_again_and_a_write_is_not(emulator, monkeypatch):
    client = client_as(emulator.state, "logs", credentials.operator)
    group = {"logGroupName": f"group-{uuid4()}"}
    client.create_log_group(**group)
    failures = [RuntimeError("dictionary changed size during iteration")] * 2

    def disturbed(method):
        def call(*given, **named):
            if failures:
                raise failures.pop()
            return method(*given, **named)

        return call

    for name in ("describe_log_streams", "create_log_stream"):
        monkeypatch.setattr(LogGroup, name, disturbed(getattr(LogGroup, name)))
    read = client.describe_log_streams(**group)
    assert (read["logStreams"], read["ResponseMetadata"]["RetryAttempts"], failures) == ([], 0, [])
    failures.append(RuntimeError("dictionary changed size during iteration"))
    written = client.create_log_stream(**group, logStreamName="s")
    assert written["ResponseMetadata"]["RetryAttempts"] == 1, "it is for the client to know whether to try again"


def test_parameters_are_checked_by_the_service_model(emulator):
    client = client_as(emulator.state, "stepfunctions", credentials.operator, checks=False)
    with pytest.raises(ClientError, match="Invalid type for parameter name"):
        client.create_state_machine(name=5, definition="{}", roleArn="arn:aws:iam::123456789012:role/x")
    client = client_as(emulator.state, "events", credentials.operator, checks=False)
    with pytest.raises(ClientError, match="more than 64"):
        client.put_rule(Name="x" * 65, ScheduleExpression="rate(1 hour)")


def test_a_lost_response_takes_effect(emulator):
    client = client_as(emulator.state, "sqs", credentials.operator, retries=False)
    emulator.faults.lose_response("sqs", "CreateQueue")
    with pytest.raises(ConnectionClosedError):
        client.create_queue(QueueName="lost")
    assert client.get_queue_url(QueueName="lost")["QueueUrl"].endswith("/lost")


def test_an_injected_error_keeps_the_operation_from_happening(emulator):
    client = client_as(emulator.state, "sqs", credentials.operator, retries=False)
    emulator.faults.error("sqs", "CreateQueue", "ThrottlingException", "slow down")
    with pytest.raises(ClientError, match="slow down") as caught:
        client.create_queue(QueueName="never")
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    with pytest.raises(ClientError):
        client.get_queue_url(QueueName="never")


def test_an_injected_error_of_s3_has_its_form(emulator):
    client = client_as(emulator.state, "s3", credentials.operator, retries=False)
    emulator.faults.error("s3", "PutObject", "SlowDown", "reduce your request rate", status=503)
    client.create_bucket(Bucket="some-bucket")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="some-bucket", Key="a", Body=b"")
    assert caught.value.response["Error"]["Code"] == "SlowDown"


def test_callbacks_run_around_the_operation(emulator):
    seen = []
    client = emulator.client("sqs")
    emulator.faults.before("sqs", "CreateQueue", lambda: seen.append(client.list_queues(QueueNamePrefix="around")))
    emulator.faults.after("sqs", "CreateQueue", lambda: seen.append(client.list_queues(QueueNamePrefix="around")))
    client.create_queue(QueueName="around")
    assert ["QueueUrls" in answer for answer in seen] == [False, True]


def test_a_second_emulator_in_the_process_is_refused(emulator):
    with pytest.raises(EmulatorError, match="another emulator runs in this process"):
        Emulator().start()
    assert emulator.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_caller_without_credentials_is_refused(emulator):
    client = client_as(emulator.state, "sqs", ("AKIANOBODY0000000000", "secret", ""), retries=False)
    with pytest.raises(ClientError, match="security token"):
        client.list_queues()


def test_timestamps_of_services_follow_the_clock(emulator):
    emulator.clock.sleep(36_000)
    emulator.client("s3").create_bucket(Bucket="dated-bucket")
    emulator.client("s3").put_object(Bucket="dated-bucket", Key="a", Body=b"")
    modified = emulator.client("s3").head_object(Bucket="dated-bucket", Key="a")["LastModified"]
    assert (modified - datetime.now(UTC)).total_seconds() > 30_000


def test_reset_forgets_resources_and_keeps_the_endpoint(emulator, tmp_path):
    assembly = Assembly(tmp_path)
    assembly.function("Fn", "def handler(event, context): return 1", FunctionName="fn")
    endpoint = emulator.endpoint
    emulator.deploy(assembly.write())
    assert invoke(emulator, "fn")[1] == 1
    emulator.reset()
    assert emulator.endpoint == endpoint
    assert emulator.client("lambda").list_functions()["Functions"] == []
    emulator.deploy(assembly.write())
    assert invoke(emulator, "fn")[1] == 1

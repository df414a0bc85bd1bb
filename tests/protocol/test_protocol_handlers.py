"""The four functions of the protocol, on moto's tables, buckets and training jobs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers import append_ledger, close_run, complete_job, reconcile_jobs
from lambda_handlers.jobs import driver_for
from lambda_handlers.protocol import aws, clock
from lambda_handlers.protocol.errors import InvalidRequest, LedgerSealed, TransientServiceError
from lambda_handlers.protocol.fingerprint import claim
from lambda_handlers.protocol.ledger import LedgerClient, S3Mirror, append, read, verify
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import job_registry_store, run_control_store, run_ledger_store
from lambda_handlers.protocol.waiting import submit
from tests.protocol.test_protocol_stores import create_tables

ENVIRONMENT = {
    "JOB_REGISTRY_TABLE": "registry",
    "RUN_LEDGER_TABLE": "ledger",
    "RUN_CONTROL_TABLE": "control",
    "AUDIT_BUCKET": "audit",
    "MAX_RUN_AGE_SECONDS": "7776000",
    "APPEND_LEDGER_FUNCTION": "append",
    "POINTER_PARAMETER": "/demo/pointer",
    "ARRIVALS_TABLE": "arrivals",
    "RECEIVE_FUNCTION": "receive",
}
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:demo"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:demo:r1"


class Functions:
    """Stand in for Lambda: call the handler of append_ledger as an invocation would."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "append"
        try:
            answer: Any = append_ledger.handler(json.loads(Payload), None)
        except Exception as error:
            failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(failure).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class StepFunctions:
    """Stand in for Step Functions: remember what is sent, and say that executions run until told otherwise."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.status = "RUNNING"

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803 - boto3's names
        self.sent.append((taskToken, output))

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:  # noqa: N803 - boto3's names
        self.sent.append((taskToken, error))

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803 - boto3's names
        return {"executionArn": executionArn, "status": self.status}


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[StepFunctions]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    fakes: Mapping[str, Any] = {"lambda": Functions(), "stepfunctions": StepFunctions()}
    real = aws.client
    with mock_aws():
        real.cache_clear()
        for module in ("ledger", "stepfunctions"):
            monkeypatch.setattr(f"lambda_handlers.protocol.{module}.client", lambda name: fakes.get(name) or real(name))
        create_tables()
        boto3.client("s3").create_bucket(Bucket="audit")
        yield fakes["stepfunctions"]
    real.cache_clear()


def _submit_training(token: str = "secret-token") -> str:
    control = run_control_store("control")
    now = clock.current().now()
    claim(control, "f", "r1", False, now, execution_arn=EXECUTION)
    run = Run(
        id="r1",
        execution_arn=EXECUTION,
        state_machine_arn=MACHINE,
        started_at="2026-01-01T00:00:00Z",
        lock_generation=RunLock(control).acquire("r1", EXECUTION, now),
    )
    row = submit(
        registry=JobRegistry(job_registry_store("registry")),
        lock=RunLock(control),
        clock=clock.current(),
        ledger=LedgerClient("append"),
        driver=driver_for("TrainingJob"),
        run=run,
        stage="training",
        slug="demo",
        customization="demo",
        token=token,
        deadline_seconds=3600,
        requests=[
            {
                "RoleArn": "arn:aws:iam::123456789012:role/training",
                "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
                "OutputDataConfig": {"S3OutputPath": "s3://artifacts/runs/r1/jobs"},
                "ResourceConfig": {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4, "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            }
        ],
    )
    return row.job_name


def _row_status() -> RowStatus:
    row = JobRegistry(job_registry_store("registry")).get("r1", "training")
    assert row is not None
    return row.status


def _object(key: str) -> Any:
    return json.loads(boto3.client("s3").get_object(Bucket="audit", Key=key)["Body"].read())


def test_an_event_is_recorded_once_and_mirrored(step_functions: StepFunctions) -> None:
    event = {"run_id": "r1", "event_id": "e1", "type": "started", "detail": {"score": 0.5}}
    first = append_ledger.handler(event, None)
    assert append_ledger.handler({**event, "detail": {}}, None) == first
    assert first["seq"] == 1
    assert _object("runs/r1/ledger/000001.json")["hash"] == first["hash"]
    assert _object("runs/r1/ledger/000001.json")["detail"] == {"score": 0.5}


def test_a_client_is_told_why_an_event_was_not_taken(step_functions: StepFunctions) -> None:
    ledger = LedgerClient("append")
    with pytest.raises(InvalidRequest, match="characters"):
        ledger.append(run_id="r1", event_id="e", type="t", detail={"text": "x" * 140_000})
    ledger.append(run_id="r1", event_id="run_closed", type="run_closed", detail={})
    with pytest.raises(LedgerSealed, match="r1 is closed"):
        ledger.append(run_id="r1", event_id="e", type="t", detail={})
    boto3.client("dynamodb").delete_table(TableName="ledger")
    with pytest.raises(TransientServiceError, match="did not take the event"):
        ledger.append(run_id="r1", event_id="e", type="t", detail={})


def test_a_mirrored_event_is_never_overwritten(step_functions: StepFunctions) -> None:
    boto3.client("s3").put_object(Bucket="audit", Key="runs/r1/ledger/000001.json", Body=b'"first"')
    append(run_ledger_store("ledger"), S3Mirror("audit"), "r1", "e", "t", {}, clock.current().now())
    assert _object("runs/r1/ledger/000001.json") == "first"


def test_a_state_change_event_completes_the_stage(step_functions: StepFunctions) -> None:
    name = _submit_training()
    # moto's training jobs are complete as soon as they are created, so that submitting has found it so already.
    ((token, output),) = step_functions.sent
    assert token == "secret-token"
    assert json.loads(output)["output_uri"] == f"s3://artifacts/runs/r1/jobs/{name}/output/output.tar.gz"
    facts = complete_job.handler({"detail": {"TrainingJobName": name}}, None)
    assert (facts["name"], facts["status"]) == (name, "CLOSED")
    assert len(step_functions.sent) == 1
    assert complete_job.handler({"detail": {"TrainingJobName": "someone-else"}}, None) == {}


def test_a_run_is_closed_once_with_its_record(step_functions: StepFunctions) -> None:
    name = _submit_training()
    execution = {"id": EXECUTION, "name": "r1", "start_time": "t", "state_machine": MACHINE}
    error = {"Error": "EvaluationFailed", "Cause": json.dumps({"errorMessage": "No result.", "errorType": "X"})}
    event = {"execution": execution, "status": "FAILED", "error": error, "result": {"data": {"rows": {"in": 3}}}}
    closed = close_run.handler(event, None)
    assert (closed["status"], closed["error"], closed["cause"]) == ("FAILED", "EvaluationFailed", "No result.")
    assert closed["rows"] == {"in": 3}
    assert [(job["name"], job["attempt"]) for job in closed["jobs"]] == [(name, 1)]
    aborted = {"name": "r1", "status": "ABORTED", "executionArn": EXECUTION}
    detail_type = "Step Functions Execution Status Change"
    assert close_run.handler({"detail-type": detail_type, "detail": aborted}, None) == closed
    record = _object("runs/r1/record.json")
    assert {key: value for key, value in record.items() if key != "ledger"} == closed
    assert [each["type"] for each in record["ledger"]] == ["job_submitted", "job_ended", "run_closed"]
    assert verify(read(run_ledger_store("ledger"), "r1")) == []
    assert RunLock(run_control_store("control")).turns().holders == ()
    assert "secret-token" not in json.dumps(record)


def test_an_aborted_run_is_closed_by_its_event_and_its_job_stopped(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_handlers.protocol.waiting.look", lambda _desk, row: row)
    name = _submit_training()
    sagemaker = _Sagemaker("InProgress", aws.client("sagemaker"))
    monkeypatch.setattr("lambda_handlers.jobs.training_jobs.client", lambda _: sagemaker)
    detail = {"name": "r1", "status": "ABORTED", "executionArn": EXECUTION}
    event = {"detail-type": "Step Functions Execution Status Change", "detail": detail}
    closed = close_run.handler(event, None)
    assert (closed["status"], closed["error"], closed["cause"]) == ("ABORTED", "ABORTED", "The execution was aborted.")
    assert (sagemaker.stopped, _row_status()) == ([name], RowStatus.CANCELLED)
    assert _object("runs/r1/record.json")["status"] == "ABORTED"
    sagemaker.status = "Stopped"
    assert reconcile_jobs.handler({}, None)["rows_changed"] == 1
    assert _row_status() is RowStatus.CLOSED
    assert step_functions.sent == []


def test_the_reconciler_ends_a_job_at_its_deadline(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_handlers.protocol.waiting.look", lambda _desk, row: row)
    _submit_training()
    sagemaker = _Sagemaker("InProgress", aws.client("sagemaker"))
    monkeypatch.setattr("lambda_handlers.jobs.training_jobs.client", lambda _: sagemaker)
    assert reconcile_jobs.handler({}, None) == {
        "runs_closed": 0,
        "rows": 1,
        "rows_changed": 0,
        "pointer_repaired": False,
        "dispatched": False,
        "lock_passed_on": False,
    }
    monkeypatch.setattr("lambda_handlers.protocol.clock._installed", _Later(3600))
    reconcile_jobs.handler({}, None)
    assert step_functions.sent == [("secret-token", "JobTimedOut")]
    assert (len(sagemaker.stopped), _row_status()) == (1, RowStatus.STOPPING)


def test_the_reconciler_closes_a_run_whose_event_was_lost(step_functions: StepFunctions) -> None:
    _submit_training()
    step_functions.status = "TIMED_OUT"
    assert reconcile_jobs.handler({}, None)["runs_closed"] == 1
    assert _object("runs/r1/record.json")["cause"] == "The execution ran out of time."
    assert reconcile_jobs.handler({}, None)["runs_closed"] == 0


def test_the_reconciler_repairs_the_pointers_projection(step_functions: StepFunctions) -> None:
    control, ssm = run_control_store("control"), boto3.client("ssm")
    generation = RunLock(control).acquire("r1", EXECUTION, clock.current().now())
    Pointer(control).move("r1", generation, "arn:deployment")
    assert reconcile_jobs.handler({}, None)["pointer_repaired"] is True
    assert ssm.get_parameter(Name="/demo/pointer")["Parameter"]["Value"] == "arn:deployment"
    ssm.put_parameter(Name="/demo/pointer", Value="by hand", Overwrite=True)
    assert reconcile_jobs.handler({}, None)["pointer_repaired"] is True
    assert reconcile_jobs.handler({}, None)["pointer_repaired"] is False


def test_a_fault_at_one_row_is_told_after_the_others_had_their_turn(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lambda_handlers.protocol.waiting.look", lambda _desk, row: row)
    _submit_training()
    monkeypatch.setattr("lambda_handlers.jobs.training_jobs.client", lambda _: None)
    with caplog.at_level(logging.ERROR), pytest.raises(Exception, match="left things undone") as caught:
        reconcile_jobs.handler({}, None)
    assert "TrainingJob demo-" in str(caught.value)
    assert "secret-token" not in caplog.text


class _Later:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def now(self) -> Any:
        return clock.SystemClock().now() + timedelta(seconds=self._seconds)


class _Sagemaker:
    """Answer as SageMaker does about a job whose status the test decides."""

    def __init__(self, status: str, real: Any) -> None:
        self.status = status
        self.stopped: list[str] = []
        self._real = real

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {**self._real.describe_training_job(TrainingJobName=TrainingJobName), "TrainingJobStatus": self.status}

    def stop_training_job(self, *, TrainingJobName: str) -> None:  # noqa: N803 - boto3's names
        self.stopped.append(TrainingJobName)

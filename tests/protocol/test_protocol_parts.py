"""The parts of the protocol, each by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.protocol.closing import Ending, ending_of
from lambda_handlers.protocol.errors import (
    DuplicateRun,
    InvalidRequest,
    LedgerSealed,
    LockLost,
    RunLocked,
    TransientServiceError,
    from_client_error,
)
from lambda_handlers.protocol.failures import explain
from lambda_handlers.protocol.fingerprint import claim, fingerprint, settle
from lambda_handlers.protocol.ledger import append, read, verify
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import client_token, job_name, request_digest
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.runs import close_run
from lambda_handlers.protocol.stepfunctions import StepFunctions
from lambda_handlers.protocol.summary import reason, summarize
from tests.protocol.protocol_memory import job_registry, run_control, run_ledger

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAME = {
    "slug": "demo",
    "state_machine_arn": "arn:m",
    "run_id": "r1",
    "started_at": "2026-01-01T00:00:00Z",
    "stage": "training",
    "attempt": 1,
}


class Objects(dict[str, bytes]):
    def put(self, key: str, body: bytes) -> None:
        self.setdefault(key, body)


def test_job_names_are_stable_and_differ_in_every_part() -> None:
    name = job_name(**NAME)
    assert name == "demo-nxunw2ygzatvq2rgbqcygeaqo5" == job_name(**NAME)
    others = [
        job_name(**{**NAME, part: value})
        for part, value in {
            "state_machine_arn": "arn:n",
            "run_id": "r2",
            "started_at": "2026-01-01T00:00:01Z",
            "stage": "import",
            "attempt": 2,
        }.items()
    ]
    assert len({name, *others}) == 6


@given(slug=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), limit=st.sampled_from([40, 63]))
def test_job_names_keep_to_the_limit(slug: str, limit: int) -> None:
    name = job_name(**{**NAME, "slug": slug}, limit=limit)
    assert len(name) <= limit
    assert name.startswith(slug + "-")
    assert len(name) - len(slug) - 1 >= 19


@pytest.mark.parametrize("slug", ["", "Demo", "a--b", "-a", "a-", "a" * 21, "a_b"])
def test_a_slug_that_a_service_would_refuse_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="is not a slug"):
        job_name(**{**NAME, "slug": slug})


def test_digests_and_tokens_do_not_depend_on_the_order_of_keys() -> None:
    assert request_digest({"a": 1, "b": [1.5]}) == request_digest({"b": [1.5], "a": 1})
    assert request_digest({"a": 1}) != request_digest({"a": 2})
    assert client_token("n", "d") != client_token("n", "e")
    with pytest.raises(ValueError, match="JSON compliant"):
        request_digest({"score": float("nan")})


def test_a_run_names_every_missing_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Run.parse({"id": "r"})
    assert len(caught.value.problems) == 4
    run = Run(id="r", execution_arn="e", state_machine_arn="m", started_at="t", lock_generation=3)
    assert Run.parse(run.as_dict()) == run


def _client_error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op")


@pytest.mark.parametrize(
    "error",
    [
        _client_error("ThrottlingException"),
        _client_error("Anything", 503),
        _client_error("Anything", 429),
        EndpointConnectionError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_faults_of_a_service_are_transient(error: Exception) -> None:
    assert isinstance(from_client_error(error), TransientServiceError)


@pytest.mark.parametrize("error", [_client_error("AccessDeniedException"), KeyError("x")])
def test_other_errors_are_left_as_they_are(error: Exception) -> None:
    assert from_client_error(error) is error


def test_the_lock_is_held_by_one_run_with_a_rising_generation() -> None:
    lock = RunLock(run_control())
    assert lock.acquire("r1", "e1", NOW) == 1 == lock.acquire("r1", "e1", NOW)
    with pytest.raises(RunLocked, match="r1"):
        lock.acquire("r2", "e2", NOW)
    lock.release("r2")
    lock.check("r1", 1)
    lock.release("r1")
    assert lock.acquire("r2", "e2", NOW) == 2
    with pytest.raises(LockLost):
        lock.check("r1", 1)
    with pytest.raises(LockLost):
        lock.check("r2", 1)
    lock.check("r2", 2)


def test_a_fenced_run_may_do_nothing_yet_keeps_others_out() -> None:
    lock = RunLock(run_control())
    lock.acquire("r1", "e1", NOW)
    lock.fence("r2")
    lock.check("r1", 1)
    lock.fence("r1")
    with pytest.raises(LockLost):
        lock.check("r1", 1)
    with pytest.raises(LockLost):
        lock.acquire("r1", "e1", NOW)
    with pytest.raises(RunLocked):
        lock.acquire("r2", "e2", NOW)


def test_the_lock_of_a_run_that_is_no_longer_open_is_taken_over() -> None:
    store = run_control()
    RunLock(store).acquire("r1", "e1", NOW)
    close_run(store, "r1")
    assert RunLock(store).acquire("r2", "e2", NOW) == 2


def test_a_running_or_succeeded_run_blocks_a_duplicate() -> None:
    store = run_control()
    claim(store, "f", "r1", False, NOW, execution_arn="e1")
    claim(store, "f", "r1", False, NOW, execution_arn="e1")
    with pytest.raises(DuplicateRun, match="r1 is in progress"):
        claim(store, "f", "r2", True, NOW, execution_arn="e2")
    settle(store, "r1", "SUCCEEDED")
    close_run(store, "r1")
    with pytest.raises(DuplicateRun, match="r1 has already succeeded"):
        claim(store, "f", "r2", False, NOW, execution_arn="e2")
    claim(store, "g", "r2", False, NOW, execution_arn="e2")


@pytest.mark.parametrize("status", ["FAILED", "REJECTED", "ABORTED", "TIMED_OUT", "SKIPPED"])
def test_a_run_that_did_not_succeed_blocks_nobody(status: str) -> None:
    store = run_control()
    claim(store, "f", "r1", False, NOW, execution_arn="e1")
    settle(store, "r1", status)
    claim(store, "f", "r2", False, NOW, execution_arn="e2")


def test_a_forced_run_that_fails_does_not_undo_an_earlier_success() -> None:
    store = run_control()
    claim(store, "f", "r1", False, NOW, execution_arn="e1")
    settle(store, "r1", "SUCCEEDED")
    close_run(store, "r1")
    claim(store, "f", "r2", True, NOW, execution_arn="e2")
    settle(store, "r2", "FAILED")
    with pytest.raises(DuplicateRun, match="r1 has already succeeded"):
        claim(store, "f", "r3", False, NOW, execution_arn="e3")


def test_a_claim_left_by_a_run_that_is_no_longer_open_blocks_nobody() -> None:
    store = run_control()
    claim(store, "f", "r1", False, NOW, execution_arn="e1")
    close_run(store, "r1")
    claim(store, "f", "r2", False, NOW, execution_arn="e2")


def test_every_part_of_the_input_is_in_the_fingerprint() -> None:
    parts = {"dataset_sha256": "d", "recipe_sha256": "r", "hub_content_version": "1", "code_version": "c"}
    marks = {fingerprint(**parts, config={}), fingerprint(**parts, config={"a": 1})}
    marks |= {fingerprint(**{**parts, name: "other"}, config={}) for name in parts}
    assert len(marks) == 6


def test_the_pointer_moves_once_and_only_under_the_lock() -> None:
    store = run_control()
    pointer, lock = Pointer(store), RunLock(store)
    first = lock.acquire("r1", "e1", NOW)
    assert pointer.move("r1", first, "d1", model_arn="m1", now=NOW) is None
    lock.release("r1")
    second = lock.acquire("r2", "e2", NOW)
    assert pointer.move("r2", second, "d2", model_arn="m2", now=NOW) == "d1"
    assert pointer.move("r2", second, "d2", model_arn="m2", now=NOW) == "d1"
    with pytest.raises(LockLost):
        pointer.move("r1", first, "d1", now=NOW)
    target = pointer.read()
    assert target is not None
    assert (target.arn, target.model_arn, target.previous, target.previous_model_arn) == ("d2", "m2", "d1", "m1")


def test_a_run_that_is_being_closed_does_not_move_the_pointer() -> None:
    store = run_control()
    generation = RunLock(store).acquire("r1", "e1", NOW)
    RunLock(store).fence("r1")
    with pytest.raises(LockLost):
        Pointer(store).move("r1", generation, "d1", now=NOW)
    assert Pointer(store).read() is None


def _step_functions(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.client("stepfunctions")
    monkeypatch.setattr("lambda_handlers.protocol.stepfunctions.client", lambda _: client)
    stubber = Stubber(client)
    stubber.activate()
    return stubber


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_token_that_nobody_waits_with_is_closed_not_an_error(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    stub = _step_functions(monkeypatch)
    stub.add_client_error("send_task_success", code)
    stub.add_client_error("send_task_failure", code)
    assert StepFunctions().succeed("t", {"a": 1}) is False
    assert StepFunctions().fail("t", "JobFailed", "why") is False


def test_what_is_sent_keeps_to_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = _step_functions(monkeypatch)
    stub.add_response("send_task_success", {}, {"taskToken": "t", "output": '{"a":1}'})
    sent = {"taskToken": "t", "error": "JobFailed", "cause": "x" * 32_768}
    stub.add_response("send_task_failure", {}, sent)
    stub.add_client_error("send_task_failure", "AccessDeniedException")
    assert StepFunctions().succeed("t", {"a": 1}) is True
    assert StepFunctions().fail("t", "JobFailed", "x" * 40_000) is True
    with pytest.raises(ClientError):
        StepFunctions().fail("t", "JobFailed", "why")


def test_an_execution_that_is_no_longer_known_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = _step_functions(monkeypatch)
    stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
    arn = "arn:aws:states:us-east-1:123456789012:execution:demo:r1"
    state = StepFunctions().describe(arn)
    assert (state.ended, state.status) == (True, "ABORTED")


def test_a_ledger_replays_an_event_it_knows_and_takes_none_after_the_end() -> None:
    store, objects = run_ledger(), Objects()
    first = append(store, objects, "r", "a", "started", {"rows": 1.5}, NOW)
    assert append(store, objects, "r", "a", "started", {"rows": 2}, NOW) == first
    append(store, objects, "r", "run_closed", "run_closed", {}, NOW)
    assert append(store, objects, "r", "a", "started", {}, NOW) == first
    with pytest.raises(LedgerSealed):
        append(store, objects, "r", "b", "late", {}, NOW)
    events = read(store, "r")
    assert verify(events) == []
    assert sorted(objects) == ["runs/r/ledger/000001.json", "runs/r/ledger/000002.json"]
    assert json.loads(objects["runs/r/ledger/000001.json"])["hash"] == first.hash == events[1].previous


def test_the_last_event_fills_the_gaps_that_interruptions_left_in_the_mirror() -> None:
    store, objects = run_ledger(), Objects()
    append(store, Objects(), "r", "a", "started", {}, NOW)
    append(store, objects, "r", "run_closed", "run_closed", {}, NOW)
    assert sorted(objects) == ["runs/r/ledger/000001.json", "runs/r/ledger/000002.json"]


def test_any_change_to_a_chain_is_found() -> None:
    store, objects = run_ledger(), Objects()
    for name in ("a", "b", "run_closed"):
        append(store, objects, "r", name, name, {"value": name}, NOW)
    events = read(store, "r")
    changed = replace(events[1], detail={"value": "c"})
    forged = replace(changed, hash=changed.digest())
    assert verify([events[0], changed, events[2]]) == ["event 2 was changed after it was recorded"]
    assert verify([events[0], forged, events[2]]) == ["event 3 does not follow the one before it"]
    assert "event 2 has number 3" in verify([events[0], events[2]])
    assert verify([events[0], events[0]])[-1] == "an event was recorded twice"
    assert "event 2 does not follow the one before it" in verify(events[1:])


@pytest.mark.parametrize("detail", [{"a": float("inf")}, {"a": object()}, {"a": "x" * 140_000}])
def test_a_detail_that_cannot_be_recorded_is_refused(detail: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        append(run_ledger(), Objects(), "r", "a", "started", detail, NOW)


def _row(status: RowStatus) -> JobRow:
    return JobRow(
        run_id="r",
        stage="training",
        kind="TrainingJob",
        job_name="demo-x",
        attempt=1,
        execution_arn="e",
        digest="d",
        deadline=0,
        submission=0,
        submitted_at=0,
        status=status,
        token="secret",
    )


@pytest.mark.parametrize(
    ("error", "cause", "expected"),
    [
        (
            "InvalidRequest",
            '{"errorMessage": "No dataset.", "errorType": "InvalidRequest", "stackTrace": ["x"]}',
            ("InvalidRequest", "No dataset."),
        ),
        ("JobFailed", "TrainingJob x failed: out of memory", ("JobFailed", "TrainingJob x failed: out of memory")),
        (
            "ClientError",
            '{"errorMessage": "An error occurred (AccessDeniedException) when calling the CreateTrainingJob operation: '
            'no", "errorType": "ClientError"}',
            (
                "AccessDenied",
                "An error occurred (AccessDeniedException) when calling the CreateTrainingJob operation: no",
            ),
        ),
        ("KeyError", '{"errorMessage": "\'q\'", "errorType": "KeyError"}', ("KeyError", "KeyError: 'q'")),
        ("States.Timeout", "", ("JobTimedOut", "TrainingJob demo-x of stage training did not finish in time.")),
        (
            "Sandbox.Timedout",
            '{"errorMessage": "Task timed out after 3.00 seconds"}',
            ("Sandbox.Timedout", "A function ran out of time: Task timed out after 3.00 seconds"),
        ),
        ("", "", ("States.TaskFailed", "No cause was given.")),
    ],
)
def test_an_error_is_told_in_words(error: str, cause: str, expected: tuple[str, str]) -> None:
    failure = explain({"Error": error, "Cause": cause}, [_row(RowStatus.OPEN)])
    assert failure is not None
    assert (failure.error, failure.cause) == expected


def test_a_time_out_of_a_step_without_a_job_is_not_a_jobs() -> None:
    failure = explain({"Error": "States.Timeout", "Cause": ""}, [replace(_row(RowStatus.CLOSED), delivered=True)])
    assert failure is not None
    assert failure.error == "States.Timeout"


def test_an_ending_is_read_from_the_workflow_and_from_an_event() -> None:
    execution = {"id": "arn", "name": "r1", "start_time": "t", "state_machine": "m"}
    assert ending_of({"execution": execution, "status": "SKIPPED"}) == Ending(run_id="r1", status="SKIPPED")
    event = {
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"name": "r2", "status": "ABORTED", "error": None, "cause": "stopped by Ana"},
    }
    assert ending_of(event) == Ending(
        run_id="r2", status="ABORTED", error={"Error": "ABORTED", "Cause": "stopped by Ana"}
    )


def test_a_summary_holds_what_the_run_came_to() -> None:
    state = {
        "plan": {"dataset": {"uri": "s3://b/k"}, "reason": None},
        "data": {"rows": {"in": 2, "out": 2}},
        "further_data": {"rl": {"rows": {"in": 3, "out": 3}, "train": {}}, "cut": {"shards": {}}},
        "evaluations": [{"task": "mmlu", "metrics": {"accuracy": 0.4}, "job": {}}],
        "gate": {"verdict": "FAILED", "sentence": "mmlu 0.4 is below 0.5."},
    }
    assert summarize(state) == {
        "dataset": {"uri": "s3://b/k"},
        "rows": {"in": 2, "out": 2},
        "further_rows": {"rl": {"in": 3, "out": 3}},
        "scores": [{"task": "mmlu", "metrics": {"accuracy": 0.4}}],
        "gate": state["gate"],
    }
    assert reason("REJECTED", state) == "mmlu 0.4 is below 0.5."
    assert summarize(None) == {}
    assert summarize({"turn": {"decision": "DISMISSED", "reason": "a later one waits"}}) == {"turned_away": True}


def test_a_row_never_shows_its_token() -> None:
    row = _row(RowStatus.OPEN)
    assert "secret" not in repr(row) + json.dumps(row.facts())


def test_a_row_is_read_as_it_was_written() -> None:
    registry = JobRegistry(job_registry())
    row = replace(_row(RowStatus.OPEN), arn="a", choice=1, choices=2, lacking=("1 x ml.a",), named=True)
    saved = registry.save(row, replacing=None)
    assert registry.get("r", "training") == saved == replace(row, version=saved.version)

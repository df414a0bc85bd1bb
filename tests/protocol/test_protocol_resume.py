"""What a run that resumes another takes over: a job that has completed, one that lives, and nothing that may differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.closing import Ending
from lambda_handlers.protocol.errors import LockLost, TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from lambda_handlers.protocol.resume import differing, input_hashes, without_runs
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.waiting import attend, clean_up, complete, submit
from tests.protocol.protocol_processes import Command
from tests.protocol.protocol_world import DEADLINE, PLACE, Execution, Job, Waiting, World

CONTENT = {"recipe": "r", "data": "d"}


class Story:
    """Runs that follow one another, each with a training stage; a run that fails is closed before the next begins."""

    def __init__(self, kind: str = "TrainingJob") -> None:
        self.world, self.kind = World(), kind
        self.registry = JobRegistry(self.world.registry_store)
        self.output_there = True
        self.refuses_to_stop = False

    def begin(self, run_id: str) -> Execution:
        execution = Execution(run_id, run_id, phase="stages", group=0)
        self.world.executions[run_id] = execution
        execution.generation = RunLock(self.world.control).acquire(run_id, execution.arn, self.world.now())
        return execution

    def submit(
        self, execution: Execution, *resumes: str, retry: int = 0, content: Mapping[str, Any] = CONTENT, **request: Any
    ) -> JobRow:
        token = f"{execution.run_id}-{retry}"
        execution.waiting["training"] = Waiting(token, retry)
        run = Run(**{**execution.run.as_dict(), "resumes": resumes})
        place = PLACE if self.kind == "PyTorchJob" else {}
        wanted = [
            {"output": f"s3://b/runs/{run.id}/jobs", **place, **request, "type": each} for each in ("ml.a", "ml.b")
        ]
        return submit(
            registry=self.registry,
            lock=RunLock(self.world.control),
            clock=self.world,
            ledger=self.world,
            driver=self.world.drivers[self.kind],
            run=run,
            stage="training",
            slug="demo",
            customization="demo",
            token=token,
            deadline_seconds=DEADLINE,
            requests=wanted,
            contents=[content, content],
            output_is_there=lambda _: self.output_there,
            retry=retry,
            tasks=self.world,
        )

    def close(self, execution: Execution) -> None:
        execution.status = "FAILED"
        self.world.closer.close(Ending(run_id=execution.run_id, status="FAILED"))

    def fails_having_trained(self, run_id: str = "r1", *resumes: str, **given: Any) -> JobRow:
        """Have a run train, and fail afterwards."""
        execution = self.begin(run_id)
        row = self.submit(execution, *resumes, **given)
        if row.waits:
            self.world.end_job(self.world.jobs[row.job_name], JobStatus.COMPLETED)
            row = attend(self.world.desk, row)
        self.close(execution)
        return row

    def dies_training(self, run_id: str = "r1") -> Job:
        """Have a run closed while nothing can be stopped: its job lives."""
        execution = self.begin(run_id)
        job = self.world.jobs[self.submit(execution).job_name]
        self.world.drivers[self.kind].stop = _refuse  # type: ignore[method-assign]
        self.close(execution)
        del self.world.drivers[self.kind].stop
        assert self.row("r1").status is RowStatus.CANCELLED
        return job

    def row(self, run_id: str) -> JobRow:
        row = self.registry.get(run_id, "training")
        assert row is not None
        return row

    def told(self, run_id: str, type: str) -> list[dict[str, Any]]:
        events = self.world.ledger_store.items.values()
        return [json.loads(str(e["detail"])) for e in events if (e["run_id"], e["type"]) == (run_id, type)]

    def reconcile(self) -> None:
        process = self.world.start_reconciler()
        while not process.ended:
            process.advance()


def _refuse(_row: JobRow) -> None:
    raise TransientServiceError("not now")


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_completed_job_of_the_same_inputs_is_taken_and_nothing_is_submitted(story: Story) -> None:
    first = story.fails_having_trained()
    execution = story.begin("r2")
    row = story.submit(execution, "r1")
    assert (row.job_name, row.origin, row.status, row.delivered) == (first.job_name, "r1", RowStatus.CLOSED, True)
    assert list(story.world.jobs) == [first.job_name]
    [taken] = story.told("r2", "stage_taken")
    assert (taken["stage"], taken["from_run"], taken["job"]) == ("training", "r1", first.job_name)
    assert story.told("r2", "job_submitted") == []
    assert row.facts()["from_run"] == "r1"


def test_closing_the_later_run_leaves_what_it_took_alone(story: Story) -> None:
    job = story.world.jobs[story.fails_having_trained().job_name]
    execution = story.begin("r2")
    story.submit(execution, "r1")
    story.close(execution)
    story.reconcile()
    assert (job.status, job.stops) == (JobStatus.COMPLETED, 0)
    assert story.row("r2").status is RowStatus.CLOSED


def test_a_run_that_resumes_a_resumed_run_names_the_one_that_trained(story: Story) -> None:
    first = story.fails_having_trained()
    story.fails_having_trained("r2", "r1")
    row = story.submit(story.begin("r3"), "r2", "r1")
    assert (row.job_name, row.origin, len(story.world.jobs)) == (first.job_name, "r1", 1)
    assert story.told("r3", "stage_taken")[0]["from_run"] == "r1"


def test_what_the_resumed_run_did_not_come_to_is_looked_for_in_the_run_before(story: Story) -> None:
    first = story.fails_having_trained()
    story.close(story.begin("r2"))
    assert story.submit(story.begin("r3"), "r2", "r1").job_name == first.job_name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": {**CONTENT, "recipe": "other"}}, "not known to be the same: recipe"),
        ({"content": {"recipe": "x", "data": "y"}}, "not known to be the same: data, recipe"),
        ({"content": {**CONTENT, "data": None}}, "not known to be the same: data"),
        ({"content": {**CONTENT, "more": "m"}}, "not known to be the same: more"),
        ({"image": "other"}, "not known to be the same: request"),
    ],
)
def test_what_differs_or_cannot_be_known_is_done_again_and_the_record_says_why(
    story: Story, change: dict[str, Any], reason: str
) -> None:
    first = story.fails_having_trained()
    row = story.submit(story.begin("r2"), "r1", **change)
    assert (row.origin, row.status, len(story.world.jobs)) == ("", RowStatus.OPEN, 2)
    assert row.job_name != first.job_name
    assert story.told("r2", "stage_not_taken") == [{"stage": "training", "reasons": {"r1": reason}}]


def test_a_job_whose_output_is_gone_is_done_again(story: Story) -> None:
    story.fails_having_trained()
    story.output_there = False
    assert story.submit(story.begin("r2"), "r1").origin == ""
    assert "no longer there" in story.told("r2", "stage_not_taken")[0]["reasons"]["r1"]


def test_a_job_that_failed_is_done_again(story: Story) -> None:
    execution = story.begin("r1")
    row = story.submit(execution)
    story.world.end_job(story.world.jobs[row.job_name], JobStatus.FAILED)
    attend(story.world.desk, row)
    story.close(execution)
    assert story.submit(story.begin("r2"), "r1").origin == ""
    assert "ended with JobFailed" in story.told("r2", "stage_not_taken")[0]["reasons"]["r1"]


def test_a_job_of_another_choice_of_instances_is_taken_for_what_it_was(story: Story) -> None:
    execution = story.begin("r1")
    first = story.submit(execution)
    story.world.end_job(story.world.jobs[first.job_name], JobStatus.STOPPED, "CapacityUnavailable")
    attend(story.world.desk, first)
    second = story.submit(execution, retry=1)
    story.world.end_job(story.world.jobs[second.job_name], JobStatus.COMPLETED)
    attend(story.world.desk, second)
    story.close(execution)
    taken = story.submit(story.begin("r2"), "r1")
    assert (taken.job_name, taken.choice, str(taken.instances)) == (second.job_name, 1, "1 x ml.b")


def test_a_job_that_completed_although_its_run_had_given_it_up_is_taken(story: Story) -> None:
    job = story.dies_training()
    story.world.end_job(job, JobStatus.COMPLETED)
    story.reconcile()
    assert story.row("r1").outcome is None
    taken = story.submit(story.begin("r2"), "r1")
    assert taken.outcome is not None
    assert (taken.job_name, taken.outcome.output["made_by"]) == (job.name, job.name)


def test_nothing_is_taken_by_a_run_that_is_being_closed(story: Story) -> None:
    story.fails_having_trained()
    execution = story.begin("r2")
    RunLock(story.world.control).fence("r2")
    with pytest.raises(LockLost):
        story.submit(execution, "r1")
    assert story.registry.get("r2", "training") is None


@pytest.mark.parametrize("kind", ["TrainingJob", "PyTorchJob"])
def test_a_job_that_lives_is_adopted_waited_for_and_stopped_by_nobody(kind: str) -> None:
    story = Story(kind)
    job = story.dies_training()
    execution = story.begin("r2")
    row = story.submit(execution, "r1")
    assert (row.job_name, row.origin, row.status, len(story.world.jobs)) == (job.name, "r1", RowStatus.OPEN, 1)
    assert story.row("r1").status is RowStatus.CLOSED
    assert row.place == (PLACE if kind == "PyTorchJob" else {})
    story.reconcile()
    assert (job.status, job.stops) == (JobStatus.RUNNING, 0)
    assert [event["name"] for event in story.told("r2", "job_adopted")] == [job.name]
    story.world.end_job(job, JobStatus.COMPLETED)
    told = complete(
        registry=story.registry,
        clock=story.world,
        ledger=story.world,
        drivers=story.world.drivers.__getitem__,
        job_name=job.name,
        tasks=story.world,
    )
    assert told is not None
    assert (told.run_id, told.delivered) == ("r2", True)


@pytest.mark.parametrize("kind", ["TrainingJob", "PyTorchJob"])
def test_a_pass_that_read_the_row_before_the_job_was_adopted_does_not_stop_it(kind: str) -> None:
    story = Story(kind)
    job = story.dies_training()
    before = story.row("r1")
    story.submit(story.begin("r2"), "r1")
    assert clean_up(story.world.desk, before).status is RowStatus.CLOSED
    assert (job.status, job.stops, job.stopping) == (JobStatus.RUNNING, 0, False)


def test_an_adopted_job_is_stopped_with_the_run_that_adopted_it(story: Story) -> None:
    job = story.dies_training()
    execution = story.begin("r2")
    story.submit(execution, "r1")
    story.close(execution)
    assert job.stopping


def test_an_adopted_job_is_not_adopted_from_the_first_run_once_more(story: Story) -> None:
    story.dies_training()
    story.submit(story.begin("r2"), "r1")
    RunLock(story.world.control).release("r2", story.world.now())  # as if both might work at once
    row = story.submit(story.begin("r3"), "r1")
    assert (row.origin, len(story.world.jobs)) == ("", 2)


@pytest.mark.parametrize("command", [Command.KILL, Command.KILL_AFTER, Command.FAIL, Command.LOSE])
@pytest.mark.parametrize("step", range(1, 20))
def test_adoption_interrupted_at_any_step_is_gone_on_with(story: Story, step: int, command: Command) -> None:
    job = story.dies_training()
    execution = story.begin("r2")
    story.world.steps, story.world.planned = 0, {step: command}
    process = story.world.start("submit", lambda: story.submit(execution, "r1"), lambda _: None)
    while not process.ended:
        process.advance()
    story.world.planned = {}
    story.submit(execution, "r1", retry=1)
    story.reconcile()
    assert (story.row("r2").job_name, story.row("r2").status) == (job.name, RowStatus.OPEN)
    assert (story.row("r1").status, job.stops, len(story.world.jobs)) == (RowStatus.CLOSED, 0, 1)
    assert story.row("r2").token == "r2-1"


IDS = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
TEXTS = st.one_of(st.text(max_size=12), IDS.map(lambda run: f"s3://b/runs/{run}/train.jsonl"), IDS)
DOCUMENTS = st.recursive(
    st.one_of(TEXTS, st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


def _moved(value: Any, old: str, new: str) -> Any:
    """Return a document as another run would have made it."""
    if isinstance(value, dict):
        return {key: _moved(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, old, new) for each in value]
    return value.replace(f"/runs/{old}/", f"/runs/{new}/") if isinstance(value, str) else value


@given(DOCUMENTS, IDS, IDS)
def test_the_same_of_two_runs_has_the_same_hash(document: Any, old: str, new: str) -> None:
    made = {"parts": [document, f"s3://b/runs/{old}/jobs", f"s3://b/runs/{old}"]}
    moved = {"parts": [_moved(document, old, new), f"s3://b/runs/{new}/jobs", f"s3://b/runs/{new}"]}
    assert input_hashes({"all": made}, {old, new}) == input_hashes({"all": moved}, {new, old})


@given(DOCUMENTS, DOCUMENTS, IDS)
def test_what_differs_beyond_the_run_has_another_hash(one: Any, other: Any, run: str) -> None:
    same = without_runs(one, {run}) == without_runs(other, {run})
    assert (not differing(input_hashes({"a": one}, {run}), input_hashes({"a": other}, {run}))) == (
        same and one is not None and other is not None
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/runs/a/x", "s3://b/runs/RUN/x"),
        ("s3://b/runs/a", "s3://b/runs/RUN"),
        ("s3://b/runs/ab/x", "s3://b/runs/ab/x"),
        ("s3://b/a/runs/b/a", "s3://b/a/runs/b/a"),
        ("a", "RUN"),
        ("a banana", "a banana"),
    ],
)
def test_only_the_folder_of_a_run_and_its_id_alone_are_replaced(text: str, expected: str) -> None:
    assert without_runs(text, {"a"}) == expected

"""AWS as the protocol meets it: services that create jobs, a state machine that waits, events that may not come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_handlers.jobs.driver import Instances, JobState, JobStatus, NameTaken
from lambda_handlers.protocol import runs
from lambda_handlers.protocol.closing import Closer, Ending, ended
from lambda_handlers.protocol.delivery import Desk
from lambda_handlers.protocol.errors import (
    DuplicateRun,
    QuotaExceeded,
    RunLocked,
    TransientServiceError,
    TurnAwaited,
    WorkflowError,
)
from lambda_handlers.protocol.fingerprint import claim
from lambda_handlers.protocol.ledger import append
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.queueing import TAKEN, Queue
from lambda_handlers.protocol.reconciling import Reconciler
from lambda_handlers.protocol.registry import JobRegistry, JobRow
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.stepfunctions import ExecutionState
from lambda_handlers.protocol.store import Item
from lambda_handlers.protocol.turns import Concurrency, Turns
from lambda_handlers.protocol.waiting import complete, submit
from tests.protocol.protocol_memory import job_registry, run_control, run_ledger
from tests.protocol.protocol_processes import Command, Killed, Process, Scheduler

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:demo"
FUNCTION_LIFE = 15 * 60
DEADLINE = 6 * 3600
TURN = "turn"
TURN_DEADLINE = 3 * 24 * 3600
MAX_AGE = timedelta(days=30)
RETRIES = 2
TYPES = ("ml.a", "ml.b", "ml.c")
KINDS = {"import": "CustomModel", "training-hp": "PyTorchJob"}
_OF_ONE_ATTEMPT = ("choice", "lacking", "instance_type", "digest", "deadline", "job_name")
PLACE = {"cluster_name": "hp", "namespace": "team"}
GROUPS = (("training", "training-hp"), ("evaluation-mmlu", "evaluation-gen_qa"), ("import",))


@dataclass
class Job:
    """Something AWS runs."""

    name: str
    kind: str
    digest: str
    run_id: str
    stage: str
    status: JobStatus = JobStatus.RUNNING
    error: str = ""
    stopping: bool = False
    in_use: bool = False
    held_until: int = 0
    stops: int = 0
    instances: str = ""
    removed: bool = False
    """Nothing of it is left in its place, and its name is free again."""

    @property
    def arn(self) -> str:
        return f"arn:aws:test:us-east-1:123456789012:{self.kind}/{self.name}"


@dataclass
class FakeDriver:
    """Create jobs of one kind: a name is taken for good, unless the service knows the request by its token."""

    world: World
    kind: str
    stop_deletes: bool
    name_limit: int = 63

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        return self.world.step("create job", lambda: self._create(name, request, digest, tags))  # type: ignore[no-any-return]

    def instances_of(self, request: Mapping[str, Any]) -> Instances | None:
        return Instances(type=request["type"], count=1) if "type" in request else None

    def digest_of(self, row: JobRow) -> str | None:
        return self.world.step("read job tags", lambda: self.world.jobs[row.job_name].digest)  # type: ignore[no-any-return]

    def describe(self, row: JobRow) -> JobState:
        return self.world.step("describe job", lambda: self._describe(row.job_name))  # type: ignore[no-any-return]

    def stop(self, row: JobRow) -> None:
        self.world.step("stop job", lambda: self._stop(row.job_name))

    def _create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        if request.get("type") in self.world.refused:
            raise QuotaExceeded(f"The quota of {request['type']} is 0.")
        known = self.world.jobs.get(name)
        if known and self.stop_deletes and known.digest == digest:
            return known.arn
        if known:
            raise NameTaken(name)
        job = Job(name, self.kind, digest, tags["nova-constructs:run"], tags["nova-constructs:stage"])
        job.instances = str(self.instances_of(request) or "")
        self.world.jobs[name] = job
        return job.arn

    def _describe(self, name: str) -> JobState:
        job = self.world.jobs.get(name)
        if job is None or job.status is JobStatus.GONE:
            return JobState(status=JobStatus.GONE)
        told = {"output": {"made_by": name}, "cause": "as told", "error": job.error, "held_until": job.held_until}
        return JobState(status=job.status, arn=job.arn, **told)  # type: ignore[arg-type]

    def _stop(self, name: str) -> None:
        job = self.world.jobs.get(name)
        if job is None:
            return
        job.stopping = True
        job.stops += 1
        if self.world.epoch() < job.held_until:
            return
        if self.stop_deletes and job.status is not JobStatus.RUNNING:
            assert not job.in_use, f"{name} was deleted although its run was told that it is ready"
            job.status = JobStatus.GONE


@dataclass
class ClusterDriver(FakeDriver):
    """Create jobs in a cluster: what is made stays there once it has ended, until `stop` removes it."""

    name_limit: int = 40

    def _create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        known = self.world.jobs.get(name)
        if known and not known.removed:
            if known.digest != digest:
                raise NameTaken(name)
            return known.arn
        if known:
            # A late call, after what an earlier one made was removed: its row has to see to it.
            self.world.ghosts.add(name)
            return known.arn
        return FakeDriver._create(self, name, request, digest, tags)

    def _describe(self, name: str) -> JobState:
        if name in self.world.ghosts:
            return JobState(status=JobStatus.RUNNING, arn=self.world.jobs[name].arn)
        job = self.world.jobs.get(name)
        return JobState(status=JobStatus.GONE) if job is None or job.removed else FakeDriver._describe(self, name)

    def _stop(self, name: str) -> None:
        self.world.ghosts.discard(name)
        job = self.world.jobs.get(name)
        if job is None:
            return
        if job.status is JobStatus.COMPLETED and not job.removed:
            rows = [row for row in self.world.registry_store.items.values() if row["job_name"] == name]
            kept = all("outcome" in row or row["status"] in ("CANCELLED", "CLOSED") for row in rows)
            assert kept, f"{name} was removed before its outcome was kept"
        self.world.end_job(job, JobStatus.STOPPED)
        job.stopping = job.removed = True


@dataclass
class Waiting:
    """A state that waits with a task token."""

    token: str
    retry: int = 0
    done: bool = False


@dataclass
class Execution:
    """One execution of the state machine: plan, groups of stages, promotion, closing."""

    run_id: str
    fingerprint: str
    status: str = "RUNNING"
    phase: str = "plan"
    generation: int = 0
    group: int = -1
    waiting: dict[str, Waiting] = field(default_factory=dict)
    turns: int = 0
    """How often it has begun to wait for its turn."""
    tries: int = 0
    failure: Mapping[str, str] | None = None
    final: str = ""
    stopped_with: str = ""

    @property
    def arn(self) -> str:
        return MACHINE.replace("stateMachine", "execution") + ":" + self.run_id

    @property
    def run(self) -> Run:
        return Run(
            id=self.run_id,
            execution_arn=self.arn,
            state_machine_arn=MACHINE,
            started_at="2026-01-01T00:00:00Z",
            lock_generation=self.generation,
        )


class World(Scheduler):
    """Everything there is. Every call the protocol makes is a step at which it can be stopped."""

    def __init__(
        self, policy: Concurrency = Concurrency.SKIP, groups: Sequence[Sequence[str]] = GROUPS, retries: int = RETRIES
    ) -> None:
        super().__init__()
        self.policy, self.groups, self.retries = policy, groups, retries
        self.instant = datetime(2026, 1, 1, tzinfo=UTC)
        self.registry_store, self.ledger_store, self.control = (
            job_registry(self.step, self._watch_row),
            run_ledger(self.step),
            run_control(self.step, self._watch_lock),
        )
        self.objects: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}
        self.drivers = {
            "TrainingJob": FakeDriver(self, "TrainingJob", stop_deletes=False),
            "CustomModel": FakeDriver(self, "CustomModel", stop_deletes=True),
            "PyTorchJob": ClusterDriver(self, "PyTorchJob", stop_deletes=False),
        }
        self.ghosts: set[str] = set()
        """Jobs in the cluster that late calls made under names that were free again."""
        self.executions: dict[str, Execution] = {}
        self.job_events: list[str] = []
        self.ended_events: list[Ending] = []
        self.sent: dict[str, set[str]] = {}
        self.entered: set[str] = set()
        self.events_verified = 0
        self.refused: set[str] = set()
        """Instance types that the account may have none of."""
        self.violations: list[str] = []
        self._tokens = 0

    # Ports of the protocol

    def now(self) -> datetime:
        return self.instant

    def epoch(self) -> int:
        return int(self.instant.timestamp())

    def append(self, *, run_id: str, event_id: str, type: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        event = append(self.ledger_store, self, run_id, event_id, type, detail, self.instant)
        return {"seq": event.seq, "hash": event.hash}

    def put(self, key: str, body: bytes) -> None:
        self.step("write object", lambda: self.objects.setdefault(key, body))

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        return self.step("send success", lambda: self._succeed(token, output))  # type: ignore[no-any-return]

    def fail(self, token: str, error: str, cause: str) -> bool:
        return self.step("send failure", lambda: self._fail(token, error, cause))  # type: ignore[no-any-return]

    def describe(self, execution_arn: str) -> ExecutionState:
        execution = next(each for each in self.executions.values() if each.arn == execution_arn)
        return self.step(  # type: ignore[no-any-return]
            "describe execution",
            lambda: ExecutionState(arn=execution_arn, status=execution.status, error=execution.stopped_with),
        )

    def stop(self, execution_arn: str, error: str, cause: str) -> None:
        execution = next(each for each in self.executions.values() if each.arn == execution_arn)

        def act() -> None:
            if execution.status == "RUNNING":
                execution.stopped_with = error
                self.abort(execution)

        self.step("stop execution", act)

    @property
    def desk(self) -> Desk:
        return Desk(
            registry=JobRegistry(self.registry_store),
            clock=self,
            tasks=self,
            ledger=self,
            drivers=self.drivers.__getitem__,
        )

    @property
    def closer(self) -> Closer:
        return Closer(desk=self.desk, control=self.control, events=self.ledger_store, archive=self)

    # What happens in AWS

    def start_execution(self, fingerprint: str) -> Execution:
        execution = Execution(f"run-{len(self.executions) + 1}", fingerprint)
        self.executions[execution.run_id] = execution
        self._invoke_plan(execution)
        return execution

    def abort(self, execution: Execution) -> None:
        self._end(execution, "ABORTED")

    def time_out_state(self, execution: Execution) -> None:
        self._fail_run(execution, "States.Timeout", "")

    def lose_invocation(self, execution: Execution, stage: str) -> None:
        """Have the state machine give up on a function that goes on working."""
        self._retry(execution, stage, "Lambda.Unknown", "connection lost")

    def end_job(self, job: Job, status: JobStatus, error: str = "") -> None:
        if job.status is not JobStatus.RUNNING:
            return
        job.status, job.error = status, error
        if job.kind == "TrainingJob":
            self.job_events.append(job.name)

    def pass_time(self, seconds: int) -> None:
        self.instant += timedelta(seconds=seconds)
        for process in [each for each in self.processes if self.epoch() - each.born > FUNCTION_LIFE]:
            if process in self.processes:
                process.advance(Command.KILL)

    def tell_job_event(self, name: str) -> Process:
        work: Callable[[], Any] = lambda: complete(  # noqa: E731
            registry=JobRegistry(self.registry_store),
            clock=self,
            ledger=self,
            drivers=self.drivers.__getitem__,
            job_name=name,
            tasks=self,
        )
        return self.start(f"complete {name}", work, _ignore_transient)

    def tell_ended(self, ending: Ending) -> Process:
        return self.start(f"close {ending.run_id}", lambda: self.closer.close(ending), _ignore_transient)

    def start_reconciler(self) -> Process:
        reconciler = Reconciler(closer=self.closer, executions=self, max_age=MAX_AGE)
        return self.start("reconcile", reconciler.run, _ignore_transient)

    # The state machine

    def _invoke_plan(self, execution: Execution) -> None:
        def work() -> int:
            now = self.instant
            claim(self.control, execution.fingerprint, execution.run_id, False, now, execution_arn=execution.arn)
            generation = RunLock(self.control).acquire(
                execution.run_id,
                execution.arn,
                now,
                policy=self.policy,
                started_at=f"{list(self.executions).index(execution.run_id):06d}",
                deadline=self.epoch() + TURN_DEADLINE,
            )
            self.append(run_id=execution.run_id, event_id="run-started", type="run_started", detail={})
            return generation

        def on_end(process: Process) -> None:
            if execution.status != "RUNNING" or execution.phase != "plan":
                return
            if isinstance(process.error, TurnAwaited):
                self._await_turn(execution)
            elif isinstance(process.error, DuplicateRun | RunLocked):
                self._begin_closing(execution, "SKIPPED")
            elif process.error is not None:
                self._again(execution, process.error, self._invoke_plan)
            else:
                execution.generation = process.result
                self._next_group(execution)

        self.start(f"plan {execution.run_id}", work, on_end)

    def _await_turn(self, execution: Execution) -> None:
        execution.phase, execution.turns = "queue", execution.turns + 1
        execution.waiting = {TURN: Waiting(self._token())}
        self._invoke_await_turn(execution)

    def _invoke_await_turn(self, execution: Execution) -> None:
        waiting = execution.waiting[TURN]
        token, order = waiting.token, f"{execution.turns:06d} {waiting.retry:06d}"

        def on_end(process: Process) -> None:
            if process.error is not None and self._holder(token) is not None:
                self._retry(execution, TURN, _error_name(process.error), str(process.error))

        queue = Queue(store=self.control, tasks=self)
        self.start(f"await {execution.run_id}", lambda: queue.wait(execution.run_id, token, order), on_end)

    def _next_group(self, execution: Execution) -> None:
        execution.phase, execution.tries = "stages", 0
        execution.group += 1
        if execution.group == len(self.groups):
            self._invoke_promotion(execution)
            return
        for stage in self.groups[execution.group]:
            execution.waiting[stage] = Waiting(self._token())
            self._invoke_submit(execution, stage)

    def _invoke_submit(self, execution: Execution, stage: str) -> None:
        waiting = execution.waiting[stage]
        token, retry = waiting.token, waiting.retry

        def work() -> JobRow:
            return submit(
                registry=JobRegistry(self.registry_store),
                lock=RunLock(self.control),
                clock=self,
                ledger=self,
                driver=self.drivers[KINDS.get(stage, "TrainingJob")],
                run=execution.run,
                stage=stage,
                slug="demo",
                customization="demo",
                token=token,
                deadline_seconds=DEADLINE,
                requests=requests_of(stage),
                retry=retry,
                tasks=self,
            )

        def on_end(process: Process) -> None:
            if process.error is not None and self._holder(token) is not None:
                self._retry(execution, stage, _error_name(process.error), str(process.error))

        self.start(f"submit {stage} of {execution.run_id}", work, on_end)

    def _invoke_promotion(self, execution: Execution) -> None:
        execution.phase = "promotion"
        target = f"deployment-of-{execution.run_id}"

        def on_end(process: Process) -> None:
            if execution.status != "RUNNING" or execution.phase != "promotion":
                return
            if process.error is not None:
                self._again(execution, process.error, self._invoke_promotion)
            else:
                self._begin_closing(execution, "SUCCEEDED")

        def work() -> str | None:
            return Pointer(self.control).move(execution.run_id, execution.generation, target, now=self.instant)

        self.start(f"promote {execution.run_id}", work, on_end)

    def _begin_closing(self, execution: Execution, status: str) -> None:
        execution.phase, execution.final, execution.tries = "closing", status, 0
        self._invoke_close(execution)

    def _invoke_close(self, execution: Execution) -> None:
        ending = Ending(run_id=execution.run_id, status=execution.final, error=execution.failure)

        def on_end(process: Process) -> None:
            if execution.status != "RUNNING":
                return
            if process.error is None:
                self._end(execution, "FAILED" if execution.final == "FAILED" else "SUCCEEDED")
            elif execution.tries < self.retries:
                execution.tries += 1
                self._invoke_close(execution)
            else:
                self._end(execution, "FAILED")

        self.start(f"close {execution.run_id}", lambda: self.closer.close(ending), on_end)

    def _again(self, execution: Execution, error: BaseException, invoke: Callable[[Execution], None]) -> None:
        if isinstance(error, Killed | TransientServiceError) and execution.tries < self.retries:
            execution.tries += 1
            invoke(execution)
        else:
            self._fail_run(execution, _error_name(error), str(error))

    def _retry(self, execution: Execution, stage: str, error: str, cause: str) -> None:
        waiting = execution.waiting[stage]
        passing = ("Killed", "Lambda.Unknown", "TransientServiceError", "CapacityUnavailable")
        transient = error in passing or (error == "QuotaExceeded" and len(requests_of(stage)) > 1)
        if transient and waiting.retry < self.retries:
            execution.waiting[stage] = Waiting(self._token(), waiting.retry + 1)
            if stage == TURN:
                self._invoke_await_turn(execution)
            else:
                self._invoke_submit(execution, stage)
        else:
            self._fail_run(execution, error, cause)

    def _fail_run(self, execution: Execution, error: str, cause: str) -> None:
        execution.waiting = {}
        execution.failure = {"Error": error, "Cause": cause}
        self._begin_closing(execution, "FAILED")

    def _end(self, execution: Execution, status: str) -> None:
        execution.status, execution.waiting = status, {}
        if status != "SUCCEEDED":
            self.ended_events.append(ended(execution.run_id, status, None, None))

    def _succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        self.sent.setdefault(token, set()).add(canonical(dict(output)))
        holder = self._holder(token)
        if holder is None:
            return False
        execution, stage = holder
        if stage == TURN:
            execution.waiting = {}
            if output["decision"] == TAKEN:
                execution.phase, execution.tries = "plan", 0
                self._invoke_plan(execution)
            else:
                self._begin_closing(execution, "SKIPPED")
            return True
        self.jobs[output["job"]["name"]].in_use = True
        assert self.jobs[output["job"]["name"]].status is JobStatus.COMPLETED
        execution.waiting[stage].done = True
        if all(waiting.done for waiting in execution.waiting.values()):
            execution.waiting = {}
            self._next_group(execution)
        return True

    def _fail(self, token: str, error: str, cause: str) -> bool:
        self.sent.setdefault(token, set()).add(canonical([error, cause]))
        holder = self._holder(token)
        if holder is None:
            return False
        self._retry(*holder, error, cause)
        return True

    def _holder(self, token: str) -> tuple[Execution, str] | None:
        return next(
            (
                (execution, stage)
                for execution in self.executions.values()
                for stage, waiting in execution.waiting.items()
                if waiting.token == token and not waiting.done
            ),
            None,
        )

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    def _watch_lock(self, old: Item | None, new: Item) -> None:
        """Note what a write of the lock breaks of the rules for turns."""
        if new["item"] != "lock":
            return
        before, after = Turns.parse(old), Turns.parse(new)
        made = [each for each in after.holders if before.holder(each.run_id) is None]
        generations = [each.generation for each in made]
        good = generations == list(range(before.generation + 1, after.generation + 1)) and len(made) <= 1
        good &= len(after.holders) <= 1 or self.policy is Concurrency.PARALLEL
        good &= len(after.queue) <= 1 or self.policy is Concurrency.QUEUE
        good &= not after.queue or bool(after.holders)
        live = runs.open_runs(self.control)
        ahead = [each.run_id for each in before.queue if each.run_id in live and each.run_id not in after.dismissed]
        good &= all(each.run_id in (*ahead[:1], *(() if ahead else (each.run_id,))) for each in made)
        if not good:
            self.violations.append(f"{before} became {after}")

    def _watch_row(self, old: Item | None, new: Item) -> None:
        """Note what a write of the registry breaks of the rule for choices."""
        if old is None:
            good = (new["attempt"], new["choice"], new.get("lacking")) == (1, 0, None)
        elif new["attempt"] == old["attempt"]:
            good = all(new.get(name) == old.get(name) for name in _OF_ONE_ATTEMPT)
        else:
            choice, lacking = self._after(old)
            good = (new["attempt"], new["choice"]) == (int(old["attempt"]) + 1, choice)
            good &= new["deadline"] == new["submitted_at"] + DEADLINE
            good &= json.loads(str(new.get("lacking", "[]"))) == lacking
        requests = requests_of(str(new["stage"]))
        good &= new.get("instance_type") == requests[int(new["choice"])].get("type")
        if not good:
            self.violations.append(f"{old} became {new}")

    def _after(self, row: Item) -> tuple[int, list[str]]:
        """Return choice and lacking instances of the attempt that is to follow one: by what became of its job."""
        job = self.jobs.get(str(row["job_name"]))
        error = json.loads(str(row["outcome"]))["error"] if "outcome" in row else job.error if job else ""
        lacking = json.loads(str(row.get("lacking", "[]")))
        if error not in ("CapacityUnavailable", "QuotaExceeded"):
            return int(row["choice"]), lacking
        following = (int(row["choice"]) + 1) % len(requests_of(str(row["stage"])))
        wanted = [f"1 x {row['instance_type']}"] if "instance_type" in row else []
        return following, list(dict.fromkeys([*lacking, *wanted]))

    def note(self) -> None:
        """Remember which runs have ever entered the book."""
        self.entered |= set(runs.open_runs(self.control))


def requests_of(stage: str) -> list[dict[str, str]]:
    """Return what a stage submits: an import has one request, a training job three to choose from."""
    if stage == "import":
        return [{"stage": stage}]
    place = PLACE if KINDS.get(stage) == "PyTorchJob" else {}
    return [{"stage": stage, "type": name, **place} for name in TYPES]


def _ignore_transient(process: Process) -> None:
    error = process.error
    if error is not None and not isinstance(error, Killed | WorkflowError):
        raise error


def _error_name(error: BaseException) -> str:
    if not isinstance(error, Killed | WorkflowError):
        raise error
    return type(error).__name__

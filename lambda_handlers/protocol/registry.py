"""The job registry: one row per stage of a run, which says which job is the stage's and who waits for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from lambda_handlers.jobs.driver import Instances
from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.store import Item, ItemStore, Value

OPEN_MARKER: Final = "open"
HELD_MARKER: Final = "held"
KEPT_SECONDS: Final = 90 * 24 * 3600
"""How long a closed row is kept: longer than the 28 days a training job may run."""


class RowStatus(StrEnum):
    """Where the waiting for a job stands."""

    PENDING = "PENDING"
    """The job is intended; it may or may not have been created."""
    OPEN = "OPEN"
    """The job was created and a state waits for it."""
    CLAIMED = "CLAIMED"
    """The outcome is decided; the waiting state may or may not have been told."""
    STOPPING = "STOPPING"
    """The state was told; the job is still to be brought to its end, or what is left in its place to be removed."""
    CANCELLED = "CANCELLED"
    """The run is over; nobody is told anything and the job is to be brought to its end."""
    HELD = "HELD"
    """The run is over; what its job made cannot be deleted before `held_until`, and nothing is tried until then."""
    CLOSED = "CLOSED"
    """The job has ended and nobody waits for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a waiting state is told: an output, or an error name with its cause."""

    output: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    cause: str = ""

    @property
    def succeeded(self) -> bool:
        """Say whether the job completed."""
        return not self.error


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """Hold everything known about the job of one stage of one run."""

    run_id: str
    stage: str
    kind: str
    job_name: str
    attempt: int
    execution_arn: str
    digest: str
    deadline: int
    """Seconds since the epoch."""
    submission: int
    """Which try of the waiting state the token is of: a late answer of an earlier try must not take its place."""
    submitted_at: int
    """Seconds since the epoch at which the newest submission began."""
    status: RowStatus = RowStatus.PENDING
    token: str = field(default="", repr=False)
    arn: str = ""
    outcome: Outcome | None = None
    delivered: bool | None = None
    """Whether the waiting state took the outcome; None until it was offered."""
    closed_at: int = 0
    version: int = 0
    choice: int = 0
    """Which of the requests given for the stage the job is of, from 0."""
    choices: int = 1
    """How many requests were given."""
    instances: Instances | None = None
    """What the request asks for, where the kind of job names instances."""
    lacking: tuple[str, ...] = ()
    """The instances of earlier attempts that there were none of, each once, in the order of trying."""
    held_until: int = 0
    """When a held row is due, in seconds since the epoch."""
    place: Mapping[str, str] = field(default_factory=dict)
    """Cluster and namespace of a job that stays there, ended or not, until it is removed; empty for other jobs."""
    earlier: tuple[str, ...] = ()
    """The names of earlier attempts at a job with a place: a create call of theirs may still be under way."""
    named: bool = False
    """Whether users chose the job's name, so that other runs make things of the same name."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What the job is made of, by the hash of each part; empty for what no later run may take."""
    origin: str = ""
    """The run that submitted the job, where that is an earlier one, which this run resumes."""

    @property
    def key(self) -> Item:
        """Return the row's key in the table."""
        return {"run_id": self.run_id, "stage": self.stage}

    @property
    def waits(self) -> bool:
        """Say whether the outcome is still undecided."""
        return self.status in (RowStatus.PENDING, RowStatus.OPEN)

    @property
    def rests(self) -> bool:
        """Say whether there is nothing to be done for the row now."""
        return self.status in (RowStatus.HELD, RowStatus.CLOSED)

    def facts(self) -> dict[str, Any]:
        """Return what may be recorded and shown: never the token."""
        facts: dict[str, Any] = {
            "stage": self.stage,
            "kind": self.kind,
            "name": self.job_name,
            "arn": self.arn,
            "attempt": self.attempt,
            "status": str(self.status),
        }
        if self.instances:
            facts |= {"instance_type": self.instances.type, "instance_count": self.instances.count}
        if self.place:
            facts["place"] = dict(self.place)
        if self.choices > 1:
            facts |= {"choice": self.choice + 1, "choices": self.choices}
        if self.origin:
            facts["from_run"] = self.origin
        if self.outcome:
            facts["outcome"] = asdict(self.outcome)
        if self.status is RowStatus.HELD:
            facts["held_until"] = iso(datetime.fromtimestamp(self.held_until, UTC))
        return facts


class JobRegistry:
    """Read and write rows. Every write names the row it replaces, so that no change is made on stale knowledge."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store

    def get(self, run_id: str, stage: str) -> JobRow | None:
        """Return the stage's row, or None."""
        item = self._store.get({"run_id": run_id, "stage": stage})
        return _row(item) if item else None

    def of_run(self, run_id: str) -> list[JobRow]:
        """Return the rows of a run."""
        return [_row(item) for item in self._store.query(run_id)]

    def open_rows(self) -> list[JobRow]:
        """Return every row that does not rest, earliest deadline first; one written a moment ago may be missing."""
        rows = (self._fresh(item) for item in self._store.query_index("open", OPEN_MARKER))
        return [row for row in rows if row and not row.rests]

    def due_rows(self, now: int) -> list[JobRow]:
        """Return the rows that were held until now or earlier."""
        rows = (self._fresh(item) for item in self._store.query_index("open", HELD_MARKER))
        return [row for row in rows if row and row.status is RowStatus.HELD and row.held_until <= now]

    def by_name(self, job_name: str) -> JobRow | None:
        """Return the row whose present job has that name; one written a moment ago may be missing.

        Of a job that a later run has taken over there are several: the one that does not rest, if any, is its own.
        """
        found = [self._fresh(item) for item in self._store.query_index("by-name", job_name)]
        rows = [row for row in found if row and row.job_name == job_name]
        return next((row for row in rows if not row.rests), rows[0] if rows else None)

    def save(self, row: JobRow, *, replacing: JobRow | None) -> JobRow:
        """Write the row if the stored one is still `replacing`; raise ConditionFailed if not."""
        old = None if replacing is None else {"version": replacing.version}
        return _row(self._store.put(_item(row), replacing=old))

    def _fresh(self, item: Item) -> JobRow | None:
        return self.get(str(item["run_id"]), str(item["stage"]))


def _item(row: JobRow) -> Item:
    item: dict[str, Value] = {
        "run_id": row.run_id,
        "stage": row.stage,
        "kind": row.kind,
        "job_name": row.job_name,
        "attempt": row.attempt,
        "execution_arn": row.execution_arn,
        "digest": row.digest,
        "deadline": row.deadline,
        "submission": row.submission,
        "submitted_at": row.submitted_at,
        "status": str(row.status),
        "arn": row.arn,
        "token": row.token,
        "choice": row.choice,
        "choices": row.choices,
    }
    if row.instances:
        item |= {"instance_type": row.instances.type, "instance_count": row.instances.count}
    if row.lacking:
        item["lacking"] = canonical(row.lacking)
    if row.place:
        item["place"] = canonical(dict(row.place))
    if row.earlier:
        item["earlier"] = canonical(row.earlier)
    if row.outcome:
        item["outcome"] = canonical(asdict(row.outcome))
    if row.delivered is not None:
        item["delivered"] = row.delivered
    if row.named:
        item["named"] = True
    if row.inputs:
        item["inputs"] = canonical(dict(row.inputs))
    if row.origin:
        item["origin"] = row.origin
    return {**item, **_life(row)}


def _life(row: JobRow) -> Item:
    # Only a closed row may expire: an open one is all that is known of a job that may run for 28 days.
    if row.status is RowStatus.CLOSED:
        return {"closed_at": row.closed_at, "expires_at": row.closed_at + KEPT_SECONDS}
    if row.status is RowStatus.HELD:
        return {"held_until": row.held_until, "open_marker": HELD_MARKER}
    return {"open_marker": OPEN_MARKER}


def _row(item: Item) -> JobRow:
    outcome = item.get("outcome")
    delivered = item.get("delivered")
    return JobRow(
        run_id=str(item["run_id"]),
        stage=str(item["stage"]),
        kind=str(item["kind"]),
        job_name=str(item["job_name"]),
        attempt=int(item["attempt"]),
        execution_arn=str(item["execution_arn"]),
        digest=str(item["digest"]),
        deadline=int(item["deadline"]),
        submission=int(item["submission"]),
        submitted_at=int(item["submitted_at"]),
        status=RowStatus(str(item["status"])),
        token=str(item["token"]),
        arn=str(item["arn"]),
        outcome=Outcome(**json.loads(str(outcome))) if outcome is not None else None,
        delivered=None if delivered is None else bool(delivered),
        closed_at=int(item.get("closed_at", 0)),
        version=int(item["version"]),
        choice=int(item.get("choice", 0)),
        choices=int(item.get("choices", 1)),
        instances=_instances(item),
        lacking=tuple(json.loads(str(item.get("lacking", "[]")))),
        held_until=int(item.get("held_until", 0)),
        named=bool(item.get("named")),
        place=json.loads(str(item.get("place", "{}"))),
        earlier=tuple(json.loads(str(item.get("earlier", "[]")))),
        inputs=json.loads(str(item.get("inputs", "{}"))),
        origin=str(item.get("origin", "")),
    )


def _instances(item: Item) -> Instances | None:
    if "instance_type" not in item:
        return None
    return Instances(type=str(item["instance_type"]), count=int(item["instance_count"]))

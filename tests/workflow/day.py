"""Some hours in the life of several customizations: random uploads, and random faults while they are worked on."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_handlers.protocol.store import decode
from nova_constructs.emulator import Emulator
from tests.workflow.harness import Workflow, dataset, synthesize_all, until

HOUR = 3600.0
MINUTE = 60.0
PATIENCE = 900.0
"""Real seconds within which everything has to come to rest."""
_FLOORS = {"passes": 0.2, "fails": 0.999}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "full": {"mode": "full"},
    "rejected": {"mode": "full", "gate": "fails"},
    "train": {"mode": "train"},
    "prepare": {"mode": "prepare"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How many hours, which customizations (kind, concurrency), uploads per customization and hour, faults per hour."""

    hours: float
    customizations: Sequence[tuple[str, str]]
    uploads: float
    faults: float
    reconcile_minutes: int = 5


def synthesize(folder: Path, settings: Settings) -> Path:
    """Synthesize the customizations, each in a stack of its own."""
    entries = []
    for number, (kind, concurrency) in enumerate(settings.customizations):
        chosen = KINDS[kind]
        entries.append(
            {
                "name": f"C{number}",
                "concurrency": concurrency,
                "reconcile_interval_minutes": settings.reconcile_minutes,
                "evaluation": [{"task": "mmlu"}],
                "gate": {"criteria": [{"task": "mmlu", "floor": _FLOORS[chosen.get("gate", "passes")]}]},
                "triggers": [{"name": "Data", "on": "dataset", "mode": chosen["mode"]}],
            }
        )
    return synthesize_all(folder, *entries)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A version of an object that was written."""

    customization: int
    key: str
    version: str
    how: str


@dataclass(kw_only=True)
class Day:
    """The customizations, what was uploaded to them, and what each upload became."""

    emulator: Emulator
    settings: Settings
    rng: random.Random
    assembly: Path
    workflows: list[Workflow] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    denied: list[str] = field(default_factory=list)
    _bodies: dict[int, list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [f"C{number}" for number in range(len(self.settings.customizations))]
        self.workflows = [Workflow(self.emulator, self.assembly, f"Nova-{name}", name) for name in names]

    # What happens

    def pass_hours(self, faults: Any) -> None:
        """Let everything happen at its time."""
        clock = self.emulator.clock
        begin = clock.monotonic()
        for at, act in self._timeline(faults):
            clock.sleep(begin + at - clock.monotonic())
            act()

    def _timeline(self, faults: Any) -> list[tuple[float, Any]]:
        """Return what happens at which second: uploads at random, one fault after another, and a tidying each hour."""
        settings, rng = self.settings, self.rng
        end = settings.hours * HOUR
        planned: list[tuple[float, Any]] = [(hour * HOUR, self.forget) for hour in range(1, int(settings.hours) + 1)]
        for number in range(len(settings.customizations)):
            count = round(settings.uploads * settings.hours)
            planned += [(rng.uniform(0, end), lambda number=number: self.upload(number)) for _ in range(count)]
        planned += [(rng.uniform(0, end), faults.inject) for _ in range(round(settings.faults * settings.hours))]
        return sorted(planned, key=lambda each: each[0])

    def upload(self, number: int) -> None:
        """Upload something to a customization, in one of the ways in which people do."""
        known = self._bodies.setdefault(number, [])
        ways = ["one", "one", "burst", "bad", "by hand", *(["again", "again", "over"] if known else [])]
        how = self.rng.choice(ways)
        self.done[how] += 1
        if how == "by hand":
            self._start_by_hand(number)
            return
        body = self.rng.choice(known) if how == "again" else self._body()
        bodies = [self._body() for _ in range(self.rng.randint(3, 12))] if how == "burst" else [body]
        if how == "bad":
            bodies = [b'{"question": "What?"}\n' * 3]
        elif how != "burst":
            known.append(body)
        with self.emulator.clock.busy():
            for each in bodies:
                key = "datasets/again.jsonl" if how == "over" else f"datasets/{self.rng.getrandbits(64):x}.jsonl"
                self._write(number, key, each, how)

    def _body(self) -> bytes:
        return dataset(salt=f"{self.rng.getrandbits(64):x}")

    def _write(self, number: int, key: str, body: bytes, how: str) -> None:
        workflow = self.workflows[number]
        answer = workflow.s3.put_object(Bucket=workflow["IncomingBucketName"], Key=key, Body=body)
        self.uploads.append(Upload(customization=number, key=key, version=answer["VersionId"], how=how))

    def _start_by_hand(self, number: int) -> None:
        workflow, key = self.workflows[number], f"uploads/{uuid.uuid4().hex}.jsonl"
        workflow.put("IncomingBucketName", key, self._body())
        try:
            workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/{key}", mode="prepare")
        except (ClientError, BotoCoreError):
            self.done["by hand, answer lost"] += 1

    def forget(self) -> None:
        """Look at what was denied, and let go of what was recorded for those who look at it."""
        self.denied += [
            f"{call.role_name} {call.action} {call.resource}"
            for call in self.emulator.calls.denied()
            # So S3 tells that a job's output is not there to a function that may not list the bucket.
            if not (call.action == "s3:ListBucket" and "ResolveCheckpoint" in call.role_name)
        ]
        self.emulator.calls.clear()
        self.emulator.deliveries.clear()
        now, struck = self.emulator.clock.now(), sum(self.emulator.faults.fired.values())
        print(f"{now:%d. %H:%M} {len(self.uploads)} uploads, {struck} faults have struck", flush=True)

    # In the end

    def come_to_rest(self) -> None:
        """Wait until nothing is under way, with what lies in the dead-letter queues handed over again as docs say."""
        for workflow in self.workflows:
            # What a fault holds back, that others may overtake it, comes with the next event.
            workflow.put("IncomingBucketName", "uploads/last.jsonl", b"")
        for number in range(len(self.workflows)):
            until(lambda number=number: self._rests(number), lambda: str(self.unfinished()), PATIENCE)
        self.forget()

    def _rests(self, number: int) -> bool | None:
        """Return True once everything was told of and nothing is under way; else let some time pass and return None."""
        self.done["redelivered"] += self._redeliver(self.workflows[number])
        told = {json.loads(str(item["facts"]))["event"] for item in self.arrivals(number) if "facts" in item}
        missing = {each.version for each in self.uploads if each.customization == number} - told
        if missing or self.unfinished(number):
            self.emulator.clock.sleep(5 * MINUTE)
            return None
        return True

    def unfinished(self, *numbers: int) -> dict[str, Any]:
        """Return what is still under way, by customization; nothing in the end."""
        found = {}
        for number in numbers or range(len(self.workflows)):
            workflow = self.workflows[number]
            left = {
                "waiting": [item["arrival"] for item in self.arrivals(number) if "waiting_marker" in item],
                "running": [each["name"] for each in self.executions(workflow, "RUNNING")],
                "holding": workflow.lock_holders(),
                "open": workflow.open_rows(),
            }
            if any(left.values()):
                found[workflow.name] = {name: value for name, value in left.items() if value}
        return found

    def _redeliver(self, workflow: Workflow) -> int:
        """Call functions again with what they failed at, or with what could not be brought to them."""
        queue, url, count = self.emulator.client("sqs"), workflow["UndeliveredQueueUrl"], 0
        asked = {"QueueUrl": url, "MessageAttributeNames": ["All"]}
        while letters := queue.receive_message(**asked).get("Messages"):
            for letter in letters:
                told = json.loads(letter["Body"])
                arn, payload = letter.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue"), told
                if arn is None:
                    arn, payload = told["requestContext"]["functionArn"], told["requestPayload"]
                self.emulator.client("lambda").invoke(
                    FunctionName=arn.removesuffix(":$LATEST"), InvocationType="Event", Payload=json.dumps(payload)
                )
                queue.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
                count += 1
        return count

    def arrivals(self, number: int) -> list[Mapping[str, Any]]:
        """Return every item of the table of arrivals."""
        table = self.workflows[number]["ArrivalsTableName"]
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [decode(item) for page in pages for item in page["Items"]]

    def executions(self, workflow: Workflow, *status: str) -> list[Mapping[str, Any]]:
        """Return the executions of a customization."""
        asked = {"stateMachineArn": workflow["StateMachineArn"], **({"statusFilter": status[0]} if status else {})}
        pages = workflow.states.get_paginator("list_executions").paginate(**asked)
        return [each for page in pages for each in page["executions"]]

    def live_jobs(self) -> list[str]:
        """Return the jobs, imports and deployments that are under way."""
        pages = self.emulator.client("sagemaker").get_paginator("list_training_jobs").paginate()
        jobs = [each for page in pages for each in page["TrainingJobSummaries"]]
        bedrock = self.emulator.client("bedrock")
        models = bedrock.list_custom_models(maxResults=1000)["modelSummaries"]
        served = bedrock.list_custom_model_deployments(maxResults=1000)["modelDeploymentSummaries"]
        return [
            *(each["TrainingJobName"] for each in jobs if each["TrainingJobStatus"] in ("InProgress", "Stopping")),
            *(each["modelName"] for each in models if each["modelStatus"] == "Creating"),
            *(each["customModelDeploymentName"] for each in served if each["status"] == "Creating"),
        ]

    def outcomes(self) -> Counter[str]:
        """Return how many uploads ended how; raise AssertionError for one that is not accounted for."""
        found: Counter[str] = Counter()
        for number in range(len(self.workflows)):
            accounts = Accounts(self, number)
            found.update(accounts.of(each) for each in self.uploads if each.customization == number)
        return found


class Accounts:
    """What the uploads of one customization became."""

    def __init__(self, day: Day, number: int) -> None:
        self._workflow = day.workflows[number]
        items = [item for item in day.arrivals(number) if "facts" in item]
        self._arrivals = {json.loads(str(item["facts"]))["event"]: item for item in items}
        self._executions = {str(each["name"]): each for each in day.executions(self._workflow)}
        self._versions = {name: set(self._listed(each)) for name, each in self._executions.items()}

    def of(self, upload: Upload) -> str:
        """Return what became of an upload, and assert that its run says so."""
        item = self._arrivals.get(upload.version)
        assert item is not None, f"{upload} was never told of"
        worked = [name for name in self._runs_over(upload) if not self._output(name).get("turned_away")]
        if item["status"] == "SUPERSEDED":
            assert worked == [], (upload, worked)
            return "superseded by a newer version"
        assert (item["status"], worked) == ("STARTED", [item["run"]]), (upload, dict(item), worked)
        return self._end(str(item["run"]))

    def _end(self, run: str) -> str:
        merged = ", merged" if len(self._versions[run]) > 1 else ""
        record = self._workflow.record(run)
        status = str(record["status"])
        assert record["ledger"][-1]["type"] == "run_closed", (run, status)
        if self._executions[run]["status"] == "SUCCEEDED":
            assert self._output(run)["status"] == status, (run, status)
        if status == "SKIPPED":
            known = re.findall(r"[Rr]un (\S+) (?:has already succeeded|is in progress with)", str(record["cause"]))
            assert {*known} & {*self._executions}, (run, record["cause"])
        elif status not in ("SUCCEEDED", "REJECTED"):
            assert status in ("FAILED", "ABORTED", "TIMED_OUT"), (run, status)
            assert record["error"], run
            status = f"{status} ({record['error']})"
        return f"{status}{merged}"

    def _output(self, run: str) -> Mapping[str, Any]:
        described = self._workflow.describe(self._executions[run]["executionArn"])
        found: Mapping[str, Any] = json.loads(described.get("output") or "{}")
        return found

    def _runs_over(self, upload: Upload) -> Iterator[str]:
        return (name for name, versions in self._versions.items() if upload.version in versions)

    def _listed(self, execution: Mapping[str, Any]) -> Iterator[str]:
        given = json.loads(self._workflow.describe(execution["executionArn"])["input"]).get("dataset")
        if isinstance(given, dict) and "objects_uri" in given:
            bucket, key = given["objects_uri"].removeprefix("s3://").split("/", 1)
            listed = json.loads(self._workflow.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            yield from (each["version_id"] for each in listed)
        elif isinstance(given, dict) and given.get("version_id"):
            yield given["version_id"]

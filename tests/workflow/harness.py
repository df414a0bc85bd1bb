"""Runs the synthesized template on the emulator: the real state machine, functions and policies."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lambda_handlers.protocol.registry import OPEN_MARKER
from lambda_handlers.protocol.store import decode
from lambda_handlers.protocol.turns import Turns
from nova_constructs.app import build
from nova_constructs.emulator import Emulator

ENTRY: dict[str, Any] = {
    "name": "Demo",
    "model": "NOVA_LITE_2",
    "method": "SFT_LORA",
    "platform": {
        "type": "SMTJ",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
        # Short, so that a job that never ends costs a test seconds.
        "max_runtime_hours": 6,
        "max_pending_hours": 1,
    },
    "data": {"columns": {"question": "question", "answer": "answer"}},
    "evaluation": [{"task": "mmlu"}, {"task": "gen_qa", "dataset": "evaluation/gen_qa.jsonl"}],
    "gate": {"criteria": [{"task": "mmlu", "floor": 0.2}]},
    "deployment": {"target": "BEDROCK_OD"},
    "removal_policy": "destroy",
}
SPEED = 3600.0
OPEN = {"S": OPEN_MARKER}
# Generous: how long a busy machine may take decides nothing here.
PATIENCE = 480.0


def synthesize(folder: Path, **changes: Any) -> Path:
    """Synthesize one customization and return its cloud assembly."""
    folder.mkdir(parents=True, exist_ok=True)
    return synthesize_all(folder, changes)


def synthesize_all(folder: Path, *entries: dict[str, Any]) -> Path:
    """Synthesize several customizations, each given by what it changes."""
    settings = folder / "customizations.yaml"
    settings.write_text(yaml.safe_dump({"customizations": [{**ENTRY, **changes} for changes in entries]}))
    build(settings, str(folder / "out")).synth()
    return folder / "out"


class Workflow:
    """A deployed customization: starts runs and looks at what they left."""

    def __init__(self, emulator: Emulator, assembly: Path, stack: str | None = None, name: str = "Demo") -> None:
        self.emulator = emulator
        self.name = name
        self.assembly = assembly
        self.stack = emulator.deploy(assembly, stack)
        self.states = emulator.client("stepfunctions")
        self.s3 = emulator.client("s3")
        gold = [{"query": f"What is {n} plus {n}?", "response": str(2 * n)} for n in range(20)]
        self.put("IncomingBucketName", "evaluation/gen_qa.jsonl", jsonl(gold))

    def __getitem__(self, output: str) -> str:
        return self.stack.outputs[f"{self.name}{output}"]

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self[bucket], Key=key, Body=body)

    def upload(self, body: bytes | None = None) -> str:
        """Upload a dataset that no run has seen, and return the ARN of the execution that it starts."""
        key = f"datasets/{uuid.uuid4().hex}.jsonl"
        self.put("IncomingBucketName", key, body if body is not None else dataset(salt=key))
        return until(lambda: self._started_by(key), f"an execution for {key}")

    def burst(self, bodies: list[bytes], prefix: str = "datasets/") -> list[str]:
        """Upload datasets in one burst, within which no simulated time passes but that of the calls."""
        keys = [f"{prefix}{uuid.uuid4().hex}.jsonl" for _ in bodies]
        with self.emulator.clock.busy():
            for key, body in zip(keys, bodies, strict=True):
                self.put("IncomingBucketName", key, body)
        return keys

    def started_by(self, trigger: str) -> list[dict[str, Any]]:
        """Return the executions that a trigger started, the oldest first: `arn` and what their input has."""
        listed = self.states.list_executions(stateMachineArn=self["StateMachineArn"], maxResults=1000)["executions"]
        found = [
            {"arn": each["executionArn"], **json.loads(self.describe(each["executionArn"])["input"])} for each in listed
        ]
        return [each for each in reversed(found) if each.get("trigger", {}).get("name") == trigger]

    def _started_by(self, key: str) -> str | None:
        found = self.states.list_executions(stateMachineArn=self["StateMachineArn"])["executions"]
        for execution in found:
            if key in self.describe(execution["executionArn"])["input"]:
                return str(execution["executionArn"])
        return None

    def start(self, **request: Any) -> str:
        """Start a run by hand."""
        started = self.states.start_execution(stateMachineArn=self["StateMachineArn"], input=json.dumps(request))
        return str(started["executionArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        return dict(self.states.describe_execution(executionArn=arn))

    def finish(self, arn: str) -> dict[str, Any]:
        """Wait for an execution to end, with the diagnosis at hand when it does not."""
        return until(
            lambda: self._ended(arn), lambda: f"the end of {arn}; it entered {self.path(arn)}", PATIENCE, every=0.2
        )

    def _ended(self, arn: str) -> dict[str, Any] | None:
        found = self.describe(arn)
        return None if found["status"] == "RUNNING" else found

    def run(self, body: bytes | None = None) -> dict[str, Any]:
        """Upload a dataset and wait for its run to end."""
        return self.finish(self.upload(body))

    def history(self, arn: str) -> list[dict[str, Any]]:
        return list(self.states.get_execution_history(executionArn=arn, maxResults=1000)["events"])

    def path(self, arn: str) -> list[str]:
        """Return the states that an execution entered, in order."""
        return [e["stateEnteredEventDetails"]["name"] for e in self.history(arn) if "stateEnteredEventDetails" in e]

    def reach(self, arn: str, state: str) -> None:
        """Wait until an execution has entered a state."""
        until(lambda: state in self.path(arn) or None, f"state {state}")

    def record(self, run_id: str) -> dict[str, Any]:
        """Return the record of a run, waiting for it to be written."""
        return until(
            lambda: self._object("AuditBucketName", f"runs/{run_id}/record.json"), f"the record of {run_id}", every=0.2
        )

    def _object(self, bucket: str, key: str) -> Any:
        try:
            return json.loads(self.s3.get_object(Bucket=self[bucket], Key=key)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def events(self, run_id: str) -> list[str]:
        """Return the types of the ledger events of a run."""
        return [event["type"] for event in self.record(run_id)["ledger"]]

    def jobs(self) -> dict[str, str]:
        """Return the status of every training job by name."""
        found = self.emulator.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
        return {job["TrainingJobName"]: job["TrainingJobStatus"] for job in found}

    def live_jobs(self) -> list[str]:
        return [name for name, status in self.jobs().items() if status in {"InProgress", "Stopping"}]

    def nothing_left_running(self) -> None:
        """Assert, within a reconciler round, that no job lives, no row is open and nobody holds the lock."""
        until(lambda: not self.live_jobs() or None, lambda: f"the end of jobs {self.live_jobs()}", every=0.2)
        until(lambda: not self.open_rows() or None, lambda: f"the closing of {self.open_rows()}", every=0.2)
        until(
            lambda: not self.lock_holders() or None,
            lambda: f"the release of the lock by {self.lock_holders()}",
            every=0.2,
        )

    def open_rows(self) -> list[str]:
        rows = self.emulator.client("dynamodb").query(
            TableName=self["JobRegistryTableName"],
            IndexName="open",
            KeyConditionExpression="open_marker = :open",
            ExpressionAttributeValues={":open": OPEN},
        )["Items"]
        return [f"{row['run_id']['S']}/{row['stage']['S']}" for row in rows]

    def lock_holders(self) -> list[str]:
        """Return the runs that hold the lock, then those that wait for it."""
        found = self.emulator.client("dynamodb").get_item(
            TableName=self["RunControlTableName"], Key={"item": {"S": "lock"}}
        )
        turns = Turns.parse(decode(found["Item"]) if "Item" in found else None)
        return [each.run_id for each in (*turns.holders, *turns.queue)]

    def pointer(self) -> str | None:
        client = self.emulator.client("ssm")
        try:
            return str(client.get_parameter(Name=self["PointerParameterName"])["Parameter"]["Value"])
        except client.exceptions.ParameterNotFound:
            return None


def until(
    ask: Callable[[], Any], what: str | Callable[[], str], patience: float = PATIENCE / 2, *, every: float = 0.05
) -> Any:
    """Ask every so many real seconds until there is an answer that is not None."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = ask()
        if found is not None:
            return found
        time.sleep(every)
    raise AssertionError(f"waited {patience:g} s in vain for {what if isinstance(what, str) else what()}")


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def dataset(rows: int = 40, salt: str = "") -> bytes:
    return jsonl([{"question": f"{salt} What is {n} times {n}?", "answer": f"It is {n * n}."} for n in range(rows)])

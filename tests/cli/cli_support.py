"""Recorded answers of AWS, served through the few client methods that the command line calls."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Support"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:Support"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str


Nova = Callable[..., Ran]


def at(seconds: float) -> datetime:
    """Return an instant some seconds after the start of the recording."""
    return START + timedelta(seconds=seconds)


def stack(name: str = "NovaSupport", *prefixes: str) -> dict[str, Any]:
    """Return a described stack with the outputs of each customization."""
    suffixes = {
        "StateMachineArn": MACHINE,
        "RunLedgerTableName": "ledger",
        "JobRegistryTableName": "registry",
        "AuditBucketName": "audit",
        "IncomingBucketName": "incoming",
        "ArtifactsBucketName": "artifacts",
    }
    outputs = [
        {"OutputKey": prefix + suffix, "OutputValue": value}
        for prefix in prefixes or ("Support",)
        for suffix, value in suffixes.items()
    ]
    return {"StackName": name, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}


def execution(run_id: str, status: str, *, output: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a described execution."""
    described: dict[str, Any] = {
        "executionArn": f"{EXECUTION}:{run_id}",
        "stateMachineArn": MACHINE,
        "name": run_id,
        "status": status,
        "startDate": START,
        **more,
    }
    if status != "RUNNING":
        described["stopDate"] = at(4000)
    if output is not None:
        described["output"] = json.dumps(output)
    return described


class ClientError(Exception):
    """Stands for the modelled exceptions of a client."""


class _Exceptions:
    ExecutionDoesNotExist = type("ExecutionDoesNotExist", (ClientError,), {})
    InvalidArn = type("InvalidArn", (ClientError,), {})
    NoSuchKey = type("NoSuchKey", (ClientError,), {})


class _Paginator:
    def __init__(self, page: Mapping[str, Any], requests: list[dict[str, Any]]) -> None:
        self._page = page
        self._requests = requests

    def paginate(self, **request: Any) -> Sequence[Mapping[str, Any]]:
        self._requests.append(request)
        return [self._page]


class FakeAws:
    """An account with stacks, executions and records; every change asked for is in `calls`, every list in `reads`."""

    exceptions = _Exceptions

    def __init__(self, *stacks: Mapping[str, Any]) -> None:
        self.stacks = list(stacks) or [stack()]
        self.executions: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.records: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.reads: dict[str, list[dict[str, Any]]] = {}

    def client(self, service: str) -> FakeAws:
        return self

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        from botocore.exceptions import ClientError as BotoError

        found = [one for one in self.stacks if one["StackName"] == StackName]
        if not found:
            answer = {"Error": {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}}
            raise BotoError(answer, "DescribeStacks")
        return {"Stacks": found}

    def get_paginator(self, operation: str) -> _Paginator:
        pages: dict[str, dict[str, Any]] = {
            "describe_stacks": {"Stacks": self.stacks},
            "list_executions": {"executions": [_listed(one) for one in self.executions.values()]},
            "get_execution_history": {"events": self.events},
            "query": {"Items": self.rows},
        }
        return _Paginator(pages[operation], self.reads.setdefault(operation, []))

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        run_id = executionArn.rsplit(":", 1)[1]
        if run_id not in self.executions:
            raise self.exceptions.ExecutionDoesNotExist
        return self.executions[run_id]

    def start_execution(self, **request: Any) -> dict[str, Any]:
        self.calls.append(("start_execution", request))
        self.executions[request["name"]] = execution(request["name"], "RUNNING")
        return {"executionArn": f"{EXECUTION}:{request['name']}", "startDate": START}

    def stop_execution(self, **request: Any) -> dict[str, Any]:
        self.calls.append(("stop_execution", request))
        run_id = request["executionArn"].rsplit(":", 1)[1]
        self.executions[run_id] = execution(run_id, "ABORTED", error=request["error"], cause=request["cause"])
        return {"stopDate": at(4000)}

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.calls.append(("upload_file", {"path": path, "bucket": bucket, "key": key}))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.records:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(json.dumps(self.records[Key]).encode())}

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803
        return {"TrainingJobName": TrainingJobName, "SecondaryStatus": "Downloading"}


def _listed(described: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key not in {"output", "error", "cause"}}

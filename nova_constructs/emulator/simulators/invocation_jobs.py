"""Amazon Bedrock's batch inference jobs: records from S3, answers to S3 in another order, and the events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from nova_constructs.emulator.simulators.acting import AccessRefusedError, ActingService
from nova_constructs.emulator.simulators.answering import answer_of_base
from nova_constructs.emulator.simulators.background import Background
from nova_constructs.emulator.simulators.checkpoints import split_uri
from nova_constructs.emulator.simulators.idempotency import ClientTokens
from nova_constructs.emulator.simulators.operations import Parameters, aws_error
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store, as_tags

STATE_CHANGE: Final = "Batch Inference Job State Change"
_PRINCIPAL: Final = "bedrock.amazonaws.com"
_FEWEST: Final = 100
_RUNNING: Final = ("Submitted", "InProgress")
_STOPPING_SECONDS: Final = 60.0
_UNKNOWN: Final = ("custom-model-deployment", "provisioned-model", "custom-model/")


@dataclass(slots=True, kw_only=True)
class InvocationJob:
    """A batch inference job; `status` holds the API's values."""

    arn: str
    name: str
    request: Mapping[str, Any] = field(repr=False)
    created: datetime
    tags: dict[str, str]
    status: str = "Submitted"
    message: str | None = None
    modified: datetime | None = None
    ended: datetime | None = None

    def described(self) -> dict[str, Any]:
        """Return what GetModelInvocationJob answers, and ListModelInvocationJobs of each."""
        names = ("modelId", "roleArn", "inputDataConfig", "outputDataConfig", "timeoutDurationInHours")
        shown = {
            **{name: self.request.get(name) for name in names},
            "jobArn": self.arn,
            "jobName": self.name,
            "status": self.status,
            "message": self.message,
            "submitTime": self.created,
            "lastModifiedTime": self.modified or self.created,
            "endTime": self.ended,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def event_detail(self, account: str) -> dict[str, Any]:
        """Return the detail of a state-change event (EventBridge guide, Amazon Bedrock)."""
        return {
            "version": "0.0",
            "accountId": account,
            "batchJobName": self.name,
            "batchJobArn": self.arn,
            "batchModelId": self.request["modelId"],
            "status": self.status,
            "failureMessage": self.message or "",
            "creationTime": self.created.isoformat(),
        }


class InvocationJobs:
    """The operations on batch inference jobs of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store
        self._background = Background(state, store)
        self._tokens = ClientTokens()

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Check a request, keep the job as Submitted, and answer its records some simulated time later."""
        hours = parameters.get("timeoutDurationInHours", 24)
        if not 24 <= hours <= 168:
            raise aws_error("ValidationException", "timeoutDurationInHours has to be 24 to 168.")
        if any(kind in parameters["modelId"] for kind in _UNKNOWN):
            raise aws_error("ValidationException", f"{parameters['modelId']} is not supported for batch inference.")
        arn = f"arn:aws:bedrock:{self._state.region}:{self._state.account}:model-invocation-job/{uuid4().hex[:12]}"
        service = self._service(parameters["roleArn"], arn)
        with self._store.lock:
            if known := self._tokens.arn_of(parameters, self._store.invocations):
                return {"jobArn": known}
            if any(each.name == parameters["jobName"] for each in self._store.invocations.values()):
                raise aws_error("ConflictException", f"The job name {parameters['jobName']} is already in use.")
            job = InvocationJob(
                arn=arn,
                name=parameters["jobName"],
                request=parameters,
                created=self._state.clock.now(),
                tags=as_tags(parameters.get("tags"), "key", "value"),
            )
            self._store.invocations[arn] = job
            self._tokens.remember(parameters, arn)
        seconds = settings_for(self._state.simulation, parameters).evaluation_seconds
        if self._state.faults.applies("never_finish", job.name, job.tags):
            seconds = timedelta(hours=hours).total_seconds()
            self._background.after(seconds, lambda: self._settle(job, "Expired"), name=f"batch-{job.name}")
        else:
            self._background.after(seconds, lambda: self._answer(job, service), name=f"batch-{job.name}")
        return {"jobArn": arn}

    def get(self, parameters: Parameters) -> dict[str, Any]:
        """Answer GetModelInvocationJob."""
        with self._store.lock:
            return self._find(parameters).described()

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListModelInvocationJobs with its filters, newest first unless asked otherwise."""
        name, status = parameters.get("nameContains", ""), parameters.get("statusEquals")
        with self._store.lock:
            kept = self._store.invocations.values()
            found = [job.described() for job in kept if name in job.name and status in (None, job.status)]
        found.sort(key=lambda job: job["submitTime"], reverse=parameters.get("sortOrder") != "Ascending")
        shown, token = page(found, parameters.get("nextToken"), int(parameters.get("maxResults") or 1000))
        answer: dict[str, Any] = {"invocationJobSummaries": [*shown]}
        return answer | ({"nextToken": token} if token else {})

    def stop(self, parameters: Parameters) -> None:
        """Begin to stop a job; one that has ended is refused."""
        with self._store.lock:
            job = self._find(parameters)
            if job.status == "Stopping":
                return
            if job.status not in _RUNNING:
                raise aws_error("ConflictException", f"The job {job.arn} is {job.status}.")
            job.status = "Stopping"
        self._background.after(_STOPPING_SECONDS, lambda: self._settle(job, "Stopped"), name=f"stop-{job.name}")

    def _find(self, parameters: Parameters) -> InvocationJob:
        found = self._store.invocations.get(parameters["jobIdentifier"])
        if found is None:
            raise aws_error("ResourceNotFoundException", f"The job {parameters['jobIdentifier']} was not found.")
        return found

    def _service(self, role_arn: str, arn: str) -> ActingService:
        service = ActingService(self._state, role_arn=role_arn, service_principal=_PRINCIPAL, source_arn=arn)
        try:
            service.assume()
        except AccessRefusedError as error:
            raise aws_error("ValidationException", f"Could not assume the provided role {role_arn}.") from error
        return service

    def _answer(self, job: InvocationJob, service: ActingService) -> None:
        if job.status not in _RUNNING:
            return
        reason = self._state.faults.reason("fail_job", job.name, job.tags)
        if reason is not None:
            self._settle(job, "Failed", reason)
            return
        try:
            records = _read(service, job.request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
            if len(records) < _FEWEST:
                self._settle(job, "Failed", f"Batch job contains less records ({len(records)}) than the required 100")
                return
            failing = self._state.faults.reason("fail_record", job.name, job.tags)
            _write(service, job, records, failing)
        except AccessRefusedError as error:
            self._settle(job, "Failed", str(error))
            return
        self._settle(job, "Completed" if failing is None else "PartiallyCompleted")

    def _settle(self, job: InvocationJob, status: str, message: str | None = None) -> None:
        with self._store.lock:
            if job.status not in (*_RUNNING, "Stopping"):
                return
            job.status, job.message = status, message
            job.ended = job.modified = self._state.clock.now()
            detail = job.event_detail(self._state.account)
        self._state.put_service_event("aws.bedrock", STATE_CHANGE, detail, [job.arn])


def _read(service: ActingService, uri: str) -> list[dict[str, Any]]:
    bucket, key = split_uri(uri)
    found = service.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=key).get("Contents", [])
    bodies = [service.call("s3", "GetObject", Bucket=bucket, Key=each["Key"])["Body"].read() for each in found]
    return [json.loads(line) for body in bodies for line in body.splitlines() if line]


def _write(service: ActingService, job: InvocationJob, records: list[dict[str, Any]], failing: str | None) -> None:
    """Write the answers, the last record first: the service promises no order; the first has an error if told so."""
    given = job.request["outputDataConfig"]["s3OutputDataConfig"]
    bucket, prefix = split_uri(given["s3Uri"])
    folder = f"{prefix.rstrip('/')}/{job.arn.rsplit('/', 1)[-1]}"
    name = job.request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].rsplit("/", 1)[-1]
    lines = [_answered(record) for record in reversed(records)]
    if failing is not None:
        lines[-1] = {**records[0], "error": {"errorCode": 400, "errorMessage": failing}}
    counts = {"totalRecordCount": len(records), "errorRecordCount": int(failing is not None)}
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": given["s3EncryptionKeyId"]}
    more = encrypted if given.get("s3EncryptionKeyId") else {}
    for file, body in {f"{name}.out": _lines(lines), "manifest.json.out": _lines([counts])}.items():
        service.call("s3", "PutObject", Bucket=bucket, Key=f"{folder}/{file}", Body=body, **more)


def _answered(record: Mapping[str, Any]) -> dict[str, Any]:
    question = record["modelInput"]["messages"][-1]["content"][-1]["text"]
    message = {"role": "assistant", "content": [{"text": answer_of_base(question)}]}
    return {**record, "modelOutput": {"output": {"message": message}, "stopReason": "end_turn"}}


def _lines(documents: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)

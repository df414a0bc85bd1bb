"""The paths through the workflow that prove its permissions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.workflow.harness import ENTRY, Workflow, until

EVENT = "SageMaker Training Job State Change"
PLATFORM = ENTRY["platform"]
PHOTOS = "nova-test-photos"
"""A bucket from which the customization may read media."""
RESULTS = "nova-test-results"
"""A bucket that results of batch inference may go to."""
ANSWERED = "uploads/answered.jsonl"
"""The rows that batch inference answers in every whole run."""
GROUP = "Nova-Test-Models"
"""A model package group that mode deploy may import from."""
MODEL_KEY = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
"""The KMS key that encrypts the models."""
NO_SERVER = "https://127.0.0.1:9"
"""Where no MLflow server listens."""
MORE = "uploads/more.jsonl"
"""The data of the further training stage, which every run needs."""


def success(workflow: Workflow) -> None:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["status"] == "SUCCEEDED"


def started_by_hand(workflow: Workflow) -> None:
    """A run whose input names no version, so that the plan has to find it."""
    workflow.put("IncomingBucketName", "uploads/by-hand.jsonl", dataset_of("by hand"))
    arn = workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/by-hand.jsonl")
    assert workflow.finish(arn)["status"] == "SUCCEEDED"


def dry_run(workflow: Workflow) -> None:
    workflow.put("IncomingBucketName", "uploads/dry.jsonl", dataset_of("dry"))
    ended = workflow.finish(
        workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/dry.jsonl", dry_run=True)
    )
    assert json.loads(ended["output"])["status"] == "DRY_RUN"


def later_runs(workflow: Workflow) -> None:
    """A run that trains on from an earlier one, and an evaluation of what it left."""
    place = f"s3://{workflow['IncomingBucketName']}/uploads"
    for name in ("earlier", "later"):
        workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    first = workflow.finish(workflow.start(dataset=f"{place}/earlier.jsonl", mode="train"))
    second = workflow.finish(workflow.start(dataset=f"{place}/later.jsonl", mode="train", base_run=first["name"]))
    measured = workflow.finish(workflow.start(mode="evaluate", base_run=second["name"]))
    for ended in (first, second, measured):
        assert ended["status"] == "SUCCEEDED", ended.get("cause")


def batch_inference(output: str | None) -> Callable[[Workflow], None]:
    """Return the path of a run that has the base model answer rows; by default its results stay beside it."""

    def take(workflow: Workflow) -> None:
        if output:
            workflow.s3.create_bucket(Bucket=RESULTS)
        asked = _answering(workflow, "a" if output else "b") | ({"output": output} if output else {})
        ended = workflow.finish(workflow.start(**asked))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")

    return take


def batch_inference_interrupted(output: str | None) -> Callable[[Workflow], None]:
    """Return the path on which results take several parts, and their upload cannot be completed."""

    def take(workflow: Workflow) -> None:
        asked = _answering(workflow, "x" * 1_000_000) | ({"output": output} if output else {})
        arn = workflow.start(**asked)
        workflow.reach(arn, "AnswerRows")
        workflow.emulator.faults.error("s3", "CompleteMultipartUpload", "InvalidPart", "a part is missing", times=None)
        assert workflow.finish(arn)["status"] == "FAILED"
        closed(workflow, arn)

    return take


def _answering(workflow: Workflow, text: str) -> dict[str, Any]:
    rows = [{"question": f"{n}?", "answer": text, "metadata": text} for n in range(8)]
    workflow.put("IncomingBucketName", "uploads/answer.jsonl", "\n".join(map(json.dumps, rows)).encode())
    place = f"s3://{workflow['IncomingBucketName']}/uploads/answer.jsonl"
    return {"mode": "batch_inference", "model": "base", "dataset": place, "force": True}


def rolled_back(workflow: Workflow) -> None:
    """Two promotions, of which somebody takes the later one back; the canary has asked in between."""
    success(workflow)
    success(workflow)
    metrics = workflow.emulator.client("cloudwatch")
    until(lambda: metrics.list_metrics(Namespace="NovaConstructs")["Metrics"] or None, "the metrics of the canary")
    before = workflow.pointer()
    asked = json.dumps({"action": "ROLL_BACK", "reason": "it stammers", "claim": "arn:aws:iam::123456789012:user/me"})
    answer = workflow.emulator.client("lambda").invoke(FunctionName=workflow["RollBackFunctionName"], Payload=asked)
    told = json.loads(answer["Payload"].read())
    assert (told["status"], told["withdrawn"]) == ("ROLLED_BACK", before), told
    assert workflow.pointer() == told["live"]["arn"]


def server_not_reached(workflow: Workflow) -> None:
    """The plan has a function in the VPC of the jobs ask their MLflow server, which does not answer."""
    ended = workflow.run()
    assert ended["status"] == "FAILED"
    assert f"The MLflow server {NO_SERVER} is not reached from the VPC of the jobs" in ended["cause"]


def dataset_of(salt: str) -> bytes:
    rows = [{"question": f"{salt}: what is {n} plus one?", "answer": str(n + 1)} for n in range(20)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def folder(workflow: Workflow) -> None:
    """A run over all objects of a folder."""
    for number in range(2):
        workflow.put("IncomingBucketName", f"uploads/folder/{number}.jsonl", dataset_of(f"folder {number}"))
    arn = workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/folder/")
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["rows"]["in"] == 40


def burst(workflow: Workflow) -> None:
    """More objects at once than one run takes: two in the first run, the last one in a second when that has ended."""
    before = len(workflow.started_by("Data"))
    workflow.burst([dataset_of(f"burst {number}") for number in range(3)])
    until(lambda: len(workflow.started_by("Data")) == before + 2 or None, "the run over the rest")
    runs = workflow.started_by("Data")[before:]
    assert [run["trigger"]["count"] for run in runs] == [2, 1]
    for run in runs:
        assert workflow.finish(run["arn"])["status"] == "SUCCEEDED"


def intake_fails(workflow: Workflow) -> None:
    """The function that receives triggers fails until the event is in the dead-letter queue, and is sent again."""
    workflow.emulator.faults.crash_function("TriggersReceive", times=3)
    (key,) = workflow.burst([dataset_of("failed intake")])
    queue, url = workflow.emulator.client("sqs"), workflow["UndeliveredQueueUrl"]
    (message,) = until(lambda: queue.receive_message(QueueUrl=url).get("Messages"), "the failed call")
    queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    failed_call = json.loads(message["Body"])
    workflow.emulator.client("lambda").invoke(
        FunctionName=failed_call["requestContext"]["functionArn"].removesuffix(":$LATEST"),
        Payload=json.dumps(failed_call["requestPayload"]),
    )
    (started,) = until(
        lambda: [each for each in workflow.started_by("Data") if each["dataset"].get("uri", "").endswith(key)] or None,
        "the run that was not lost",
    )
    assert workflow.finish(started["arn"])["status"] == "SUCCEEDED"


def rows_of_size(salt: str, *, good: int, faulty: int) -> bytes:
    """Return rows of 4 KB, among which the faulty ones, of 900 KB, are spread in the middle."""
    text, filler = "word " * 400, "x" * 900_000
    kept = [json.dumps({"question": f"{salt} {n}? {text}", "answer": text}) for n in range(good)]
    refused = [json.dumps({"question": "", "answer": filler}) for _ in range(faulty)]
    return "\n".join(kept[: good // 2] + refused + kept[good // 2 :]).encode()


def medium(workflow: Workflow) -> None:
    """Training file and quarantine take several parts, in one call: 17 MB good, 14 MB faulty."""
    succeeded(workflow, rows_of_size("Number", good=4200, faulty=15))


def medium_and_interrupted(workflow: Workflow) -> None:
    """The first upload cannot be completed: both are given up."""
    interrupted(workflow, rows_of_size("Digit", good=4200, faulty=15), times=1)


def large(workflow: Workflow) -> None:
    """Shards whose rows and rejected rows take several parts: 32 MB good, 32 MB faulty."""
    succeeded(workflow, rows_of_size("Shard", good=8000, faulty=36))


def large_and_interrupted(state: str, *, good: int, faulty: int) -> Callable[[Workflow], None]:
    """Return the path on which no upload of a state's calls can be completed, however often they are tried."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload(rows_of_size(f"{state} {faulty}", good=good, faulty=faulty))
        workflow.reach(arn, state)
        workflow.emulator.faults.error("s3", "CompleteMultipartUpload", "InvalidPart", "a part is missing", times=None)
        ended = workflow.finish(arn)
        assert ended["status"] == "FAILED", ended.get("output")
        closed(workflow, arn)

    return take


def interrupted(workflow: Workflow, body: bytes, *, times: int) -> None:
    workflow.emulator.faults.error("s3", "CompleteMultipartUpload", "InvalidPart", "a part is missing", times=times)
    failed(workflow, body)


def succeeded(workflow: Workflow, body: bytes) -> None:
    ended = workflow.run(body)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


def failed(workflow: Workflow, body: bytes | None = None) -> None:
    ended = workflow.run(body)
    assert ended["status"] == "FAILED", ended.get("output")
    workflow.record(ended["name"])
    workflow.nothing_left_running()


def media(filler: int) -> Callable[[Workflow], None]:
    """Return the path of rows with images that lie elsewhere, padded by so many bytes in a column of no use."""

    def take(workflow: Workflow) -> None:
        workflow.s3.create_bucket(Bucket=PHOTOS)
        workflow.s3.put_object(Bucket=PHOTOS, Key="a.png", Body=b"a cat")
        image = {"image_format": "png", "s3_uri": f"s3://{PHOTOS}/a.png", "bucket_owner": "1", "unused": "x" * filler}
        rows = [{"question": f"Padded by {filler}, {n}?", "answer": "A cat.", **image} for n in range(40)]
        succeeded(workflow, "\n".join(map(json.dumps, rows)).encode())

    return take


def training_fails(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training")
    failed(workflow)


def deadline(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    failed(workflow)


def events_lost(workflow: Workflow) -> None:
    workflow.emulator.faults.lose_event(EVENT, times=None)
    success(workflow)


def import_outlasts_its_deadline(workflow: Workflow) -> None:
    _slow_bedrock(workflow, import_seconds=8 * 3600.0)


def deployment_outlasts_its_deadline(workflow: Workflow) -> None:
    _slow_bedrock(workflow, deployment_seconds=8 * 3600.0)


def _slow_bedrock(workflow: Workflow, **seconds: float) -> None:
    with lasting(workflow, **seconds):
        failed(workflow)


@contextmanager
def lasting(workflow: Workflow, **seconds: float) -> Iterator[None]:
    """Let simulated work last this long in the block."""
    state = workflow.emulator.state
    before = state.simulation
    state.simulation = replace(before, **seconds)
    try:
        yield
    finally:
        state.simulation = before


CREATES = {
    "training": ("sagemaker", "CreateTrainingJob"),
    "evaluation": ("sagemaker", "CreateTrainingJob"),
    "batch-inference": ("sagemaker", "CreateTrainingJob"),
    "import": ("bedrock", "CreateCustomModel"),
    "deployment": ("bedrock", "CreateCustomModelDeployment"),
}
STAGE_BEFORE = {
    "training": "PlanRun",
    "evaluation": "FindCheckpoint-more",
    "batch-inference": "DecideGate",
    "import": "DecideGate",
    "deployment": "ImportModel",
}


def abort_in(state: str, kind: str) -> Callable[[Workflow], None]:
    """Return the path of an execution aborted while a state waits."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload()
        workflow.reach(arn, state)
        until(lambda: kind in json.dumps(rows_of(workflow, arn)) or None, f"the {kind} of {state}")
        workflow.states.stop_execution(executionArn=arn)
        closed(workflow, arn)

    return take


def closed(workflow: Workflow, arn: str) -> None:
    """Wait until an ended execution has its record and has left nothing running."""
    workflow.record(arn.rsplit(":", 1)[1])
    workflow.nothing_left_running()


def rows_of(workflow: Workflow, arn: str) -> list[dict[str, Any]]:
    found = workflow.emulator.client("dynamodb").scan(TableName=workflow["JobRegistryTableName"])["Items"]
    return [row for row in found if row["execution_arn"]["S"] == arn]


def abort_before_create(stage: str) -> Callable[[Workflow], None]:
    """Return the path of an abort that lands between the intent to create a stage's job and its creation."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload()
        workflow.reach(arn, STAGE_BEFORE[stage])

        def abort() -> None:
            workflow.states.stop_execution(executionArn=arn)
            workflow.record(arn.rsplit(":", 1)[1])

        workflow.emulator.faults.before(*CREATES[stage], abort)
        closed(workflow, arn)

    return take


def abort_without_stop(workflow: Workflow) -> str:
    """Abort a run whose job cannot be stopped at first, and return its execution."""
    workflow.emulator.faults.never_finish("training")
    arn = workflow.upload()
    until(lambda: workflow.live_jobs() or None, "the training job")
    workflow.emulator.faults.error("sagemaker", "StopTrainingJob", "AccessDeniedException", "not now", times=1)
    workflow.states.stop_execution(executionArn=arn)
    workflow.record(arn.rsplit(":", 1)[1])
    return arn


def stopped_by_the_reconciler(workflow: Workflow) -> None:
    closed(workflow, abort_without_stop(workflow))


def stopped_by_an_early_event(workflow: Workflow) -> None:
    """An event about the end comes for a job that still runs and that nobody wants any more."""
    with workflow.emulator.clock.busy():  # no simulated time for the reconciler to be first
        arn = abort_without_stop(workflow)
        name = rows_of(workflow, arn)[0]["job_name"]["S"]
        detail = {"TrainingJobName": name, "TrainingJobStatus": "Stopped"}
        workflow.emulator.state.put_service_event("aws.sagemaker", EVENT, detail)
        until(lambda: not workflow.live_jobs() or workflow.jobs()[name] == "Stopping" or None, "the stop")
    closed(workflow, arn)


def status_event_lost(workflow: Workflow) -> None:
    """The abort is told to nobody: the reconciler finds out and closes the run."""
    workflow.emulator.faults.lose_event("Step Functions Execution Status Change", times=None)
    workflow.emulator.faults.never_finish("training")
    arn = workflow.upload()
    until(lambda: workflow.live_jobs() or None, "the training job")
    workflow.states.stop_execution(executionArn=arn)
    closed(workflow, arn)


def pointer_tampered(workflow: Workflow) -> None:
    """Somebody overwrites the parameter: the reconciler puts back what the pointer shows."""
    name, truth = workflow["PointerParameterName"], workflow.pointer()
    assert truth
    workflow.emulator.client("ssm").put_parameter(Name=name, Value="arn:of:nothing", Overwrite=True)
    until(lambda: workflow.pointer() == truth or None, "the repair of the pointer")


def ends_before_it_is_open(workflow: Workflow) -> None:
    """Every job ends while its create call is answered, and no event tells so."""
    workflow.emulator.faults.lose_event(EVENT, times=None)
    for service, operation in set(CREATES.values()):
        workflow.emulator.faults.after(service, operation, lambda: pause(workflow), times=None)
    with lasting(workflow, training_seconds=0.2, evaluation_seconds=0.2, import_seconds=0.2, deployment_seconds=0.2):
        success(workflow)


def pause(workflow: Workflow) -> None:
    """Let simulated time pass within a call, at the speed of real time."""
    end = workflow.emulator.clock.monotonic() + 5.0
    until(lambda: workflow.emulator.clock.monotonic() > end or None, "five seconds")


def fails_before_it_is_open(stage: str) -> Callable[[Workflow], None]:
    """Return the path of a job that fails while its create call is answered, told by no event."""

    def take(workflow: Workflow) -> None:
        faults = workflow.emulator.faults
        faults.lose_event(EVENT, times=None)
        arn = workflow.upload()
        workflow.reach(arn, STAGE_BEFORE[stage])
        faults.after(*CREATES[stage], lambda: pause(workflow), times=None)
        inject = {"import": faults.fail_import, "deployment": faults.fail_deployment}.get(stage, faults.fail_job)
        inject(lambda name, tags: tags.get("nova-constructs:stage", "").startswith(stage))
        seconds = dict.fromkeys(("training_seconds", "evaluation_seconds"), 0.2)
        with lasting(workflow, **seconds, import_seconds=0.2, deployment_seconds=0.2):
            assert workflow.finish(arn)["status"] == "FAILED"
        closed(workflow, arn)

    return take


def response_lost(stage: str) -> Callable[[Workflow], None]:
    """Return the path of a create call whose response is lost."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload()
        workflow.reach(arn, STAGE_BEFORE[stage])
        workflow.emulator.faults.lose_response(*CREATES[stage])
        assert workflow.finish(arn)["status"] == "SUCCEEDED"

    return take


def name_taken(stage: str) -> Callable[[Workflow], None]:
    """Return the path on which the name of a model or deployment is in use by another request of the customization."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload()
        workflow.reach(arn, STAGE_BEFORE[stage])
        workflow.emulator.faults.before(*CREATES[stage], lambda: _squat(workflow, arn, stage))
        assert workflow.finish(arn)["status"] == "SUCCEEDED"

    return take


def _squat(workflow: Workflow, arn: str, stage: str) -> None:
    bedrock = workflow.emulator.client("bedrock")
    name = next(row["job_name"]["S"] for row in rows_of(workflow, arn) if row["stage"]["S"] == stage)
    tags = [{"key": "nova-constructs:customization", "value": "Nova-Demo/Demo"}]
    source = bedrock.list_custom_models()["modelSummaries"][0]["modelArn"]
    if stage == "deployment":
        bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=source, tags=tags)
        return
    role = workflow.stack.resources[
        next(n for n in workflow.stack.resources if "ImportRole" in n and "Policy" not in n)
    ]
    checkpoint = checkpoint_of(workflow)
    bedrock.create_custom_model(
        modelName=name,
        modelSourceConfig={"s3DataSource": {"s3Uri": checkpoint}},
        roleArn=f"arn:aws:iam::123456789012:role/{role}",
        modelTags=tags,
    )


def checkpoint_of(workflow: Workflow) -> str:
    """Return the checkpoint of some run that has ended."""
    runs = workflow.states.list_executions(stateMachineArn=workflow["StateMachineArn"], statusFilter="SUCCEEDED")
    for run in runs["executions"]:
        for event in workflow.record(run["name"])["ledger"]:
            if event["type"] == "checkpoint_resolved":
                return str(event["detail"]["uri"])
    raise AssertionError("no run has a checkpoint")


def package_of(workflow: Workflow, checkpoint: str, storage: str | None = "Restricted") -> str:
    """Return a model package of a checkpoint, as SageMaker leaves one of its own training."""
    sagemaker = workflow.emulator.client("sagemaker")
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="of Nova")
    source = {"S3DataSource": {"S3Uri": checkpoint, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    made = sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        InferenceSpecification={"Containers": [{"ModelDataSource": source}]},
        **({"ManagedStorageType": storage} if storage else {}),
    )
    return str(made["ModelPackageArn"])


def model_package(workflow: Workflow) -> None:
    """A run that deploys a model package."""
    success(workflow)
    package = package_of(workflow, checkpoint_of(workflow))
    ended = workflow.finish(workflow.start(mode="deploy", model_package=package, force=True))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


PATHS: dict[str, Callable[[Workflow], None]] = {
    "success": success,
    "started by hand": started_by_hand,
    "rolled back": rolled_back,
    "dry run": dry_run,
    "later runs": later_runs,
    "batch inference": batch_inference(None),
    "batch inference, results elsewhere": batch_inference(f"s3://{RESULTS}/here/"),
    "batch inference, upload interrupted": batch_inference_interrupted(None),
    "batch inference, upload elsewhere interrupted": batch_inference_interrupted(f"s3://{RESULTS}/here/"),
    "folder": folder,
    "burst": burst,
    "intake fails": intake_fails,
    "medium dataset": medium,
    "medium dataset, upload interrupted": medium_and_interrupted,
    "large dataset": large,
    "large dataset, upload interrupted": large_and_interrupted("TransformShards", good=8000, faulty=36),
    "large dataset, upload of rejected rows interrupted": large_and_interrupted("AssembleShards", good=8000, faulty=36),
    "large dataset, upload of parts interrupted": large_and_interrupted("AssembleShards", good=9000, faulty=0),
    "large dataset, joining interrupted": large_and_interrupted("FinishData", good=9000, faulty=0),
    "large dataset, joining of rejected rows interrupted": large_and_interrupted("FinishData", good=900, faulty=40),
    "media": media(0),
    "media in shards": media(1024 * 1024),
    "training fails": training_fails,
    "training never ends": deadline,
    "events lost": events_lost,
    "import outlasts its deadline": import_outlasts_its_deadline,
    "deployment outlasts its deadline": deployment_outlasts_its_deadline,
    "aborted while training": abort_in("Train", "TrainingJob"),
    "aborted while importing": abort_in("ImportModel", "CustomModel"),
    "aborted while deploying": abort_in("DeployModel", "CustomModelDeployment"),
    **{f"aborted before the create of {stage}": abort_before_create(stage) for stage in CREATES},
    **{f"create response of {stage} lost": response_lost(stage) for stage in CREATES},
    "name of the model taken": name_taken("import"),
    "name of the deployment taken": name_taken("deployment"),
    "jobs end before they are open": ends_before_it_is_open,
    **{f"{stage} fails before it is open": fails_before_it_is_open(stage) for stage in CREATES},
    "stopped by the reconciler": stopped_by_the_reconciler,
    "stopped by an early event": stopped_by_an_early_event,
    "status event lost": status_event_lost,
    "pointer tampered with": pointer_tampered,
    # Last: later runs could not compare with it.
    "model package": model_package,
}

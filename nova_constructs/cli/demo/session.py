"""The emulator with the demo's stack on it, and one run from upload to result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nova_constructs.cli.demo.checks import DemoRequest
from nova_constructs.cli.demo.cluster import prepare
from nova_constructs.cli.demo.dataset import first_rows, parts_of
from nova_constructs.cli.demo.production import ask_production, pointed_at
from nova_constructs.cli.demo.result import DemoResult, IamUse, build_result
from nova_constructs.cli.demo.second_run import Second, describe, start_second, trouble
from nova_constructs.cli.demo.synth import synthesis
from nova_constructs.cli.demo.watch import watch
from nova_constructs.cli.demo.workplace import workplace
from nova_constructs.cli.deployed import Customization, customizations_of
from nova_constructs.cli.embedded import running_emulator
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.interrupts import Interrupts
from nova_constructs.cli.progress import Progress, open_progress
from nova_constructs.cli.run.details import RunDetails, read_details
from nova_constructs.cli.runs import Runs
from nova_constructs.iam_evidence import Evidence, Permission, account, granted_in

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator

_START_LIMIT_SECONDS = 30.0
_POLL_SECONDS = 0.1
_SPEED = 3600.0
"""Simulated seconds per idle second: an hour of training is a second to look at."""


_FIRST_LOOKS: Mapping[str, str] = {
    "cloudformation": "list_stacks",
    "s3": "list_buckets",
    "ssm": "describe_parameters",
    "iam": "list_roles",
    "kms": "list_keys",
    "dynamodb": "list_tables",
    "lambda": "list_functions",
    "logs": "describe_log_groups",
    "sqs": "list_queues",
    "events": "list_rules",
    "scheduler": "list_schedules",
    "stepfunctions": "list_state_machines",
    "sagemaker": "list_training_jobs",
    "bedrock": "list_custom_models",
}
"""For each service that the stack uses, an operation that only looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """Hold what the steps after the deployment need."""

    emulator: Emulator
    runs: Runs
    permissions: tuple[Permission, ...]
    physical_ids: Mapping[str, str]


def run_demo(request: DemoRequest, interrupts: Interrupts, began: float) -> DemoResult:
    """Synthesize, deploy, run and read what came of it; leave no process and no file behind.

    `began` is the monotonic instant from which the demo's seconds count.
    """
    with workplace(interrupts) as folder, open_progress() as progress:
        progress.say("Synthesizing the stack and starting the emulator")
        # Side by side, since each takes seconds and neither needs the other.
        with (
            synthesis(request, folder, interrupts) as synthesized,
            running_emulator(interrupts, speed=_SPEED) as emulator,
        ):
            _look_around(emulator, interrupts)
            assembly = synthesized()
            prepare(emulator, request)
            progress.say("Deploying the stack")
            deployed = _deploy(emulator, assembly)
            interrupts.check()
            return _run(deployed, request, interrupts, progress, began)


def _look_around(emulator: Emulator, interrupts: Interrupts) -> None:
    """Use each service once: whatever loads with its first request loads while synthesis takes its time."""
    for service, operation in _FIRST_LOOKS.items():
        interrupts.check()
        getattr(emulator.client(service), operation)()


def _deploy(emulator: Emulator, assembly: Path) -> Deployed:
    deployment = emulator.deploy(assembly)
    described = {
        "StackName": deployment.name,
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in deployment.outputs.items()],
    }
    customizations = customizations_of(described)
    if len(customizations) != 1:
        raise CommandError(f"the stack {deployment.name} should hold one customization, not {len(customizations)}")
    return Deployed(
        emulator=emulator,
        runs=Runs(customizations[0], emulator.client),
        permissions=granted_in(assembly, deployment.name),
        physical_ids=deployment.resources,
    )


def _run(
    deployed: Deployed, request: DemoRequest, interrupts: Interrupts, progress: Progress, began: float
) -> DemoResult:
    runs = deployed.runs
    progress.say(f"Uploading {request.data.name}{f' in {request.uploads} objects' if request.uploads > 1 else ''}")
    with deployed.emulator.clock.busy():  # a burst is one at whatever speed simulated time runs
        _upload(runs, request)
    run_id = _started_run(runs.customization, runs, interrupts)
    progress.say(f"Run {run_id}")
    watch(runs, run_id, interrupts, progress)
    details, pointer = read_details(runs, run_id), None
    if request.second and details.status == "SUCCEEDED":
        details, pointer = _run_again(deployed, request, request.second, run_id, interrupts, progress)
    prompt = _prompt(request)
    return build_result(
        details,
        platform=request.platform,
        prompt=prompt,
        production=ask_production(runs, prompt),
        pointer=pointer,
        injected=describe(request.second) if request.second else None,
        iam=_iam_use(deployed),
        executions=sum(1 for _ in runs.latest(1000)),
        seconds=time.monotonic() - began,
        speed=deployed.emulator.clock.speed,
    )


def _run_again(
    deployed: Deployed, request: DemoRequest, second: Second, first: str, interrupts: Interrupts, progress: Progress
) -> tuple[RunDetails, dict[str, str | None]]:
    """Run again with something wrong; return that run, and the pointer before and after it."""
    runs = deployed.runs
    before = pointed_at(runs)
    with trouble(deployed.emulator, second, first_run=first):
        run_id, shown = start_second(runs, second, f"datasets/{request.data.name}")
        progress.say(shown)
        watch(runs, run_id, interrupts, progress)
    pointer = {"name": runs.customization.outputs["PointerParameterName"], "before": before, "after": pointed_at(runs)}
    return read_details(runs, run_id), pointer


def _upload(runs: Runs, request: DemoRequest) -> None:
    s3, bucket = runs.client("s3"), runs.customization.outputs["IncomingBucketName"]
    s3.upload_file(str(request.evaluation_set), bucket, "evaluation/gen_qa.jsonl")
    # The upload itself starts the run: the stack's trigger on new objects does, once no more come.
    if request.uploads == 1:
        s3.upload_file(str(request.data), bucket, f"datasets/{request.data.name}")
        return
    for number, part in enumerate(parts_of(request.data, request.uploads), start=1):
        s3.put_object(Bucket=bucket, Key=f"datasets/{request.data.stem}-{number:03}.jsonl", Body=part)


def _started_run(customization: Customization, runs: Runs, interrupts: Interrupts) -> str:
    end = time.monotonic() + _START_LIMIT_SECONDS
    while time.monotonic() < end:
        for run in runs.latest(1):
            return run.run_id
        interrupts.wait(_POLL_SECONDS)
    raise CommandError(f"the upload started no run of {customization.name} within {_START_LIMIT_SECONDS:.0f} seconds")


def _prompt(request: DemoRequest) -> str:
    return str(first_rows(request.data)[0][request.columns["question"]])


def _iam_use(deployed: Deployed) -> IamUse:
    calls = deployed.emulator.calls
    return IamUse(
        denied=tuple(
            {"role": call.role_name, "action": call.action, "resource": call.resource} for call in calls.denied()
        ),
        granted=deployed.permissions,
        use=account(
            deployed.permissions,
            used=calls.used(),
            physical_ids=deployed.physical_ids,
            evidence=Evidence.load(),
        ),
    )

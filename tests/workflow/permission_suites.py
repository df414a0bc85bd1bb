"""The customizations on which permissions are proven, each with the paths that use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nova_constructs.iam_evidence import EVIDENCE_FILE, Evidence, Permission, account, granted_in
from tests.workflow import paths, updating_paths
from tests.workflow.approval_paths import APPROVAL_PATHS, ASKING
from tests.workflow.harness import ENTRY, Workflow
from tests.workflow.hyperpod_paths import HYPERPOD_PATHS, ON_CLUSTER
from tests.workflow.invocation_paths import BATCH, INVOCATION_PATHS
from tests.workflow.notification_paths import NOTIFICATION_PATHS
from tests.workflow.queue_paths import QUEUE_PATHS
from tests.workflow.resume_paths import RESUME_PATHS

STACK = "Nova-Demo"
VPC = {"subnets": ["subnet-0123"], "security_groups": ["sg-0123"]}
MLFLOW = "arn:aws:sagemaker:us-east-1:111122223333:mlflow"
EVERYTHING = {
    "data": {
        **ENTRY["data"],
        "split": {"train": 0.8, "validation": 0.1, "test": 0.1},
        "dedupe": True,
        "no_leak_with": ["evaluation/gen_qa.jsonl"],
        "media_buckets": [paths.PHOTOS],
    },
    "platform": {**ENTRY["platform"], "vpc": VPC, "mlflow": {}, "tensorboard": True},
    # So few that a burst of three is more than one run takes.
    "triggers": [{"name": "Data", "on": "dataset", "most_objects": 2}],
    "further_training": [{"name": "more", "dataset": paths.MORE}],
    "batch_inference": {
        "dataset": paths.ANSWERED,
        "data": {"columns": {"query": "question", "response": "answer"}},
        "output_buckets": [paths.RESULTS],
        "platform": {**ENTRY["platform"], "instance_count": 1},
    },
    # One model that served stays, so that each run has some to remove; the canary asks all the while.
    "deployment": {
        "target": "BEDROCK_OD",
        "keep": 1,
        "bake": {"minutes": 10080},
        "model_key_arn": paths.MODEL_KEY,
        "model_package_groups": [paths.GROUP],
    },
    "evaluation": [
        {"task": "mmlu", "platform": {**ENTRY["platform"], "instance_count": 1, "vpc": VPC, "tensorboard": True}},
        {"task": "gen_qa", "dataset": "evaluation/gen_qa.jsonl"},
    ],
    "gate": {
        "criteria": [
            {"task": "mmlu", "floor": 0.2},
            {"kind": "not_worse_than_production", "task": "mmlu", "margin": 0.2},
        ]
    },
}
"""What gives the workflow every permission that a path can prove."""
SUITES: dict[str, tuple[dict[str, Any], dict[str, Callable[[Workflow], None]]]] = {
    "everything": (EVERYTHING, {**RESUME_PATHS, **paths.PATHS}),
    "asking": (ASKING, {**APPROVAL_PATHS, **QUEUE_PATHS, **NOTIFICATION_PATHS}),
    "updating": ({**updating_paths.ON_DEMAND, **BATCH}, {**updating_paths.ON_DEMAND_PATHS, **INVOCATION_PATHS}),
    "hyperpod": (ON_CLUSTER, HYPERPOD_PATHS),
    "provisioned": (updating_paths.PROVISIONED, updating_paths.PROVISIONED_PATHS),
    "tracked": (
        {"platform": {**ENTRY["platform"], "vpc": VPC, "mlflow": {"uri": paths.NO_SERVER}}},
        {"MLflow server not reached": paths.server_not_reached},
    ),
}
"""What one customization cannot have together, each with its paths, on an emulator of its own."""
KEY = "arn:aws:kms:us-east-1:111122223333:key/volumes"
ELSEWHERE: list[dict[str, Any]] = [
    {"platform": {**ENTRY["platform"], "mlflow": {"resource_arn": f"{MLFLOW}-tracking-server/mine"}}},
    {"platform": {**ENTRY["platform"], "mlflow": {"resource_arn": f"{MLFLOW}-app/app-ABC123"}}},
    # Only an instance type without disks of its own takes a key for its volumes, and none of them is documented.
    {"platform": {**ENTRY["platform"], "instance_type": "ml.p3.16xlarge", "volume_key_arn": KEY}},
    {"method": "RFT_LORA", "reward_function": "arn:aws:lambda:us-east-1:111122223333:function:score"},
]
"""What gives it the permissions that no path here can prove."""
Enter = Callable[[str], Workflow]
Assemblies = Mapping[str, Path]
MAIN: tuple[str, ...] = ("everything", "asking")
"""The suites that have most of what there is: what they grant, they prove."""


def take(workflow: Workflow, assembly: Path, suite: str, path: str) -> tuple[Permission, ...]:
    """Take a path on which nothing may be denied; return the permissions that it used."""
    emulator = workflow.emulator
    emulator.faults.clear()
    emulator.calls.clear()
    SUITES[suite][1][path](workflow)
    emulator.faults.clear()
    assert [f"{c.role_name} {c.action} {c.resource}" for c in emulator.calls.denied()] == []
    granted = granted_in(assembly, STACK)
    return account(granted, used=emulator.calls.used(), physical_ids=workflow.stack.resources, evidence=Evidence()).used


def check_table(
    assemblies: Assemblies,
    suites: Sequence[str],
    proven: Mapping[str, str],
    *,
    elsewhere: Sequence[str] = (),
    write: bool,
) -> None:
    """Check that whatever the suites grant was used, but for what AWS requires and what suites `elsewhere` prove.

    `proven` names the path that used a permission first. With `write`, the checked-in table is given what they prove.
    """
    known = {str(each) for suite in elsewhere for each in granted_in(assemblies[suite], STACK)}
    own = {name: path for name, path in proven.items() if name not in known}
    taken = {path for suite in suites for path in SUITES[suite][1]}
    table = json.loads(EVIDENCE_FILE.read_text())
    if write:
        kept = {name: path for name, path in table["proven"].items() if path not in taken and name not in own}
        table["proven"] = dict(sorted({**kept, **own}.items()))
        EVIDENCE_FILE.write_text(json.dumps(table, indent=2) + "\n")
    granted = {str(each) for suite in suites for each in granted_in(assemblies[suite], STACK)} - known
    evidence = Evidence.load()
    assert [name for name in sorted(granted) if name not in own and not evidence.requires(name)] == []
    assert sorted(name for name, path in table["proven"].items() if path in taken and name not in own) == []
    assert [name for name in own if evidence.requires(name)] == []

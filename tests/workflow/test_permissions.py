"""What every statement is good for: used on a tested path, or required by AWS with its source."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.iam_evidence import EVIDENCE_FILE, Evidence, Permission, account, granted_in
from tests.workflow import paths, updating_paths
from tests.workflow.approval_paths import APPROVAL_PATHS, ASKING
from tests.workflow.furnishing import furnish, key
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize
from tests.workflow.hyperpod_paths import HYPERPOD_PATHS, ON_CLUSTER, furnish_cluster
from tests.workflow.invocation_paths import BATCH, INVOCATION_PATHS

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
    "everything": (EVERYTHING, paths.PATHS),
    "asking": (ASKING, APPROVAL_PATHS),
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


@pytest.fixture(scope="module")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: synthesize(tmp_path_factory.mktemp(name), **settings) for name, (settings, _) in SUITES.items()}


@pytest.fixture(scope="module")
def enter(assemblies: dict[str, Path]) -> Iterator[Enter]:
    """Return what deploys a suite in an account that has the network and the app its jobs use, once.

    A process has one emulator: the suite before is gone then.
    """
    present: dict[str, Workflow] = {}

    def deployed(name: str) -> Workflow:
        if name not in present:
            stack.close()
            present.clear()
            emulator = stack.enter_context(Emulator(speed=SPEED))
            furnish(emulator, VPC)
            if name == "hyperpod":
                furnish_cluster(emulator)
            key(emulator, paths.MODEL_KEY)
            made = present[name] = Workflow(emulator, assemblies[name])
            made.put("IncomingBucketName", paths.MORE, paths.dataset_of("more"))
            made.put("IncomingBucketName", paths.ANSWERED, paths.dataset_of("answered"))
        return present[name]

    with ExitStack() as stack:
        yield deployed


def test_every_permission_of_the_template_is_accounted_for(assemblies: dict[str, Path], tmp_path: Path) -> None:
    """The fast half: the checked-in table names every permission, and nothing that is not in the template."""
    evidence = Evidence.load()
    more = [synthesize(tmp_path / str(number), **changes) for number, changes in enumerate(ELSEWHERE)]
    names = {str(permission) for made in (*assemblies.values(), *more) for permission in granted_in(made, STACK)}
    assert [name for name in sorted(names) if name not in evidence.proven and not evidence.requires(name)] == []
    assert sorted(set(evidence.proven) - names) == []
    assert [name for name in evidence.proven if evidence.requires(name)] == []
    assert [p for p in evidence.required_by_aws if not fnmatch.filter(names, p)] == []


@pytest.fixture(scope="module")
def proven() -> dict[str, str]:
    """Collect, over the tests of this module, which permission the first path proved that needed it."""
    return {}


REMOVALS = [
    ("Plan/Plan", "ReadDataset", "s3:GetObjectVersion"),
    ("Training/Submit", "CreateTrainingJobs", "sagemaker:CreateTrainingJob"),
    ("Training/Submit", "PassRole", "iam:PassRole"),
    ("Ledger/Append", "AppendEvents", "dynamodb:PutItem"),
    ("Deployment/Import", "CreateCustomModels", "bedrock:CreateCustomModel"),
    ("Data/Prepare", "UseKeyThroughS3", "kms:GenerateDataKey"),
    ("Deployment/Promote", "ProjectPointer", "ssm:PutParameter"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("role", "sid", "action"), REMOVALS)
def test_a_run_without_a_permission_is_denied_that_action(
    enter: Enter, assemblies: dict[str, Path], role: str, sid: str, action: str
) -> None:
    workflow = enter("everything")
    permission = next(
        p for p in granted_in(assemblies["everything"], STACK) if (p.role, p.sid, p.action) == (role, sid, action)
    )
    iam = workflow.emulator.client("iam")
    name = workflow.stack.resources[permission.role_logical_id]
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    changed = [_without(iam, name, policy, sid, action) for policy in policies]
    assert any(changed)
    try:
        workflow.emulator.calls.clear()
        ended = workflow.run()
        assert ended["status"] == "FAILED"
        denied = {(call.role_name, call.action) for call in workflow.emulator.calls.denied()}
        assert (name, action) in denied, (ended.get("error"), ended.get("cause"), denied)
    finally:
        for restore in filter(None, changed):
            restore()


def _without(iam: Any, role: str, policy: str, sid: str, action: str) -> Callable[[], object] | None:
    """Take an action out of an inline policy; return what puts it back, or None where it is not in there."""
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    statements = [_less(found, action) if found.get("Sid") == sid else found for found in document["Statement"]]
    if statements == document["Statement"]:
        return None
    put = {"RoleName": role, "PolicyName": policy}
    iam.put_role_policy(**put, PolicyDocument=json.dumps({**document, "Statement": statements}))
    return lambda: iam.put_role_policy(**put, PolicyDocument=json.dumps(document))


def _less(statement: dict[str, Any], action: str) -> dict[str, Any]:
    """Return a statement without an action; one that has no other becomes a statement about nothing of ours."""
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return {**statement, "Action": [each for each in actions if each != action] or ["sts:GetCallerIdentity"]}


ALL = [pytest.param(suite, path, id=path) for suite, (_, found) in SUITES.items() for path in found]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("suite", "path"), ALL)
def test_path(enter: Enter, assemblies: dict[str, Path], proven: dict[str, str], suite: str, path: str) -> None:
    workflow = enter(suite)
    workflow.emulator.faults.clear()
    workflow.emulator.calls.clear()
    SUITES[suite][1][path](workflow)
    workflow.emulator.faults.clear()
    assert [f"{c.role_name} {c.action} {c.resource}" for c in workflow.emulator.calls.denied()] == []
    for permission in _used(workflow, granted_in(assemblies[suite], STACK)):
        proven.setdefault(str(permission), path)


@pytest.mark.slow
def test_the_table_is_what_the_paths_use(
    assemblies: dict[str, Path], proven: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The slow half: every permission was used on a path just taken, or is in the table of what AWS requires."""
    table = json.loads(EVIDENCE_FILE.read_text())
    if request.config.getoption("--write-evidence"):
        table["proven"] = dict(sorted(proven.items()))
        EVIDENCE_FILE.write_text(json.dumps(table, indent=2) + "\n")
    granted = [str(found) for made in assemblies.values() for found in granted_in(made, STACK)]
    evidence = Evidence.load()
    assert [name for name in granted if name not in proven and not evidence.requires(name)] == []
    assert sorted(set(table["proven"]) - set(proven)) == []
    assert [name for name in proven if evidence.requires(name)] == []


def _used(workflow: Workflow, granted: tuple[Permission, ...]) -> tuple[Permission, ...]:
    used = workflow.emulator.calls.used()
    return account(granted, used=used, physical_ids=workflow.stack.resources, evidence=Evidence()).used

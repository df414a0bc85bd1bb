"""What every statement is good for: used on a tested path, or required by AWS with its source."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.iam_evidence import Evidence, granted_in
from tests.workflow.harness import synthesize
from tests.workflow.permission_suites import ELSEWHERE, MAIN, STACK, SUITES, Assemblies, Enter, check_table, take


def test_every_permission_of_the_template_is_accounted_for(assemblies: Assemblies, tmp_path: Path) -> None:
    """The fast half: the checked-in table names every permission, and nothing that is not in the template."""
    evidence = Evidence.load()
    more = [synthesize(tmp_path / str(number), **changes) for number, changes in enumerate(ELSEWHERE)]
    names = {str(permission) for made in (*assemblies.values(), *more) for permission in granted_in(made, STACK)}
    assert [name for name in sorted(names) if name not in evidence.proven and not evidence.requires(name)] == []
    assert sorted(set(evidence.proven) - names) == []
    assert [name for name in evidence.proven if evidence.requires(name)] == []
    assert [p for p in evidence.required_by_aws if not fnmatch.filter(names, p)] == []


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
    enter: Enter, assemblies: Assemblies, role: str, sid: str, action: str
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


ALL = [pytest.param(suite, path, id=path) for suite in MAIN for path in SUITES[suite][1]]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("suite", "path"), ALL)
def test_path(enter: Enter, assemblies: Assemblies, proven: dict[str, str], suite: str, path: str) -> None:
    for permission in take(enter(suite), assemblies[suite], suite, path):
        proven.setdefault(str(permission), path)


@pytest.mark.long
def test_the_table_is_what_the_paths_use(
    assemblies: Assemblies, proven: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The long half: every permission was used on a path just taken, or is in the table of what AWS requires."""
    check_table(assemblies, MAIN, proven, write=request.config.getoption("--write-evidence"))

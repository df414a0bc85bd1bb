"""Media that lie elsewhere are copied beside the rows of a run where the settings name their bucket, else refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, jsonl, synthesize

NAMED, OTHER = "nova-test-photos", "nova-test-drawings"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    data = {**ENTRY["data"], "media_buckets": [NAMED], "max_reject_ratio": 0.2}
    assembly = synthesize(tmp_path_factory.mktemp("media"), data=data)
    with Emulator(speed=SPEED) as emulator:
        made = Workflow(emulator, assembly)
        for bucket in (NAMED, OTHER):
            made.s3.create_bucket(Bucket=bucket)
            for number in range(3):
                made.s3.put_object(Bucket=bucket, Key=f"{number}.png", Body=f"{bucket} {number}".encode())
        yield made


def rows(salt: str, others: int, filler: int = 0) -> bytes:
    """Return 40 rows with an image, `others` of them in the bucket that is not named; padded by a column of no use."""
    made = []
    for number in range(40):
        uri = f"s3://{OTHER if number < others else NAMED}/{number % 3}.png"
        image = {"image_format": "png", "s3_uri": uri, "bucket_owner": "1", "unused": "x" * filler}
        made.append({"question": f"{salt} {number}?", "answer": "A cat.", **image})
    return jsonl(made)


def read(workflow: Workflow, output: str, key: str) -> bytes:
    content: bytes = workflow.s3.get_object(Bucket=workflow[output], Key=key)["Body"].read()
    return content


def locations(train: bytes) -> set[tuple[str, str]]:
    found = [json.loads(line)["messages"][0]["content"][0]["image"] for line in train.splitlines()]
    return {(each["source"]["s3Location"]["uri"], each["source"]["s3Location"]["bucketOwner"]) for each in found}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("filler", [0, MEBIBYTE], ids=["at once", "in shards"])
def test_named_buckets_are_copied_from_and_no_others(workflow: Workflow, filler: int) -> None:
    workflow.emulator.calls.clear()
    ended = workflow.run(rows(f"copies {filler}", others=4, filler=filler))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    run = ended["name"]
    assert ("TransformShards" in workflow.path(ended["executionArn"])) is bool(filler)
    account = workflow.emulator.client("sts").get_caller_identity()["Account"]
    found = locations(read(workflow, "PreparedBucketName", f"runs/{run}/train.jsonl"))
    prefix = f"s3://{workflow['PreparedBucketName']}/runs/{run}/media/"
    assert len(found) == 3
    assert {(uri.startswith(prefix), owner) for uri, owner in found} == {(True, account)}
    copies = {read(workflow, "PreparedBucketName", uri.removeprefix("s3://").partition("/")[2]) for uri, _ in found}
    assert copies == {f"{NAMED} {number}".encode() for number in range(3)}
    rejected = read(workflow, "QuarantineBucketName", f"runs/{run}/quarantine.jsonl").splitlines()
    assert [json.loads(line)["codes"] for line in rejected] == [["media_missing"]] * 4
    assert f"does not name the bucket {OTHER}" in json.loads(rejected[0])["messages"][0]
    assert [f"{call.role_name} {call.action} {call.resource}" for call in workflow.emulator.calls.denied()] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_setting_is_what_gives_the_permission(workflow: Workflow) -> None:
    """What the functions are told and what they may do are two things: being told alone does not make it readable."""
    policies = workflow.emulator.client("iam")
    [role] = [each["RoleName"] for each in policies.list_roles()["Roles"] if "DataPrepareRole" in each["RoleName"]]
    removed = remove(policies, role, "ReadMedia")
    try:
        ended = workflow.run(rows("no permission", others=0))
    finally:
        for name, document in removed.items():
            policies.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    assert (ended["status"], ended["error"]) == ("FAILED", "DatasetRejected")
    assert f"s3://{NAMED}/0.png is not there or may not be read (403)" in ended["cause"]


def remove(policies: Any, role: str, sid: str) -> dict[str, dict[str, Any]]:
    """Take a statement out of the policies of a role; return the policies that had it."""
    had = {}
    for name in policies.list_role_policies(RoleName=role)["PolicyNames"]:
        document = policies.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        kept = [each for each in document["Statement"] if each.get("Sid") != sid]
        if len(kept) < len(document["Statement"]):
            had[name] = document
            changed = json.dumps({**document, "Statement": kept})
            policies.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=changed)
    assert had
    return had

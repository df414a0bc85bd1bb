"""Batch inference through Amazon Bedrock in the template: the role of its jobs, who may do what, and the event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nova_constructs.checks import ConfigurationError

Template = dict[str, Any]
MODEL = "amazon.nova-2-lite-v1:0"


def settings(model_id: str = MODEL) -> dict[str, Any]:
    return {"through": "bedrock", "model_id": model_id}


@pytest.fixture(scope="module")
def made(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    return synthesize({**entry, "batch_inference": settings()})["Nova-Support"]


def statements(template: Template, role: str) -> dict[str, Any]:
    """Return the statements of a role by Sid, ARNs as JSON text."""
    [name] = [name for name in template["Resources"] if name.startswith(f"{role}DefaultPolicy")]
    found = template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
    return {each["Sid"]: each for each in found}


def test_only_bedrock_takes_the_role_and_for_jobs_of_this_account(made: Template) -> None:
    [role] = [r for n, r in made["Resources"].items() if n.startswith("SupportBatchInferenceBatchRole")
              and r["Type"] == "AWS::IAM::Role"]  # fmt: skip
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert ":model-invocation-job/*" in json.dumps(trust["Condition"]["ArnLike"])


def test_the_role_reads_records_and_writes_answers_and_no_more(made: Template) -> None:
    found = statements(made, "SupportBatchInferenceBatchRole")
    assert {sid: each["Action"] for sid, each in found.items()} == {
        "ReadRecords": "s3:GetObject",
        "ListRecords": "s3:ListBucket",
        "WriteOutput": "s3:PutObject",
        "UseKey": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    assert '"/runs/*/batch-inference/records/*"' in json.dumps(found["ReadRecords"]["Resource"])
    assert found["ListRecords"]["Condition"] == {"StringLike": {"s3:prefix": ["runs/*/batch-inference/records/*"]}}
    assert '"/runs/*/jobs/*"' in json.dumps(found["WriteOutput"]["Resource"])


@pytest.mark.parametrize("prefix", ["us.", "us-gov.", "global."])
def test_through_a_profile_the_role_may_ask_it_and_its_model(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any], prefix: str
) -> None:
    template = synthesize({**entry, "batch_inference": settings(f"{prefix}{MODEL}")})["Nova-Support"]
    for role, sid in (("BatchRole", "InvokeThroughProfile"), ("SubmitRole", "CreateInvocationJobs")):
        allowed = json.dumps(statements(template, f"SupportBatchInference{role}")[sid]["Resource"])
        assert f":inference-profile/{prefix}{MODEL}" in allowed
        assert f":bedrock:*::foundation-model/{MODEL}" in allowed


def test_the_function_starts_jobs_of_this_model_under_this_role(made: Template) -> None:
    found = statements(made, "SupportBatchInferenceSubmitRole")
    create = found["CreateInvocationJobs"]
    assert create["Action"] == "bedrock:CreateModelInvocationJob"
    assert f"::foundation-model/{MODEL}" in json.dumps(create["Resource"])
    assert "aws:RequestTag/nova-constructs:customization" in json.dumps(create["Condition"])
    assert found["PassRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}
    assert "SupportBatchInferenceBatchRole" in json.dumps(found["PassRole"]["Resource"])
    assert "sagemaker:" not in json.dumps(found)


def test_the_end_of_a_job_completes_its_stage(made: Template) -> None:
    rules = [r["Properties"] for r in made["Resources"].values() if r["Type"] == "AWS::Events::Rule"]
    [rule] = [r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.bedrock"]]
    assert rule["EventPattern"]["detail-type"] == ["Batch Inference Job State Change"]
    detail = rule["EventPattern"]["detail"]
    assert detail["status"] == ["Completed", "Failed", "Stopped", "PartiallyCompleted", "Expired"]
    [training] = [r for r in rules if r.get("EventPattern", {}).get("source") == ["aws.sagemaker"]]
    assert detail["batchJobName"] == training["EventPattern"]["detail"]["TrainingJobName"]
    assert detail["batchJobName"][0]["prefix"].startswith("support-")
    assert "WaitingComplete" in json.dumps(rule["Targets"])


def test_who_waits_and_closes_sees_and_stops_jobs_only_where_there_are_any(made: Template, template: Template) -> None:
    for role in ("SupportWaitingCompleteRole", "SupportWaitingReconcileRole"):
        assert {"SeeInvocationJobs", "FindInvocationJobs", "StopInvocationJobs"} <= statements(made, role).keys()
    assert "ModelInvocationJob" not in json.dumps(template)


def test_it_has_no_part_in_a_cost_ceiling(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="bills by token, so that cost_ceiling cannot bound it"):
        synthesize({**entry, "batch_inference": settings(), "cost_ceiling": {"usd": 100_000}})

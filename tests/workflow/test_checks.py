"""What is wrong with a run is told before anything is started, and a dry run starts nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.workflow.harness import Workflow
from tests.workflow.paths import dataset_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUOTA = "ml.p5.48xlarge for training job usage"
CREATES = ("CreateTrainingJob", "CreateCustomModel", "CreateCustomModelDeployment")


def start(workflow: Workflow, **asked: Any) -> dict[str, Any]:
    """Run to the end; assert that no job call of any kind was made, allowed or not."""
    workflow.put("IncomingBucketName", "uploads/checked.jsonl", dataset_of(json.dumps(asked)))
    given = {"dataset": f"s3://{workflow['IncomingBucketName']}/uploads/checked.jsonl", **asked}
    workflow.emulator.calls.clear()
    ended = workflow.finish(workflow.start(**given))
    workflow.record(ended["name"])
    assert [call.source for call in workflow.emulator.calls if call.source.endswith(CREATES)] == []
    return ended


def refused(workflow: Workflow, error: str, **asked: Any) -> list[str]:
    """Return the problems of a run that fails with an error."""
    ended = start(workflow, **asked)
    assert (ended["status"], ended.get("error")) == ("FAILED", error), ended.get("cause")
    said, *problems = ended["cause"].splitlines()
    assert said == "The run cannot start; nothing was spent."
    assert workflow.record(ended["name"])["cause"] == ended["cause"]
    workflow.nothing_left_running()
    return [problem.removeprefix("- ") for problem in problems]


def role_of(workflow: Workflow, part: str) -> str:
    ids = workflow.stack.resources
    return next(
        ids[name] for name in ids if part in name and ids[name].startswith("Nova-Demo") and "Policy" not in name
    )


@contextmanager
def denied(workflow: Workflow, action: str) -> Iterator[None]:
    """Deny the execution role an action, whatever else allows it."""
    iam, role = workflow.emulator.client("iam"), role_of(workflow, "ExecutionRole")
    statement = {"Sid": "No", "Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="no", PolicyDocument=document)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="no")


@contextmanager
def untrusting(workflow: Workflow) -> Iterator[None]:
    """Let nobody take the execution role."""
    iam, role = workflow.emulator.client("iam"), role_of(workflow, "ExecutionRole")
    before = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    other = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(
        RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [other]})
    )
    yield
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))


@contextmanager
def quota(workflow: Workflow, value: float) -> Iterator[None]:
    """Let the account have this many instances."""
    state = workflow.emulator.state
    before = state.simulation
    state.simulation = replace(before, quotas={QUOTA: value})
    yield
    state.simulation = before


def test_five_mistakes_are_five_problems(workflow: Workflow) -> None:
    with untrusting(workflow), denied(workflow, "s3:PutObject"), quota(workflow, 0):
        problems = refused(workflow, "InvalidRequest", force="yes", overrides={"max_stps": 5, "lr": "fast"})
    begins = (
        'force: received "yes"',
        "The execution role arn:aws:iam::123456789012:role/",
        "The execution role arn:aws:iam::123456789012:role/",
        "training: max_stps is not a value of this recipe. Did you mean max_steps?",
        "training: lr: expects a number",
        f'The quota "{QUOTA}"',
    )
    assert len(problems) == len(begins), problems
    assert all(problem.startswith(begin) for problem, begin in zip(problems, begins, strict=True)), problems
    assert "cannot be taken by sagemaker.amazonaws.com" in problems[1]
    assert "s3:PutObject" in problems[2]
    assert "is denied by no: remove the Deny." in problems[2]


def test_a_quota_alone_is_a_quota_error_that_names_it(workflow: Workflow) -> None:
    with quota(workflow, 3):
        [problem] = refused(workflow, "QuotaExceeded")
    assert f'The quota "{QUOTA}"' in problem
    assert "is 3, and the run needs 4 instances at once" in problem


def test_a_missing_dataset_and_an_unknown_version_are_told_together(workflow: Workflow) -> None:
    missing = f"s3://{workflow['IncomingBucketName']}/uploads/none.jsonl"
    problems = refused(workflow, "InvalidRequest", dataset=missing, hub_content_version="9.9.9")
    assert [missing in problems[0], "has no content" in problems[1]] == [True, True]


def test_a_disabled_key_is_found_by_the_plan(workflow: Workflow) -> None:
    kms = workflow.emulator.client("kms")
    key = next(each["KeyId"] for each in kms.list_keys()["Keys"])
    kms.disable_key(KeyId=key)
    try:
        [problem] = refused(workflow, "InvalidRequest")
    finally:
        kms.enable_key(KeyId=key)
    assert problem.startswith("The KMS key")
    assert "is Disabled: enable it." in problem


def test_quotas_that_do_not_answer_are_a_warning_of_the_plan(workflow: Workflow) -> None:
    faults = workflow.emulator.faults
    faults.error("service-quotas", "ListServiceQuotas", "AccessDeniedException", "not for you", times=None)
    ended = start(workflow, dry_run=True)
    output = json.loads(ended["output"])
    [warning] = output["warnings"]
    assert warning.startswith(f"Quotas were not checked ({QUOTA}): An error occurred (AccessDeniedException)")
    [checked] = [e for e in workflow.record(ended["name"])["ledger"] if e["type"] == "run_checked"]
    assert checked["detail"]["plan"]["warnings"] == [warning]


def account(workflow: Workflow) -> dict[str, set[str]]:
    """Return everything of the account that a run could make, by kind; what changes on every read is left out."""
    client = workflow.emulator.client
    bedrock, dynamodb = client("bedrock"), client("dynamodb")
    return {
        "jobs": set(workflow.jobs()),
        "models": {each["modelArn"] for each in bedrock.list_custom_models()["modelSummaries"]},
        "deployments": {
            each["customModelDeploymentArn"]
            for each in bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]
        },
        "parameters": {each["Name"] for each in client("ssm").describe_parameters()["Parameters"]},
        "pointer": {str(workflow.pointer())},
        "objects": {
            f"{bucket['Name']}/{each['Key']} {each['VersionId']}"
            for bucket in workflow.s3.list_buckets()["Buckets"]
            for page in workflow.s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"])
            for each in page.get("Versions", ())
        },
        "items": {
            f"{table} {json.dumps({name: value for name, value in item.items() if name != 'version'}, sort_keys=True)}"
            for table in dynamodb.list_tables()["TableNames"]
            for item in dynamodb.scan(TableName=table)["Items"]
            if item.get("item", {}).get("S") != "open-runs"
        },
        "roles": {each["RoleName"] for each in client("iam").list_roles()["Roles"]},
        "functions": {each["FunctionName"] for each in client("lambda").list_functions()["Functions"]},
        "buckets": {bucket["Name"] for bucket in workflow.s3.list_buckets()["Buckets"]},
    }


MODES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "full": ({}, ["training", "evaluation-mmlu", "evaluation-gen_qa", "import", "deployment"]),
    "prepare": ({"mode": "prepare"}, []),
    "train": ({"mode": "train"}, ["training"]),
    "evaluate": ({"mode": "evaluate", "model": "base"}, ["evaluation-mmlu", "evaluation-gen_qa"]),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_dry_run_leaves_nothing_but_report_requests_recipes_and_record(workflow: Workflow, mode: str) -> None:
    more, stages = MODES[mode]
    start(workflow, dry_run=True, overrides={"max_steps": 60})  # what only a first run makes is there
    workflow.put("IncomingBucketName", "uploads/checked.jsonl", dataset_of("compared"))
    dataset = {} if mode == "evaluate" else {"dataset": f"s3://{workflow['IncomingBucketName']}/uploads/checked.jsonl"}
    before = account(workflow)
    workflow.emulator.calls.clear()
    ended = workflow.finish(workflow.start(**dataset, **more, dry_run=True))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["status"] == "DRY_RUN"
    assert workflow.path(ended["executionArn"]) == ["PlanRun", "PlanDecision", "CloseDryRun", "RunDryRun"]
    run, artifacts, audit = ended["name"], workflow["ArtifactsBucketName"], workflow["AuditBucketName"]
    workflow.record(run)
    after = account(workflow)
    made = {name.split(" ")[0] for name in after.pop("objects") - before.pop("objects")}
    items = after.pop("items") ^ before.pop("items")
    assert after == before
    recipes = [stage for stage in stages if stage not in ("import", "deployment")]
    folder = f"{artifacts}/runs/{run}/dry-run"
    assert {name for name in made if not name.startswith(f"{audit}/runs/{run}/ledger/")} == {
        f"{folder}/report.json",
        *(f"{folder}/requests/{stage}.json" for stage in stages),
        *(f"{folder}/recipes/{stage}.yaml" for stage in recipes),
        f"{audit}/runs/{run}/record.json",
    }
    assert [item for item in items if not item.startswith(workflow["RunLedgerTableName"]) or run not in item] == []
    assert workflow.events(run) == ["run_checked", "run_closed"]
    looked = {call.action.split(":")[1] for call in workflow.emulator.calls if "Plan" in call.role_name}
    assert looked >= ({"DescribeKey", "ListServiceQuotas", "GetRole", "SimulatePrincipalPolicy"} if recipes else set())
    assert json.loads(ended["output"])["report_uri"] == f"s3://{folder}/report.json"
    workflow.nothing_left_running()


def written(workflow: Workflow, run: str, name: str) -> Any:
    key = f"runs/{run}/dry-run/{name}"
    return json.loads(workflow.s3.get_object(Bucket=workflow["ArtifactsBucketName"], Key=key)["Body"].read())


def test_a_run_sends_what_its_dry_run_wrote_and_no_job_that_was_not_counted(workflow: Workflow) -> None:
    workflow.put("IncomingBucketName", "uploads/both.jsonl", dataset_of("both"))
    asked = {"dataset": f"s3://{workflow['IncomingBucketName']}/uploads/both.jsonl"}
    dry = workflow.finish(workflow.start(**asked, dry_run=True))["name"]
    before = set(workflow.jobs())
    ended = workflow.finish(workflow.start(**asked))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    run, told = ended["name"], json.loads(ended["output"])
    [checkpoint] = {
        event["detail"]["uri"] for event in workflow.record(run)["ledger"] if event["type"] == "checkpoint_resolved"
    }
    sagemaker = workflow.emulator.client("sagemaker")
    jobs = {each["stage"]: each for each in told["jobs"]}
    counted = {job["stage"]: job for job in written(workflow, dry, "report.json")["cost"]["jobs"]}
    sent = {stage: job for stage, job in jobs.items() if job["kind"] == "TrainingJob"}
    assert len(sent) == len(set(workflow.jobs()) - before) == 3
    for stage, job in sent.items():
        described = sagemaker.describe_training_job(TrainingJobName=job["arn"].rpartition("/")[2])
        request = json.dumps(written(workflow, dry, f"requests/{stage}.json"))
        request = request.replace(dry, run).replace(
            "s3://customer-escrow-000000000000-smtj-planned/checkpoint", checkpoint
        )
        expected = json.loads(request)
        assert {name: described[name] for name in expected} == expected
        size, limit = described["ResourceConfig"], described["StoppingCondition"]["MaxRuntimeInSeconds"]
        most = counted[stage]
        assert (size["InstanceType"], size["InstanceCount"]) == (most["instance_type"], most["instance_count"])
        assert limit + size.get("KeepAlivePeriodInSeconds", 0) <= most["hours"] * 3600


def test_a_dry_run_that_finds_problems_fails_and_reports_them(workflow: Workflow) -> None:
    [problem] = refused(workflow, "RecipeInvalid", dry_run=True, overrides={"max_stps": 5})
    found = workflow.s3.list_objects_v2(Bucket=workflow["ArtifactsBucketName"])["Contents"]
    newest = max((each for each in found if each["Key"].endswith("report.json")), key=lambda each: each["LastModified"])
    body = workflow.s3.get_object(Bucket=workflow["ArtifactsBucketName"], Key=newest["Key"])["Body"].read()
    assert json.loads(body)["problems"] == [problem]


def test_a_run_trains_by_a_recipe_of_ones_own(workflow: Workflow) -> None:
    recipe = b"training_config: {max_steps: 70, an_idea: 7}\n"
    workflow.put("IncomingBucketName", "uploads/recipe.yaml", recipe)
    workflow.put("IncomingBucketName", "uploads/own.jsonl", dataset_of("own recipe"))
    place = f"s3://{workflow['IncomingBucketName']}/uploads"
    ended = workflow.finish(workflow.start(dataset=f"{place}/own.jsonl", recipe=f"{place}/recipe.yaml"))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    [warning] = json.loads(ended["output"])["warnings"]
    assert "an_idea" in warning
    key = f"runs/{ended['name']}/training/recipe/recipe.yaml"
    body = workflow.s3.get_object(Bucket=workflow["ArtifactsBucketName"], Key=key)["Body"].read()
    written = yaml.safe_load(body)["training_config"]
    assert (written["max_steps"], written["an_idea"]) == (70, 7)
    secret = refused(workflow, "RecipeInvalid", recipe=f"s3://{workflow['AuditBucketName']}/runs/x.yaml")
    assert "cannot be read: allow s3:GetObject on it" in secret[0]

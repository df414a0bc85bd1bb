"""A function asks an MLflow server from the jobs' VPC, only where there are both, and may do no more than that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template

from nova_constructs import JobVpc, MlflowTracking, TrainingStage
from tests.constructs.test_execution_role import APP, demo, new_stack, training

SUBNETS, GROUP = [f"subnet-0123456789abcdef{number}" for number in (1, 2, 3)], "sg-0123456789abcdef0"
VPC = JobVpc(subnets=SUBNETS[:2], security_groups=[GROUP])
OTHER = JobVpc(subnets=SUBNETS[2:], security_groups=[GROUP])
TRACKED = MlflowTracking(uri="https://mlflow.example.com")
EC2 = "ec2:us-east-1:*"


def template(**changes: Any) -> dict[str, Any]:
    stack = new_stack()
    demo(stack, **changes)
    return dict(Template.from_stack(stack).to_json()["Resources"])


def probes(resources: dict[str, Any]) -> dict[str, Any]:
    return {
        name: each["Properties"]
        for name, each in resources.items()
        if each["Properties"].get("Handler") == "lambda_handlers.probe_tracking.handler"
    }


def plan_of(resources: dict[str, Any]) -> dict[str, Any]:
    [found] = [
        each["Properties"]
        for each in resources.values()
        if each["Properties"].get("Handler") == "lambda_handlers.plan_run.handler"
    ]
    return dict(found)


def granted(resources: dict[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of a role by Sid."""
    found = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::IAM::Policy"]
    [policy] = [each for each in found if each["Roles"] == [{"Ref": role}]]
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


def role_of(function: dict[str, Any]) -> str:
    return str(function["Role"]["Fn::GetAtt"][0])


@pytest.mark.parametrize(
    ("vpc", "tracking"),
    [(None, TRACKED), (VPC, None), (VPC, MlflowTracking(resource_arn=APP)), (VPC, MlflowTracking()), (None, None)],
)
def test_without_a_vpc_or_a_server_of_ones_own_nothing_asks(
    vpc: JobVpc | None, tracking: MlflowTracking | None
) -> None:
    found = template(platform=training(vpc=vpc, mlflow=tracking))
    assert probes(found) == {}
    assert "TRACKING_PROBES" not in plan_of(found)["Environment"]["Variables"]
    assert "AskFromVpc" not in granted(found, role_of(plan_of(found)))


def test_the_function_stands_where_the_jobs_do_and_everything_else_stays() -> None:
    before, found = template(platform=training(vpc=VPC)), template(platform=training(vpc=VPC, mlflow=TRACKED))
    [(name, probe)] = probes(found).items()
    assert probe["VpcConfig"] == {"SubnetIds": SUBNETS[:2], "SecurityGroupIds": [GROUP]}
    assert probe["Timeout"] == 15
    assert "Environment" not in probe
    # The name of a published version says what it was made of, so that the plan's alone is another.
    gone, new = set(before) - set(found), set(found) - set(before)
    [version] = gone
    assert before[version]["Type"] == "AWS::Lambda::Version"
    assert version.startswith("DemoPlanFunctionCurrentVersion")
    assert sorted(found[each]["Type"] for each in new) == [
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
    ]
    role = found[role_of(probe)]["Properties"]
    assert "ManagedPolicyArns" not in role
    # Lambda takes the role's permissions when it makes the function: they have to be there.
    assert any(found[each]["Type"] == "AWS::IAM::Policy" for each in found[name]["DependsOn"])


def test_the_role_may_write_logs_and_make_the_interfaces_that_lambda_needs() -> None:
    found = template(platform=training(vpc=VPC, mlflow=TRACKED))
    [probe] = probes(found).values()
    rights = granted(found, role_of(probe))
    interfaces = f"arn:aws:{EC2}:network-interface/*"
    group = rights.pop("WriteLogs")
    assert group["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]  # its own group
    assert "TrackingProbe" in json.dumps(group["Resource"])
    # The interface of the function, in the subnets and with the groups of the jobs and no others.
    create = rights.pop("CreateInterfaces")
    assert create["Action"] == "ec2:CreateNetworkInterface"
    assert set(create["Resource"]) == {
        f"arn:aws:{EC2}:subnet/{SUBNETS[0]}",
        f"arn:aws:{EC2}:subnet/{SUBNETS[1]}",
        f"arn:aws:{EC2}:security-group/{GROUP}",
        interfaces,
    }
    # Lambda takes it away with the function and gives it addresses; its id nobody knows before.
    use = rights.pop("UseInterfaces")
    assert set(use["Action"]) == {
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    }
    assert use["Resource"] == interfaces
    # Describing has no resource form.
    see = rights.pop("SeeInterfaces")
    assert (see["Action"], see["Resource"]) == (["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], "*")
    assert rights == {}


def test_the_plan_may_call_the_function_of_each_vpc_and_knows_its_name() -> None:
    second = TrainingStage(name="second", dataset="uploads/b.jsonl", platform=training(vpc=OTHER, mlflow=TRACKED))
    third = TrainingStage(name="third", dataset="uploads/c.jsonl", platform=training(vpc=VPC, mlflow=TRACKED))
    found = template(platform=training(vpc=VPC, mlflow=TRACKED), further_training=[second, third])
    names = list(probes(found))
    assert [probes(found)[name]["VpcConfig"]["SubnetIds"] for name in names] == [SUBNETS[:2], SUBNETS[2:]]
    ask = granted(found, role_of(plan_of(found)))["AskFromVpc"]
    assert ask["Action"] == "lambda:InvokeFunction"
    assert ask["Resource"] == [{"Fn::GetAtt": [name, "Arn"]} for name in names]
    parts = plan_of(found)["Environment"]["Variables"]["TRACKING_PROBES"]["Fn::Join"][1]
    told = json.loads("".join(part if isinstance(part, str) else part["Ref"] for part in parts))
    assert told == [
        {"subnets": SUBNETS[:2], "security_groups": [GROUP], "function": names[0]},
        {"subnets": SUBNETS[2:], "security_groups": [GROUP], "function": names[1]},
    ]

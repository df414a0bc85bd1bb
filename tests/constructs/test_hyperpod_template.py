"""A customization on HyperPod has access to its cluster and nothing of training jobs; one on those has no cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template

from nova_constructs import HyperPod, JobVpc
from tests.constructs.test_execution_role import ACCOUNT, REGION, SCORER, demo, new_stack, training

INSTANCES = f"arn:aws:iam::{ACCOUNT}:role/cluster-instances"
VPC = JobVpc(subnets=["subnet-0123456789abcdef1"], security_groups=["sg-0123456789abcdef0"])
SPEAKING = {"plan_run", "submit_training", "submit_evaluation", "reconcile_jobs", "close_run"}


def hyperpod(**changes: Any) -> HyperPod:
    given = {"cluster_name": "hp", "namespace": "kubeflow", "instance_type": "ml.p5.48xlarge", "instance_count": 4}
    return HyperPod(**{**given, **changes})


def resources(**changes: Any) -> dict[str, Any]:
    stack = new_stack()
    demo(stack, **changes)
    return dict(Template.from_stack(stack).to_json()["Resources"])


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return resources(platform=hyperpod(eks_cluster_name="eks-hp", instance_role=INSTANCES, vpc=VPC))


def functions(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    made = [each["Properties"] for each in found.values() if each["Type"] == "AWS::Lambda::Function"]
    return {str(each["Handler"]).split(".")[1]: each for each in made if "lambda_handlers" in str(each["Handler"])}


def granted(found: dict[str, Any], function: dict[str, Any]) -> dict[str, dict[str, Any]]:
    role = {"Ref": function["Role"]["Fn::GetAtt"][0]}
    policies = [each["Properties"] for each in found.values() if each["Type"] == "AWS::IAM::Policy"]
    made = [each for policy in policies if policy["Roles"] == [role] for each in policy["PolicyDocument"]["Statement"]]
    return {each["Sid"]: each for each in made}


def of_type(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in found.values() if each["Type"] == kind]


def test_every_function_that_speaks_with_the_cluster_has_an_access_entry_and_no_other(found: dict[str, Any]) -> None:
    entries = of_type(found, "AWS::EKS::AccessEntry")
    roles = {each["PrincipalArn"]["Fn::GetAtt"][0] for each in entries}
    assert roles == {functions(found)[name]["Role"]["Fn::GetAtt"][0] for name in SPEAKING}
    assert {(each["ClusterName"], each["Type"], *each["KubernetesGroups"]) for each in entries} == {
        ("eks-hp", "STANDARD", "nova-constructs")
    }


def test_these_functions_may_find_the_cluster_and_stand_in_its_vpc(found: dict[str, Any]) -> None:
    for name, function in functions(found).items():
        made = granted(found, function)
        assert ("VpcConfig" in function) is (name in SPEAKING)
        assert ("FindKubernetesApi" in made) is (name in SPEAKING)
        if name in SPEAKING:
            assert made["FindKubernetesApi"]["Action"] == "eks:DescribeCluster"
            assert made["FindKubernetesApi"]["Resource"] == f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/eks-hp"
            assert made["SeeHyperPodCluster"]["Action"] == "sagemaker:DescribeCluster"
            assert made["SeeHyperPodCluster"]["Resource"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:cluster/*"


def test_nothing_of_training_jobs_is_there(found: dict[str, Any]) -> None:
    text = json.dumps(found)
    for word in ("TrainingJob", "TRAINING_ROLE_ARN", "complete_job", "ExecutionRole", '"iam:PassRole"'):
        assert (word in text) is (word == '"iam:PassRole"')  # the import of the model passes a role
    rules = of_type(found, "AWS::Events::Rule")
    assert not any("aws.sagemaker" in json.dumps(each) for each in rules)


def test_the_role_of_the_instances_may_use_the_objects_of_runs(found: dict[str, Any]) -> None:
    [policy] = [each for each in of_type(found, "AWS::IAM::Policy") if each["Roles"] == ["cluster-instances"]]
    made = {each["Sid"]: each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    assert made == {
        "ReadInputs": "s3:GetObject",
        "ListInputs": "s3:ListBucket",
        "WriteOutput": "s3:PutObject",
        "UseKey": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    see = granted(found, functions(found)["plan_run"])["SeeInstanceRoles"]
    assert see["Resource"] == INSTANCES


def test_readers_may_list_what_a_job_left(found: dict[str, Any]) -> None:
    made = granted(found, functions(found)["read_evaluation"])["ListJobOutput"]
    assert (made["Action"], made["Condition"]) == ("s3:ListBucket", {"StringLike": {"s3:prefix": ["runs/*/jobs/*"]}})


def test_evaluation_runs_on_the_cluster_of_training_with_one_instance(found: dict[str, Any]) -> None:
    [machine] = of_type(found, "AWS::StepFunctions::StateMachine")
    parts = machine["DefinitionString"]["Fn::Join"][1]
    states = json.loads("".join(part if isinstance(part, str) else "x" for part in parts))["States"]
    task = next(iter(states["Evaluate"]["Branches"][0]["States"].values()))["Parameters"]["Payload"]["task"]
    assert (task["platform"], task["cluster_name"], task["instance_count"]) == ("SMHP", "hp", 1)
    assert states["Train"]["Parameters"]["Payload"]["config"]["training"]["namespace"] == "kubeflow"


def test_an_admin_may_keep_the_access_entries_to_themselves_and_the_role_unnamed() -> None:
    found = resources(platform=hyperpod(access_entry=False))
    assert of_type(found, "AWS::EKS::AccessEntry") == []
    assert not any("VpcConfig" in each for each in functions(found).values())
    see = granted(found, functions(found)["plan_run"])["SeeInstanceRoles"]
    assert see["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/*"


def test_the_reward_function_may_be_called_by_the_instances() -> None:
    arn = SCORER.replace("score-answers", "SageMaker-score")
    platform = hyperpod(instance_role=INSTANCES, instance_count=2)
    found = resources(platform=platform, method="RFT_LORA", reward_function=arn)
    [policy] = [each for each in of_type(found, "AWS::IAM::Policy") if each["Roles"] == ["cluster-instances"]]
    [call] = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == "CallRewardFunction"]
    assert call["Resource"] == arn


def test_training_jobs_have_no_access_to_a_cluster() -> None:
    found = resources(platform=training())
    text = json.dumps(found)
    assert not any(word in text for word in ("AWS::EKS", "eks:", "sagemaker:DescribeCluster"))
    # Where a training job left its output, the job says.
    assert "ListJobOutput" not in granted(found, functions(found)["read_evaluation"])

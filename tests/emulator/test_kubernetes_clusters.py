"""HyperPod clusters as SageMaker and EKS show them, access entries, IAM and CloudFormation."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.cloudformation.preflight import UnsupportedTemplate, check
from tests.emulator.kubernetes_support import role_keys


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Iterator[Emulator]:
    yield running
    running.reset()


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the error's code."""
    return str(refused.value.response["Error"]["Code"])


def test_sagemaker_shows_the_restricted_groups(emulator: Emulator) -> None:
    made = emulator.hyperpod.create_cluster("hp", count=3, eks_name="k8s", groups=[("ml.g5.12xlarge", 2)])
    shown = emulator.client("sagemaker").describe_cluster(ClusterName="hp")
    assert shown["ClusterStatus"] == "InService"
    assert shown["Orchestrator"]["Eks"]["ClusterArn"] == "arn:aws:eks:us-east-1:123456789012:cluster/k8s"
    groups = [(each["InstanceType"], each["CurrentCount"]) for each in shown["RestrictedInstanceGroups"]]
    assert groups == [("ml.p5.48xlarge", 3), ("ml.g5.12xlarge", 2)]
    assert shown["RestrictedInstanceGroups"][0]["ExecutionRole"] == made.execution_role
    assert emulator.client("sagemaker").describe_cluster(ClusterName=shown["ClusterArn"])["ClusterName"] == "hp"


def test_a_cluster_that_is_not_there_is_not_found(emulator: Emulator) -> None:
    emulator.hyperpod.create_cluster("hp", count=1)
    with pytest.raises(ClientError) as refused:
        emulator.client("sagemaker").describe_cluster(ClusterName="other")
    assert code(refused) == "ResourceNotFound"


def test_eks_shows_endpoint_and_authority(emulator: Emulator) -> None:
    made = emulator.hyperpod.create_cluster("hp", count=1)
    shown = emulator.client("eks").describe_cluster(name="hp")["cluster"]
    assert shown["endpoint"] == made.endpoint
    assert base64.b64decode(shown["certificateAuthority"]["data"]) == made.ca
    assert shown["status"] == "ACTIVE"


def test_an_instance_type_that_is_not_known_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"no instances ml\.t3\.medium; it has ml\.g5\.12xlarge"):
        emulator.hyperpod.create_cluster("hp", instance_type="ml.t3.medium")


def test_access_entries_are_made_shown_changed_listed_and_deleted(emulator: Emulator) -> None:
    emulator.hyperpod.create_cluster("hp", count=1)
    eks, (arn, _) = emulator.client("eks"), role_keys(emulator, "caller")
    named = {"clusterName": "hp", "principalArn": arn}
    made = eks.create_access_entry(**named, kubernetesGroups=["a"])["accessEntry"]
    assert made["username"] == "arn:aws:sts::123456789012:assumed-role/caller/{{SessionName}}"
    assert made["type"] == "STANDARD"
    with pytest.raises(ClientError) as refused:
        eks.create_access_entry(**named)
    assert code(refused) == "ResourceInUseException"
    eks.update_access_entry(**named, kubernetesGroups=["b"])
    assert eks.describe_access_entry(**named)["accessEntry"]["kubernetesGroups"] == ["b"]
    assert eks.list_access_entries(clusterName="hp")["accessEntries"] == [arn]
    eks.delete_access_entry(**named)
    with pytest.raises(ClientError) as refused:
        eks.describe_access_entry(**named)
    assert code(refused) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("cluster", "principal", "groups", "expected"),
    [
        ("other", "arn:aws:iam::123456789012:role/caller", [], "ResourceNotFoundException"),
        ("hp", "arn:aws:iam::123456789012:role/absent", [], "InvalidParameterException"),
        ("hp", "arn:aws:iam::123456789012:role/caller", ["system:masters"], "InvalidParameterException"),
    ],
)
def test_access_entries_that_eks_refuses(
    emulator: Emulator, cluster: str, principal: str, groups: list[str], expected: str
) -> None:
    emulator.hyperpod.create_cluster("hp", count=1)
    role_keys(emulator, "caller")
    with pytest.raises(ClientError) as refused:
        emulator.client("eks").create_access_entry(clusterName=cluster, principalArn=principal, kubernetesGroups=groups)
    assert code(refused) == expected


def test_describing_clusters_needs_permission_on_their_arns(emulator: Emulator) -> None:
    made = emulator.hyperpod.create_cluster("hp", count=1, eks_name="k8s")
    _, keys = role_keys(emulator, "caller")
    session = boto3.session.Session(*keys, region_name="us-east-1")
    sagemaker, eks = (session.client(name, endpoint_url=emulator.endpoint) for name in ("sagemaker", "eks"))
    for call in (lambda: sagemaker.describe_cluster(ClusterName="hp"), lambda: eks.describe_cluster(name="k8s")):
        with pytest.raises(ClientError) as refused:
            call()
        assert code(refused).startswith("AccessDenied")
    allow(emulator, {"sagemaker:DescribeCluster": made.record.arn, "eks:DescribeCluster": made.record.eks_arn})
    assert sagemaker.describe_cluster(ClusterName="hp")["ClusterName"] == "hp"
    assert eks.describe_cluster(name="k8s")["cluster"]["name"] == "k8s"


def allow(emulator: Emulator, actions: dict[str, str]) -> None:
    """Allow the caller some actions."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": arn} for action, arn in actions.items()]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    emulator.client("iam").put_role_policy(RoleName="caller", PolicyName="p", PolicyDocument=document)


def template(**properties: Any) -> dict[str, Any]:
    """Return a template with one access entry."""
    return {"Resources": {"Entry": {"Type": "AWS::EKS::AccessEntry", "Properties": properties}}}


def test_cloudformation_makes_changes_and_deletes_access_entries(emulator: Emulator, tmp_path: Path) -> None:
    emulator.hyperpod.create_cluster("hp", count=1)
    eks, stacks, (arn, _) = emulator.client("eks"), emulator.client("cloudformation"), role_keys(emulator, "caller")
    given = {"ClusterName": "hp", "PrincipalArn": arn, "KubernetesGroups": ["one"], "Type": "STANDARD"}
    stacks.create_stack(StackName="s", TemplateBody=json.dumps(template(**given)))
    named = {"clusterName": "hp", "principalArn": arn}
    assert eks.describe_access_entry(**named)["accessEntry"]["kubernetesGroups"] == ["one"]
    changed = {**given, "KubernetesGroups": ["two"]}
    stacks.update_stack(StackName="s", TemplateBody=json.dumps(template(**changed)))
    assert eks.describe_access_entry(**named)["accessEntry"]["kubernetesGroups"] == ["two"]
    stacks.delete_stack(StackName="s")
    assert eks.list_access_entries(clusterName="hp")["accessEntries"] == []


def test_an_access_entry_with_policies_is_refused() -> None:
    with pytest.raises(UnsupportedTemplate, match="property AccessPolicies is not emulated"):
        check(template(ClusterName="hp", PrincipalArn="arn", AccessPolicies=[]))


def test_there_are_quotas_for_instances_of_clusters(emulator: Emulator) -> None:
    pages = emulator.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    names = {quota["QuotaName"]: quota["Value"] for each in pages for quota in each["Quotas"]}
    assert names["ml.p5.48xlarge for cluster usage"] == 64.0


def test_nothing_of_kubernetes_is_loaded_without_a_cluster() -> None:
    import subprocess
    import sys

    script = (
        "import sys\n"
        "from nova_constructs.emulator import Emulator\n"
        "with Emulator():\n"
        "    loaded = [name for name in sys.modules if name.startswith('nova_constructs.emulator.kubernetes.')]\n"
        "print(','.join(sorted(loaded)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "nova_constructs.emulator.kubernetes.access"

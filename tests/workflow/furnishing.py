"""What an account has before a customization is deployed in it: a network and a key under given ids, an MLflow app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends

from nova_constructs.emulator import Emulator

_MLFLOW = {"RoleArn": "arn:aws:iam::123456789012:role/mlflow-of-the-account", "ArtifactStoreUri": "s3://mlflow"}


def furnish(emulator: Emulator, vpc: Mapping[str, Sequence[str]]) -> None:
    """Make the subnets and security groups, in one VPC, and the default app."""
    network(emulator, vpc)
    mlflow_app(emulator)


def mlflow_app(emulator: Emulator, name: str = "DefaultMLFlowApp") -> str:
    """Make an app and return its ARN."""
    return str(emulator.client("sagemaker").create_mlflow_app(Name=name, **_MLFLOW)["Arn"])


def key(emulator: Emulator, arn: str) -> None:
    """Make a KMS key under an ARN that a template already names; the service makes ids at random."""
    made = emulator.client("kms").create_key(Description="models")["KeyMetadata"]["KeyId"]
    held = kms_backends["123456789012"]["us-east-1"]
    key = held.keys.pop(made)
    key.id, key.arn = arn.rpartition("/")[2], arn
    held.keys[key.id] = key


def network(emulator: Emulator, vpc: Mapping[str, Sequence[str]]) -> None:
    """Make subnets and security groups under ids that a template already names; the service makes ids at random."""
    client = emulator.client("ec2")
    name = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    held = ec2_backends["123456789012"]["us-east-1"]
    for number, wanted in enumerate(vpc["subnets"]):
        made = client.create_subnet(VpcId=name, CidrBlock=f"10.0.{number}.0/24")["Subnet"]
        _rename(held.subnets[made["AvailabilityZone"]], made["SubnetId"], wanted)
    for wanted in vpc["security_groups"]:
        made = client.create_security_group(GroupName=wanted, Description="jobs", VpcId=name)
        _rename(held.groups[name], made["GroupId"], wanted)


def _rename(resources: dict[str, Any], made: str, wanted: str) -> None:
    resource = resources.pop(made)
    resource.id = wanted
    if hasattr(resource, "group_id"):
        resource.group_id = wanted
    resources[wanted] = resource

"""Deploy a synthesized cloud assembly: publish its assets, then create or update the stack."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from nova_constructs.emulator.aws import operator_client
from nova_constructs.emulator.cloudformation.preflight import check
from nova_constructs.emulator.state import EmulatorState

_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = "30"


class DeploymentError(Exception):
    """The assembly cannot be deployed; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDeployment:
    """A deployed stack: its outputs by name and its physical ids by logical id."""

    name: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)


def deploy(state: EmulatorState, assembly: Path, stack_name: str | None) -> StackDeployment:
    """Publish assets and create or update one stack of an assembly (the only one, unless it is named)."""
    name, template_file = _stack(assembly, stack_name)
    body = template_file.read_text()
    check(json.loads(body))
    _publish_assets(state, assembly, template_file.name.removesuffix(".template.json"))
    _create_or_update(state, name, body)
    return describe(state, name)


def destroy(state: EmulatorState, stack_name: str) -> None:
    """Delete a stack; resources that are retained stay."""
    operator_client(state, "cloudformation").delete_stack(StackName=stack_name)


def describe(state: EmulatorState, name: str) -> StackDeployment:
    """Return the outputs and resources of a deployed stack."""
    client = operator_client(state, "cloudformation")
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    resources = client.describe_stack_resources(StackName=name)["StackResources"]
    return StackDeployment(
        name=name,
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        resources={item["LogicalResourceId"]: item["PhysicalResourceId"] for item in resources},
    )


def _stack(assembly: Path, wanted: str | None) -> tuple[str, Path]:
    manifest_file = assembly / "manifest.json"
    if not manifest_file.is_file():
        raise DeploymentError(
            f"{assembly} is not a synthesized assembly: it has no manifest.json; run app.synth() first"
        )
    artifacts: dict[str, Any] = json.loads(manifest_file.read_text())["artifacts"]
    stacks = {
        item["properties"].get("stackName", name): assembly / item["properties"]["templateFile"]
        for name, item in artifacts.items()
        if item["type"] == "aws:cloudformation:stack"
    }
    if wanted is None and len(stacks) == 1:
        return next(iter(stacks.items()))
    if wanted not in stacks:
        raise DeploymentError(f"choose one of the stacks {', '.join(sorted(stacks))}; got {wanted}")
    return str(wanted), stacks[str(wanted)]


def _publish_assets(state: EmulatorState, assembly: Path, artifact: str) -> None:
    _put_bootstrap_version(state)
    manifest = assembly / f"{artifact}.assets.json"
    if not manifest.is_file():
        return
    assets = json.loads(manifest.read_text())
    if assets.get("dockerImages"):
        raise DeploymentError(f"{manifest.name} has Docker images, which the emulator cannot run")
    s3 = operator_client(state, "s3")
    for entry in assets["files"].values():
        for destination in entry["destinations"].values():
            bucket, key = (_filled(state, destination[part]) for part in ("bucketName", "objectKey"))
            _ensure_bucket(state, bucket)
            if not _exists(s3, bucket, key):
                s3.put_object(Bucket=bucket, Key=key, Body=_packaged(assembly, entry["source"]))


def _filled(state: EmulatorState, text: str) -> str:
    values = {"AccountId": state.account, "Region": state.region, "Partition": "aws"}
    for name, value in values.items():
        text = text.replace("${AWS::" + name + "}", value)
    return text


def _packaged(assembly: Path, source: Mapping[str, str]) -> bytes:
    path = assembly / source["path"]
    if source["packaging"] == "file":
        return path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path))
    return buffer.getvalue()


def _exists(s3: Any, bucket: str, key: str) -> bool:
    """Tell whether an asset was published: its name is the hash of its content."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return True


def _ensure_bucket(state: EmulatorState, bucket: str) -> None:
    s3 = operator_client(state, "s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        located = {} if state.region == "us-east-1" else {"LocationConstraint": state.region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": located} if located else {}))


def _put_bootstrap_version(state: EmulatorState) -> None:
    operator_client(state, "ssm").put_parameter(
        Name=_BOOTSTRAP_PARAMETER, Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )


def _create_or_update(state: EmulatorState, name: str, body: str) -> None:
    client = operator_client(state, "cloudformation")
    request = {"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    try:
        client.describe_stacks(StackName=name)
    except ClientError:
        client.create_stack(**request)
    else:
        client.update_stack(**request)

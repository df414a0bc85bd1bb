"""Small assemblies, written by hand, and functions of a few lines to run on the emulator."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

REGION, ACCOUNT = "us-east-1", "123456789012"
ASSETS = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"

Resource = dict[str, Any]


def trust(service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def allow(actions: str | list[str], resources: Any = "*", sid: str | None = None) -> dict[str, Any]:
    listed = [actions] if isinstance(actions, str) else actions
    name = sid or "".join(part.title() for part in listed[0].replace("*", "Any").split(":"))
    return {"Sid": name, "Effect": "Allow", "Action": listed, "Resource": resources}


def role(service: str, *statements: dict[str, Any]) -> Resource:
    properties: dict[str, Any] = {"AssumeRolePolicyDocument": trust(service)}
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        properties["Policies"] = [{"PolicyName": "Inline", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


LOGS = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*", "WriteLogs")


def function_role(*statements: dict[str, Any]) -> Resource:
    return role("lambda.amazonaws.com", LOGS, *statements)


def arn_of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def ref(logical_id: str) -> dict[str, Any]:
    return {"Ref": logical_id}


class Assembly:
    """A cloud assembly with one stack in a folder."""

    def __init__(self, folder: Path, stack: str = "Stack") -> None:
        self.folder, self.stack = folder, stack
        self.resources: dict[str, Resource] = {}
        self.outputs: dict[str, Any] = {}
        self._assets: dict[str, str] = {}

    def add(self, **resources: Resource) -> Assembly:
        self.resources.update(resources)
        return self

    def output(self, **values: Any) -> Assembly:
        self.outputs.update({name: {"Value": value} for name, value in values.items()})
        return self

    def code(self, files: Mapping[str, str]) -> dict[str, Any]:
        """Write files as an asset and return the Code property that names it."""
        name = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        for path, text in files.items():
            target = self.folder / f"asset.{name}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self._assets[name] = f"asset.{name}"
        return {"S3Bucket": {"Fn::Sub": ASSETS}, "S3Key": f"{name}.zip"}

    def function(self, logical_id: str, source: str, *, role_id: str = "FunctionRole", **properties: Any) -> Assembly:
        """Add a function whose handler is `index.handler`; its role is added unless it exists."""
        self.resources.setdefault(role_id, function_role())
        code = properties.pop("Code", None) or self.code({"index.py": source})
        given = {"Handler": "index.handler", "Runtime": "python3.13", "Timeout": 10, **properties}
        return self.add(
            **{
                logical_id: {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Code": code, "Role": arn_of(role_id), **given},
                }
            }
        )

    def machine(self, logical_id: str, definition: Mapping[str, Any], *statements: dict[str, Any]) -> Assembly:
        """Add a state machine with its role; write ${Name} in the definition for the ARN of a resource."""
        text = json.dumps(definition)
        names = [name for name in self.resources if "${" + name + "}" in text]
        role_id = f"{logical_id}Role"
        invoke = allow("lambda:InvokeFunction", "*")
        return self.add(
            **{
                role_id: role("states.amazonaws.com", invoke, *statements),
                logical_id: {
                    "Type": "AWS::StepFunctions::StateMachine",
                    "Properties": {
                        "DefinitionString": text,
                        "DefinitionSubstitutions": {name: arn_of(name) for name in names},
                        "RoleArn": arn_of(role_id),
                    },
                },
            }
        ).output(**{f"{logical_id}Arn": ref(logical_id)})

    def write(self) -> Path:
        """Write manifest, template and asset list; returns the folder."""
        self._put(f"{self.stack}.template.json", {"Resources": self.resources, "Outputs": self.outputs})
        files = {
            name: {
                "source": {"path": path, "packaging": "zip"},
                "destinations": {"here": {"bucketName": ASSETS, "objectKey": f"{name}.zip"}},
            }
            for name, path in self._assets.items()
        }
        self._put(f"{self.stack}.assets.json", {"version": "44.0.0", "files": files})
        stack = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": f"{self.stack}.template.json", "stackName": self.stack},
        }
        self._put("manifest.json", {"version": "44.0.0", "artifacts": {self.stack: stack}})
        return self.folder

    def _put(self, name: str, content: Any) -> None:
        (self.folder / name).write_text(json.dumps(content))


def invoke(emulator: Any, name: str, event: Any = None) -> Any:
    """Invoke a function; returns its answer as botocore gives it, with the payload read."""
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}))
    return answer, json.loads(answer["Payload"].read())


def run(emulator: Any, machine: str, given: Any = None, *, name: str | None = None) -> dict[str, Any]:
    """Start an execution and wait for its end."""
    return emulator.wait_for_execution(start(emulator, machine, given, name=name), timeout=20)


def start(emulator: Any, machine: str, given: Any = None, *, name: str | None = None) -> str:
    named = {"name": name} if name else {}
    client = emulator.client("stepfunctions")
    return client.start_execution(stateMachineArn=machine, input=json.dumps(given or {}), **named)["executionArn"]


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return what the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def history(emulator: Any, execution: str) -> Sequence[dict[str, Any]]:
    return emulator.client("stepfunctions").get_execution_history(executionArn=execution)["events"]


def messages(emulator: Any, queue_url: str) -> list[dict[str, Any]]:
    """Take every message from a queue."""
    client = emulator.client("sqs")
    taken: list[dict[str, Any]] = []
    while True:
        answer = client.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        found = answer.get("Messages", [])
        if not found:
            return taken
        for message in found:
            client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        taken += found

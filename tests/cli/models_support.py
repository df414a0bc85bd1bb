"""An account with models, deployments and the pointer of one customization, behind the clients that `nova` opens."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.runs import close_run
from tests.cli.cli_support import START, FakeAws, stack
from tests.protocol.protocol_memory import run_control

TAG = "NovaSupport/Support"
PARAMETER = f"/nova-constructs/{TAG}/production"
_ARN = "arn:aws:bedrock:us-east-1:123456789012"


class Terminal(io.StringIO):
    """A terminal at which somebody has typed an answer."""

    def isatty(self) -> bool:
        return True


def deployment_arn(run: str) -> str:
    return f"{_ARN}:custom-model-deployment/{run}"


def model_arn(run: str) -> str:
    return f"{_ARN}:custom-model/imported/{run}"


class _MissingError(Exception):
    """Stands for the modelled exception of Systems Manager."""


class _SsmExceptions:
    ParameterNotFound = _MissingError


@dataclass
class Account:
    """What each client answers; every change asked for is in `removed` and `invoked`."""

    stacks: list[Mapping[str, Any]] = field(default_factory=list)
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    invoked: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[dict[str, Any], bool]] = field(default_factory=list)
    exceptions = _SsmExceptions

    def __post_init__(self) -> None:
        self.control = run_control()
        described = stack("NovaSupport")
        more = {
            "RunControlTableName": "control", "CustomizationTag": TAG, "PointerParameterName": PARAMETER,
            "RollBackFunctionName": "roll-back", "ModelsKept": "1", "BakeMinutes": "0",
        }  # fmt: skip
        described["Outputs"] += [{"OutputKey": f"Support{key}", "OutputValue": value} for key, value in more.items()]
        self.stacks = [described]

    def client(self, service: str) -> Any:
        return FakeAws(*self.stacks) if service == "cloudformation" and self.stacks else self

    def served(self, *runs: str) -> None:
        """Import, deploy and promote a model of each run, in this order."""
        for number, run in enumerate(runs):
            made = START + timedelta(hours=number)
            self._add(model_arn(run), run, modelArn=model_arn(run), modelName=run, creationTime=made)
            self._add(
                deployment_arn(run), run, customModelDeploymentArn=deployment_arn(run), createdAt=made, status="Active",
                customModelDeploymentName=run, modelArn=model_arn(run),
            )  # fmt: skip
            self.promote(run, deployment_arn(run))

    def provisioned(self, run: str, units: int) -> str:
        """Make provisioned throughput of a run's model, which is there."""
        arn = f"{_ARN}:provisioned-model/{run}"
        self._add(
            arn, run, provisionedModelArn=arn, provisionedModelName=run, modelArn=model_arn(run), modelUnits=units,
            creationTime=START, status="InService",
        )  # fmt: skip
        return arn

    def promote(self, run: str, arn: str) -> None:
        lock = RunLock(self.control)
        Pointer(self.control).move(run, lock.acquire(run, f"arn:{run}", START), arn, model_arn=model_arn(run))
        lock.release(run)
        close_run(self.control, run)
        self.parameters[PARAMETER] = arn

    def _add(self, arn: str, run: str, **thing: Any) -> None:
        self.things[arn] = thing
        self.tags[arn] = {"nova-constructs:customization": TAG, "nova-constructs:run": run}

    def describe_stacks(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ValidationError", "Message": "Stack does not exist"}}, "DescribeStacks")

    def get_item(self, *, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        found = self.control.get({name: value["S"] for name, value in Key.items()})
        encode = lambda value: {"N": str(value)} if isinstance(value, int) else {"S": value}  # noqa: E731
        return {"Item": {name: encode(value) for name, value in found.items()}} if found else {}

    def _with(self, name: str) -> list[dict[str, Any]]:
        return [thing for thing in self.things.values() if name in thing]

    def list_custom_models(self, **_: Any) -> dict[str, Any]:
        return {"modelSummaries": self._with("modelName")}

    def list_custom_model_deployments(self, **_: Any) -> dict[str, Any]:
        return {"modelDeploymentSummaries": self._with("customModelDeploymentName")}

    def list_provisioned_model_throughputs(self, **_: Any) -> dict[str, Any]:
        return {"provisionedModelSummaries": self._with("provisionedModelName")}

    def list_tags_for_resource(self, *, resourceARN: str) -> dict[str, Any]:  # noqa: N803
        return {"tags": [{"key": key, "value": value} for key, value in self.tags[resourceARN].items()]}

    def delete_custom_model(self, *, modelIdentifier: str) -> None:  # noqa: N803
        self._remove(modelIdentifier)

    def delete_custom_model_deployment(self, *, customModelDeploymentIdentifier: str) -> None:  # noqa: N803
        self._remove(customModelDeploymentIdentifier)

    def delete_provisioned_model_throughput(self, *, provisionedModelId: str) -> None:  # noqa: N803
        self._remove(provisionedModelId)

    def _remove(self, arn: str) -> None:
        if arn in self.busy:
            raise ClientError({"Error": {"Code": "ConflictException", "Message": "it is in use"}}, "Delete")
        self.removed.append(arn)
        del self.things[arn]

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        if Name not in self.parameters:
            raise _MissingError
        return {"Parameter": {"Value": self.parameters[Name]}}

    def delete_parameter(self, *, Name: str) -> None:  # noqa: N803
        del self.parameters[Name]

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": "arn:aws:iam::123456789012:user/me"}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "roll-back"
        self.invoked.append(json.loads(Payload))
        told, failed = self.answers.pop(0)
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(told).encode())}
        return {**answer, "FunctionError": "Unhandled"} if failed else answer

    def runs_left(self) -> Iterable[str]:
        return sorted({arn.rpartition("/")[2] for arn in self.things})

"""An account in memory: one role, one key, quotas; each as it should be until a test changes it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/demo-jobs"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:score"
HYPERPOD_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:MySageMakerReward"
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "sagemaker.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
}


def refusal(code: str, operation: str, status: int = 400) -> ClientError:
    """Return the error that boto3 raises for a code."""
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


Decide = Callable[[str, str, Mapping[str, str]], Mapping[str, Any]]


class Iam:
    """IAM with one role; `decide` gives what differs from an allowed result of one action on one resource."""

    def __init__(self) -> None:
        self.trust: list[dict[str, Any]] = [TRUST]
        self.decide: Decide = lambda _action, _resource, _context: {}
        self.errors: dict[str, Exception] = {}
        self.asked: list[tuple[str, str]] = []
        self.arn = ROLE
        self.page = 100

    def get_role(self, **request: Any) -> Any:
        self._fail("GetRole")
        if not self.arn.endswith("/" + request["RoleName"]):
            raise refusal("NoSuchEntity", "GetRole", 404)
        return {"Role": {"Arn": self.arn, "AssumeRolePolicyDocument": {"Statement": self.trust}}}

    def simulate_principal_policy(self, **request: Any) -> Any:
        self._fail("SimulatePrincipalPolicy")
        [resource] = request["ResourceArns"]
        context = {each["ContextKeyName"]: each["ContextKeyValues"][0] for each in request["ContextEntries"]}
        self.asked += [(action, resource) for action in request["ActionNames"]]
        found = [self._result(action, resource, context) for action in request["ActionNames"]]
        start = int(request.get("Marker", 0))
        shown = found[start : start + self.page]
        end = start + len(shown)
        return {"EvaluationResults": shown, "IsTruncated": end < len(found), "Marker": str(end)}

    def _result(self, action: str, resource: str, context: Mapping[str, str]) -> dict[str, Any]:
        changed = self.decide(action, resource, context)
        return {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed", **changed}

    def _fail(self, operation: str) -> None:
        if operation in self.errors:
            raise self.errors[operation]


class Kms:
    """KMS with one key, whose metadata a test changes."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {
            "Arn": KEY, "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"
        }  # fmt: skip
        self.error: Exception | None = None

    def describe_key(self, **request: Any) -> Any:
        if self.error:
            raise self.error
        if request["KeyId"] != KEY:
            raise refusal("NotFoundException", "DescribeKey")
        return {"KeyMetadata": self.metadata}


class Quotas:
    """Service Quotas in pages of two."""

    def __init__(self) -> None:
        self.values = {f"ml.p5.48xlarge for {use}": 8.0 for use in ("training job usage", "training warm pool usage")}
        self.error: Exception | None = None

    def list_service_quotas(self, **request: Any) -> Any:
        if self.error:
            raise self.error
        assert request["ServiceCode"] == "sagemaker"
        named = [("ml.c5.xlarge for endpoint usage", 1.0), ("another", 0.0), *self.values.items()]
        quotas = [
            {"QuotaName": name, "QuotaCode": f"L-{number}", "Value": value}
            for number, (name, value) in enumerate(named)
        ]
        start = int(request.get("NextToken", 0))
        more = {"NextToken": str(start + 2)} if start + 2 < len(quotas) else {}
        return {"Quotas": quotas[start : start + 2], **more}


class Functions:
    """Lambda with one function, whose configuration a test changes."""

    def __init__(self) -> None:
        self.configuration: dict[str, Any] = {"FunctionArn": FUNCTION, "State": "Active"}
        self.error: Exception | None = None
        self.asked: list[str] = []

    def get_function_configuration(self, **request: Any) -> Any:
        self.asked.append(request["FunctionName"])
        if self.error:
            raise self.error
        if request["FunctionName"] not in (FUNCTION, HYPERPOD_FUNCTION):
            raise refusal("ResourceNotFoundException", "GetFunctionConfiguration", 404)
        return self.configuration


class Caller(Functions):
    """Lambda that can be called too, and answers as a test says."""

    def __init__(self, told: Any = None, *, refused: Exception | None = None, failed: bool = False) -> None:
        super().__init__()
        self.told, self.refused, self.failed = told, refused, failed
        self.called: list[tuple[str, Any]] = []

    def invoke(self, **request: Any) -> Any:
        self.called.append((request["FunctionName"], json.loads(request["Payload"])))
        if self.refused:
            raise self.refused
        answer = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(self.told).encode())}
        return answer | ({"FunctionError": "Unhandled"} if self.failed else {})


class Ec2:
    """EC2 with two subnets and two security groups of one VPC, in pages of one."""

    def __init__(self) -> None:
        self.subnets = {f"subnet-{name}": {"VpcId": "vpc-1", "AvailableIpAddressCount": 20} for name in "ab"}
        self.groups = {f"sg-{name}": {"VpcId": "vpc-1"} for name in "ab"}
        self.error: Exception | None = None

    def describe_subnets(self, **request: Any) -> Any:
        return self._page("Subnets", "SubnetId", self.subnets, "subnet-id", request)

    def describe_security_groups(self, **request: Any) -> Any:
        return self._page("SecurityGroups", "GroupId", self.groups, "group-id", request)

    def _page(self, member: str, name: str, held: Mapping[str, Any], key: str, request: Any) -> Any:
        if self.error:
            raise self.error
        [wanted] = request["Filters"]
        assert wanted["Name"] == key
        found = [{name: each, **value} for each, value in held.items() if each in wanted["Values"]]
        start = int(request.get("NextToken", 0))
        more = {"NextToken": str(start + 1)} if start + 1 < len(found) else {}
        return {member: found[start : start + 1], **more}


class Mlflow:
    """SageMaker with tracking servers and apps by ARN, name and status, in pages of one."""

    def __init__(self) -> None:
        self.servers: dict[str, str] = {}
        self.apps: dict[str, tuple[str, str]] = {}
        self.error: Exception | None = None
        self.asked: list[str] = []

    def list_mlflow_apps(self, **request: Any) -> Any:
        apps = [{"Arn": arn, "Name": name, "Status": status} for arn, (name, status) in self.apps.items()]
        return self._page("ListMlflowApps", "Summaries", apps, request)

    def list_mlflow_tracking_servers(self, **request: Any) -> Any:
        servers = [{"TrackingServerArn": arn, "TrackingServerStatus": status} for arn, status in self.servers.items()]
        return self._page("ListMlflowTrackingServers", "TrackingServerSummaries", servers, request)

    def describe_mlflow_app(self, **request: Any) -> Any:
        self._note("DescribeMlflowApp")
        if request["Arn"] not in self.apps:
            raise refusal("ResourceNotFound", "DescribeMlflowApp")
        return {"Arn": request["Arn"], "Status": self.apps[request["Arn"]][1]}

    def describe_mlflow_tracking_server(self, **request: Any) -> Any:
        self._note("DescribeMlflowTrackingServer")
        for arn, status in self.servers.items():
            if arn.endswith(f"/{request['TrackingServerName']}"):
                return {"TrackingServerArn": arn, "TrackingServerStatus": status}
        raise refusal("ResourceNotFound", "DescribeMlflowTrackingServer")

    def _page(self, operation: str, member: str, held: list[Any], request: Any) -> Any:
        self._note(operation)
        start = int(request.get("NextToken", 0))
        more = {"NextToken": str(start + 1)} if start + 1 < len(held) else {}
        return {member: held[start : start + 1], **more}

    def _note(self, operation: str) -> None:
        self.asked.append(operation)
        if self.error:
            raise self.error

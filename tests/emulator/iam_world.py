"""A server with nothing but moto and the IAM guard, for tests of the guard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from nova_constructs.emulator import server
from nova_constructs.emulator.aws import client_as, operator_client
from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.iam import credentials, guard
from nova_constructs.emulator.iam.recorder import Recorder
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators.faults import Faults
from nova_constructs.emulator.state import EmulatorState
from tests.emulator.iam_support import ACCOUNT, REGION, document

LAMBDA_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass(frozen=True)
class World:
    """The running server, with clients of the operator and of roles."""

    state: EmulatorState

    @property
    def calls(self) -> Recorder:
        """Give the recorder."""
        recorder: Recorder = self.state.calls
        return recorder

    def client(self, service: str) -> Any:
        """Give the operator's client."""
        return operator_client(self.state, service)

    def role(self, *statements: dict[str, Any], name: str = "Worker", trust: dict[str, Any] | None = None) -> str:
        """Make a role with one inline policy and give its ARN."""
        iam = self.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust or LAMBDA_TRUST))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="Granted", PolicyDocument=document(*statements))
        arn: str = made["Role"]["Arn"]
        return arn

    def grant(self, *statements: dict[str, Any], name: str = "Worker") -> None:
        """Replace the role's policy."""
        self.client("iam").put_role_policy(RoleName=name, PolicyName="Granted", PolicyDocument=document(*statements))

    def act(self, service: str, name: str = "Worker") -> Any:
        """Give a client of a session of a role that Lambda assumed."""
        keys = credentials.for_role(f"arn:aws:iam::{ACCOUNT}:role/{name}", "lambda.amazonaws.com", "session")
        return client_as(self.state, service, keys)

    def key(self, *statements: dict[str, Any]) -> str:
        """Make a KMS key with a policy and give its ARN."""
        made = self.client("kms").create_key(Policy=document(*statements))
        arn: str = made["KeyMetadata"]["Arn"]
        return arn

    def bucket(self, name: str, *, key_arn: str | None = None, bucket_key: bool = True) -> Any:
        """Make a bucket, encrypted with a key if one is given, and give the operator's S3 client."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name)
        if key_arn:
            applied = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
            rule = {"ApplyServerSideEncryptionByDefault": applied, "BucketKeyEnabled": bucket_key}
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        return s3

    def bucket_policy(self, name: str, *statements: dict[str, Any]) -> None:
        """Attach a policy to a bucket."""
        self.client("s3").put_bucket_policy(Bucket=name, Policy=document(*statements))


def allow(action: str | list[str], resource: str | list[str] = "*", sid: str = "", **more: Any) -> dict[str, Any]:
    """Make an Allow statement."""
    named = {"Sid": sid} if sid else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **named, **more}


def refused(function: Any, **params: Any) -> tuple[str, str, int]:
    """Call something that must fail and give its error code, message and HTTP status."""
    try:
        function(**params)
    except ClientError as error:
        details = error.response["Error"]
        return details["Code"], details["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"{function} was allowed: {json.dumps(params, default=str)}")


@contextmanager
def running() -> Iterator[World]:
    """Serve moto under the guard."""
    BackendDict.reset()
    state = EmulatorState(
        account=ACCOUNT, region=REGION, clock=SimulatedClock(), faults=Faults(), simulation=Simulation()
    )
    stop_server = server.install(state, server.listen(0))
    undo_guard = guard.install(state)
    try:
        yield World(state)
    finally:
        undo_guard()
        stop_server()
        state.clock.stop()
        BackendDict.reset()

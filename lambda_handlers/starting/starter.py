"""Starts executions of the customization's own state machine (states:StartExecution, s3:PutObject)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import error_code, service_errors
from lambda_handlers.protocol.names import canonical


@dataclass(frozen=True, kw_only=True, slots=True)
class StateMachineStarter:
    """Start executions of one state machine."""

    state_machine_arn: str
    artifacts_bucket: str

    def start(self, name: str, document: Mapping[str, Any]) -> str:
        """Start an execution and return its ARN; one of this name that was started before is the same."""
        try:
            with service_errors():
                answer = client("stepfunctions").start_execution(
                    stateMachineArn=self.state_machine_arn, name=name, input=canonical(dict(document))
                )
        except Exception as error:
            # Told once it has ended; while it runs, the same name and input are answered as the first time.
            if error_code(error) != "ExecutionAlreadyExists":
                raise
            return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        return str(answer["executionArn"])

    def write(self, key: str, body: bytes) -> str:
        """Keep an object in the artifacts bucket and return its address."""
        with service_errors():
            client("s3").put_object(Bucket=self.artifacts_bucket, Key=key, Body=body, ContentType="application/json")
        return f"s3://{self.artifacts_bucket}/{key}"


def output_of(execution_arn: str) -> str:
    """Return the output of an execution (states:DescribeExecution), which a large event leaves out."""
    with service_errors():
        return str(client("stepfunctions").describe_execution(executionArn=execution_arn).get("output") or "")

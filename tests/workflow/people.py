"""People of the account: who they are, and how they answer."""

from __future__ import annotations

import json
from typing import Any

from botocore.credentials import Credentials

from lambda_handlers.approval.binding import Statement
from nova_constructs.cli.approval.signing import presign
from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY
from tests.workflow.harness import Workflow, jsonl, until

ACCOUNT = "123456789012"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
_keys: dict[str, tuple[str, str, str]] = {"operator": (OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, "")}


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def enter(workflow: Workflow) -> None:
    """Make alice and bob, who may call everything, carol, a session of the role Release, and dave, who may nothing."""
    iam = workflow.emulator.client("iam")
    for name in ("alice", "bob", "dave"):
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        _keys[name] = (key["AccessKeyId"], key["SecretAccessKey"], "")
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=_policy(workflow, answers=name != "dave"))
    iam.create_role(RoleName="Release", AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.put_role_policy(RoleName="Release", PolicyName="p", PolicyDocument=_policy(workflow, answers=True))
    sts = workflow.emulator.client("sts")
    session = sts.assume_role(RoleArn=role_arn("Release"), RoleSessionName="carol")["Credentials"]
    _keys["carol"] = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])


def _policy(workflow: Workflow, *, answers: bool) -> str:
    """Return what it takes to answer, and to start runs."""
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{workflow['ApprovalFunctionName']}"
    allowed = {
        "*": ["cloudformation:DescribeStacks", "states:DescribeExecution", "states:StartExecution", "s3:PutObject"],
    }
    allowed["*"] += ["kms:GenerateDataKey", "kms:Decrypt"]
    if answers:
        allowed[function] = ["lambda:InvokeFunction"]
    found = [{"Effect": "Allow", "Action": actions, "Resource": resource} for resource, actions in allowed.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": found})


def environment(workflow: Workflow, who: str) -> dict[str, str]:
    """Return the environment of somebody's shell."""
    key, secret, token = _keys[who]
    return {
        "AWS_ENDPOINT_URL": workflow.emulator.state.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "NOVA_STACK": "Nova-Demo",
    }


def presigned(workflow: Workflow, who: str, run: str, decision: str, reason: str, secret: str | None = None) -> str:
    """Return what proves that somebody says this of a run; with another secret it proves nothing."""
    key, own, token = _keys[who]
    said = Statement(workflow=workflow["StateMachineArn"], run_id=run, decision=decision, reason=reason)
    return presign(said, Credentials(key, secret or own, token or None), workflow.emulator.state.endpoint)


def answer(workflow: Workflow, who: str, run: str, decision: str, reason: str, identity: str) -> dict[str, Any]:
    """Call the function that takes answers as somebody."""
    request = {"run": run, "decision": decision, "reason": reason, "identity": identity}
    client = client_as(workflow.emulator.state, "lambda", _keys[who])
    told = client.invoke(FunctionName=workflow["ApprovalFunctionName"], Payload=json.dumps(request).encode())
    assert "FunctionError" not in told, told["Payload"].read()
    return dict(json.loads(told["Payload"].read()))


def item(workflow: Workflow, run: str) -> dict[str, Any]:
    """Return the item of a run's approval."""
    found = workflow.emulator.client("dynamodb").get_item(
        TableName=workflow["RunControlTableName"], Key={"item": {"S": f"approval/{run}"}}
    )
    return dict(found.get("Item", {}))


def wait_until_asked(workflow: Workflow, arn: str) -> None:
    """Wait until the message of a run is sent; time then hardly passes while somebody answers."""
    run = arn.rsplit(":", 1)[1]
    until(lambda: _asked(workflow, run), lambda: f"the approval of {run}; it entered {workflow.path(arn)}")


def _asked(workflow: Workflow, run: str) -> bool | None:
    return any(row["type"]["S"] == "approval_requested" for row in ledger(workflow, run)) or None


def ledger(workflow: Workflow, run: str) -> list[dict[str, Any]]:
    """Return what the ledger has of a run so far."""
    found: list[dict[str, Any]]
    found = workflow.emulator.client("dynamodb").query(
        TableName=workflow["RunLedgerTableName"],
        KeyConditionExpression="run_id = :run",
        ExpressionAttributeValues={":run": {"S": run}},
    )["Items"]
    return found


def subscribed_queue(workflow: Workflow) -> str:
    """Return the URL of a queue that gets what the topic is told."""
    url: str = workflow.emulator.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:told"
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": queue}]}
    workflow.emulator.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    workflow.emulator.client("sns").subscribe(
        TopicArn=workflow["TopicArn"],
        Protocol="sqs",
        Endpoint=queue,
        Attributes={"FilterPolicy": json.dumps({"event": ["approval_requested"]})},
    )
    return url


def received(workflow: Workflow, queue: str) -> dict[str, Any] | None:
    """Return the next message of a queue, or None."""
    found = workflow.emulator.client("sqs").receive_message(QueueUrl=queue).get("Messages")
    return dict(json.loads(found[0]["Body"])) if found else None


def dataset(salt: str) -> bytes:
    return jsonl([{"question": f"{salt}: what is {n} plus one?", "answer": str(n + 1)} for n in range(20)])

"""Batch inference through Amazon Bedrock: the role of its jobs, and the functions that send and read them.

Source: Bedrock guide, "Create a custom service role for batch inference", "Required permissions for batch inference".
"""

from __future__ import annotations

from aws_cdk import Duration, Size, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers.catalog.batch_models import batch_model
from nova_constructs.batch_inference import BatchInference
from nova_constructs.execution_role import service_of_this_account
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.stage import Workshop
from nova_constructs.training import list_job_output, output_reader

_RECORDS = "runs/*/batch-inference/records/*"
_ROWS = "runs/*/batch-inference/*"


def batch_role(scope: Construct, workshop: Workshop, inference: BatchInference) -> iam.Role:
    """Return the role that Bedrock takes for this account's jobs: it reads records, writes answers, and no more."""
    stack, store = Stack.of(scope), workshop.store
    role = iam.Role(
        scope,
        "BatchRole",
        assumed_by=service_of_this_account(
            stack, "bedrock.amazonaws.com", workshop.waiting.permissions.invocation_jobs
        ),
    )
    artifacts = store.artifacts
    list_only = {"StringLike": {"s3:prefix": [_RECORDS]}}
    statements = [
        statement("ReadRecords", ["s3:GetObject"], [artifacts.arn_for_objects(_RECORDS)]),
        statement("ListRecords", ["s3:ListBucket"], [artifacts.bucket_arn], list_only),
        statement("WriteOutput", ["s3:PutObject"], [artifacts.arn_for_objects("runs/*/jobs/*")]),
        statement("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [store.key.key_arn]),
    ]
    if (found := batch_model(inference.model_id or "")) and found.profile:
        # A profile sends records to Regions of its own, where the role has to be let in too.
        statements.append(statement("InvokeThroughProfile", ["bedrock:InvokeModel"], _models(stack, inference)))
    for each in statements:
        role.add_to_policy(each)
    return role


def bedrock_submitter(
    scope: Construct, workshop: Workshop, inference: BatchInference, role: iam.IRole
) -> HandlerFunction:
    """Return the function that writes the records and starts the job."""
    store = workshop.store
    function = HandlerFunction(
        scope,
        "Submit",
        handler="submit_model_invocation",
        timeout=Duration.minutes(15),
        memory_mib=1769,
        environment={
            **workshop.identity.environment,
            **workshop.waiting.environment,
            **workshop.control.environment,
            **workshop.ledger.environment,
            "ARTIFACTS_BUCKET": store.artifacts.bucket_name,
            "BATCH_ROLE_ARN": role.role_arn,
            "KEY_ARN": store.key.key_arn,
        },
    )
    function.read_objects("ReadRows", store.prepared, _ROWS)
    function.write_objects("WriteRecords", store.artifacts, _RECORDS, multipart=True)
    workshop.waiting.allow_submitting(function)
    list_job_output(function, store.artifacts)
    models = _models(Stack.of(scope), inference)
    workshop.waiting.permissions.create_invocation_jobs(function, role, models)
    return function


def bedrock_reader(scope: Construct, workshop: Workshop) -> HandlerFunction:
    """Return the function that reads the answers; it keeps them beside its memory until their order is restored."""
    function = output_reader(
        scope,
        "Read",
        "read_model_invocation",
        workshop,
        timeout=Duration.minutes(15),
        memory_mib=1769,
        scratch=Size.gibibytes(4),
    )
    function.read_objects("ReadRows", workshop.store.prepared, _ROWS)
    return function


def _models(stack: Stack, inference: BatchInference) -> list[str]:
    """Return the ARNs of the foundation model, and of the profile through which it is asked."""
    found = batch_model(inference.model_id or "")
    if found is None:
        raise ValueError(f"model_id {inference.model_id!r} was not checked")
    partition = stack.partition
    if found.profile is None:
        return [f"arn:{partition}:bedrock:{stack.region}::foundation-model/{found.model}"]
    profile = stack.format_arn(service="bedrock", resource="inference-profile", resource_name=found.profile)
    return [profile, f"arn:{partition}:bedrock:*::foundation-model/{found.model}"]

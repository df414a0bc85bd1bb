"""One deployed function of the workflow: code, role, log group and published version.

Creates a Lambda function from one file of `lambda_handlers`, a role with nothing but what `allow` adds, and a log
group. Each statement carries a Sid that says what it is for, so that a permission can be traced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from nova_constructs.handler_assets import handler_code, third_party_code

# What DynamoDB asks of its callers on a customer managed key (DynamoDB guide, "Encryption at rest: usage notes").
TABLE_KEY_ACTIONS = (
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
)
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


class HandlerFunction(Construct):
    """A Lambda function that runs `lambda_handlers.<handler>.handler` under a role of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        environment: Mapping[str, str],
        timeout: Duration | None = None,
        memory_mib: int = 512,
        third_party: bool = False,
        scratch: Size | None = None,
    ) -> None:
        """Create the function.

        `handler` is a module name of `lambda_handlers`. `timeout` defaults to two minutes. `third_party` adds the layer
        with orjson and PyYAML. `scratch` is the room under /tmp, by default 512 MiB. Versions that executions may still
        name are kept when the code changes.
        """
        super().__init__(scope, construct_id)
        self._key_uses: dict[str, iam.PolicyStatement] = {}
        self.timeout = timeout or Duration.minutes(2)
        self.log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.log_group_arn])
        code = handler_code()
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"Nova Constructs: {handler.replace('_', ' ')}",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"lambda_handlers.{handler}.handler",
            code=lambda_.Code.from_asset(str(code.path), asset_hash=code.sha256),
            role=self.role,
            environment=dict(environment),
            timeout=self.timeout,
            memory_size=memory_mib,
            ephemeral_storage_size=scratch,
            log_group=self.log_group,
            layers=[_third_party_layer(self)] if third_party else None,
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )

    @property
    def version_arn(self) -> str:
        """The ARN of the published version of this code and configuration."""
        return self.function.current_version.function_arn

    def allow(
        self,
        sid: str,
        actions: Sequence[str],
        resources: Sequence[str],
        conditions: Mapping[str, object] | None = None,
    ) -> None:
        """Add one statement, named by its purpose, to the function's role."""
        self.role.add_to_policy(statement(sid, actions, resources, conditions))

    def use_key(self, key: kms.IKey, service: str, *actions: str) -> None:
        """Let the role use a KMS key, but only through the named service (`s3`, `dynamodb`)."""
        if service not in self._key_uses:
            through = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(self).region}.amazonaws.com"}}
            self._key_uses[service] = statement(f"UseKeyThrough{service.title()}", [], [key.key_arn], through)
            self.role.add_to_policy(self._key_uses[service])
        known = self._key_uses[service].actions
        self._key_uses[service].add_actions(*(action for action in actions if action not in known))

    def read_objects(self, sid: str, bucket: s3.IBucket, *patterns: str, action: str = "s3:GetObject") -> None:
        """Let the role read the objects of a bucket that match one of the key patterns."""
        self.allow(sid, [action], [bucket.arn_for_objects(pattern) for pattern in patterns])
        if bucket.encryption_key:
            self.use_key(bucket.encryption_key, "s3", "kms:Decrypt")

    def write_objects(self, sid: str, bucket: s3.IBucket, pattern: str, *, multipart: bool = False) -> None:
        """Let the role write objects that match a key pattern; a multipart upload also decrypts its own parts."""
        actions = ["s3:PutObject", *(["s3:AbortMultipartUpload"] if multipart else [])]
        self.allow(sid, actions, [bucket.arn_for_objects(pattern)])
        if bucket.encryption_key:
            self.use_key(bucket.encryption_key, "s3", "kms:GenerateDataKey", *(["kms:Decrypt"] if multipart else []))

    def use_table(self, sid: str, table: dynamodb.Table, *actions: str, indexes: Sequence[str] = ()) -> None:
        """Let the role make the given DynamoDB calls on a table and its indexes."""
        arns = [table.table_arn, *(f"{table.table_arn}/index/{name}" for name in indexes)]
        self.allow(sid, [f"dynamodb:{action}" for action in actions], arns)
        if table.encryption_key:
            self.use_key(table.encryption_key, "dynamodb", *TABLE_KEY_ACTIONS)


def statement(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    """Return an Allow statement with a Sid; `conditions` are in IAM's own JSON form."""
    return iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=list(resources), conditions=dict(conditions) if conditions else None
    )


def _third_party_layer(scope: Construct) -> lambda_.ILayerVersion:
    """Return the stack's one layer of third-party code, made when first asked for."""
    stack = Stack.of(scope)
    found = stack.node.try_find_child("NovaThirdPartyCode")
    if isinstance(found, lambda_.LayerVersion):
        return found
    code = third_party_code(str(ARCHITECTURE.name))
    return lambda_.LayerVersion(
        stack,
        "NovaThirdPartyCode",
        description="orjson and PyYAML for Nova Constructs",
        code=lambda_.Code.from_asset(str(code.path), asset_hash=code.sha256),
        compatible_runtimes=[RUNTIME],
        compatible_architectures=[ARCHITECTURE],
    )

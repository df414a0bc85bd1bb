"""The role that training and evaluation jobs run under, with what SageMaker documents for it and this workflow uses.

Source: SageMaker guide, "SageMaker AI roles", CreateTrainingJob; registry accounts from the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from aws_cdk import Stack, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers.catalog import images, regions
from lambda_handlers.catalog.mlflow import MlflowKind, mlflow_resource
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.handler_function import statement
from nova_constructs.platforms import TrainingJobs

_ROLE_ARN: Final = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/[\w+=,.@/-]+")
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"


def service_of_this_account(stack: Stack, service: str, source: str | None = None) -> iam.ServicePrincipal:
    """Return a service principal that may act only for this account.

    `source` narrows that to sources of an ARN pattern, where the service documents which ARN it gives.
    """
    conditions: dict[str, object] = {"StringEquals": {"aws:SourceAccount": stack.account}}
    if source:
        conditions["ArnLike"] = {"aws:SourceArn": source}
    return iam.ServicePrincipal(service, conditions=conditions)


def role_problems(
    scope: Construct, given: iam.IRole | str | None, name: str = "execution_role", service: str = "SageMaker"
) -> Iterable[str]:
    """Yield why a service cannot take a role of the user's own: no ARN of a role, or one of another account."""
    arn = given if given is None or isinstance(given, str) else given.role_arn
    if arn is None or Token.is_unresolved(arn):
        return
    found, account = _ROLE_ARN.fullmatch(arn), Stack.of(scope).account
    if found is None:
        yield f"{name} is {arn!r}: use a role or its ARN, such as arn:aws:iam::111122223333:role/nova-jobs"
    elif not Token.is_unresolved(account) and found["account"] != account:
        yield (
            f"{name} is of account {found['account']}, the stack of {account}: {service} takes no role of "
            "another account"
        )


class ExecutionRole(Construct):
    """The role of training and evaluation jobs. Attributes: `role`; `statements`, what it has to be allowed."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        store: ArtifactStore,
        platforms: Sequence[TrainingJobs],
        functions: Iterable[str] = (),
        given: iam.IRole | str | None = None,
    ) -> None:
        """Create the role; it may do what the jobs on `platforms` need, call the `functions` (ARNs), and no more.

        A role that is `given`, or its ARN, is used as it is: nothing is attached to it and its trust stays. What its
        owner has to allow it is in `statements`; each run checks that before anything is spent.
        """
        super().__init__(scope, construct_id)
        self._stack = Stack.of(self)
        self.statements: list[iam.PolicyStatement] = []
        self._read_inputs(store)
        self._write_output(store)
        self._pull_images()
        self._write_logs()
        self._join_vpcs(platforms)
        self._encrypt_volumes(platforms)
        self._track(platforms)
        if called := _once(functions):
            self._allow("CallRewardFunction", ["lambda:InvokeFunction"], called)
        self.role = self._used(given) if given is not None else self._made()

    def _made(self) -> iam.IRole:
        role = iam.Role(self, "Role", assumed_by=service_of_this_account(self._stack, "sagemaker.amazonaws.com"))
        for each in self.statements:
            role.add_to_policy(each)
        return role

    def _used(self, given: iam.IRole | str) -> iam.IRole:
        if isinstance(given, str):
            return iam.Role.from_role_arn(self, "Role", given, mutable=False)
        return given

    def _allow(
        self, sid: str, actions: list[str], resources: list[str], conditions: dict[str, object] | None = None
    ) -> None:
        self.statements.append(statement(sid, actions, resources, conditions))

    def _read_inputs(self, store: ArtifactStore) -> None:
        # Evaluation sets, too, are read as they were frozen for the run, beside its prepared data.
        objects = [store.prepared.arn_for_objects("runs/*"), store.artifacts.arn_for_objects("runs/*/recipe/*")]
        self._allow("ReadInputs", ["s3:GetObject"], objects)
        buckets = [store.prepared.bucket_arn, store.artifacts.bucket_arn]
        self._allow("ListInputs", ["s3:ListBucket"], buckets, {"StringLike": {"s3:prefix": ["runs/*"]}})
        self._allow("UseKey", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], [store.key.key_arn])

    def _write_output(self, store: ArtifactStore) -> None:
        self._allow("WriteOutput", ["s3:PutObject"], [store.artifacts.arn_for_objects("runs/*/jobs/*")])

    def _pull_images(self) -> None:
        region = self._stack.region
        known = regions.REGIONS if Token.is_unresolved(region) else {region: regions.region(region)}
        repositories = [
            f"arn:{self._stack.partition}:ecr:{name}:{found.registry_account}:repository/{repository}"
            for name, found in known.items()
            for repository in (images.FINE_TUNE_REPOSITORY, images.EVALUATION_REPOSITORY)
        ]
        pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        self._allow("PullImages", pull, repositories)
        # The action has no resource form (Service Authorization Reference, Amazon ECR).
        self._allow("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"])

    def _write_logs(self) -> None:
        group = f"arn:{self._stack.partition}:logs:{self._stack.region}:{self._stack.account}:log-group:{TRAINING_LOGS}"
        write = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        self._allow("WriteLogs", write, [f"{group}:*"])
        # The action has no resource form; its namespaces are those of training jobs.
        metrics: dict[str, object] = {"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*"]}}
        self._allow("PublishMetrics", ["cloudwatch:PutMetricData"], ["*"], metrics)

    def _join_vpcs(self, platforms: Sequence[TrainingJobs]) -> None:
        vpcs = [platform.vpc for platform in platforms if platform.vpc]
        if not vpcs:
            return
        # A shared subnet and its interfaces' security groups may belong to another account.
        ec2 = f"arn:{self._stack.partition}:ec2:{self._stack.region}"
        subnets = _once(f"{ec2}:*:subnet/{name}" for vpc in vpcs for name in vpc.subnets)
        groups = _once(f"{ec2}:*:security-group/{name}" for vpc in vpcs for name in vpc.security_groups)
        interfaces = f"{ec2}:*:network-interface/*"
        self._allow("CreateNetworkInterfaces", ["ec2:CreateNetworkInterface"], [*subnets, *groups, interfaces])
        attach = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"]
        self._allow("UseNetworkInterfaces", attach, [interfaces], {"ArnEquals": {"ec2:Subnet": subnets}})
        # Permissions of interfaces have no ARN, and describing has no resource form (Service Authorization Reference).
        look = ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")
        actions = ["ec2:DeleteNetworkInterfacePermission", *(f"ec2:Describe{what}" for what in look)]
        self._allow("SeeNetwork", actions, ["*"])

    def _encrypt_volumes(self, platforms: Sequence[TrainingJobs]) -> None:
        keys = _once(platform.volume_key_arn for platform in platforms if platform.volume_key_arn)
        if keys:
            # EBS decrypts by the grant, so that nothing but making one for it is needed.
            only: dict[str, object] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
            self._allow("EncryptVolumes", ["kms:CreateGrant"], keys, only)

    def _track(self, platforms: Sequence[TrainingJobs]) -> None:
        arns = [platform.mlflow.resource_arn for platform in platforms if platform.mlflow and not platform.mlflow.uri]
        for kind in MlflowKind if arns else ():
            known = _once(arn for arn in arns if arn and (Token.is_unresolved(arn) or _kind(arn) is kind))
            # Which one is the default is known when a run is planned.
            any_of_ours = self._stack.format_arn(service="sagemaker", resource=kind.value, resource_name="*")
            places = [*known, *([any_of_ours] if None in arns else [])]
            if places:
                self._allow(f"TrackIn{kind.name.title()}", list(kind.actions), places)


def _kind(arn: str) -> MlflowKind | None:
    found = mlflow_resource(arn)
    return found.kind if found else None


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))

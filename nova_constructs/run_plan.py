"""The first stage: everything that can be checked is checked before anything is spent.

Input: the execution input (schema: `lambda_handlers/planning/execution_input.v1.schema.json`).
Output: `$.run` and `$.plan`, which replace the input. A run whose turn has come is planned again, from the same input.
Errors: `InvalidRequest`, `UnsupportedCombination`, `RecipeInvalid`, `CostCeilingExceeded`, `QuotaExceeded`: one, with
every problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aws_cdk import Duration, Stack, Token
from constructs import Construct

from lambda_handlers.catalog.mlflow import MlflowKind, mlflow_resource
from lambda_handlers.planning.account_checks import all_jobs_of
from lambda_handlers.planning.resource_checks import Job, functions_of, vpcs_of
from nova_constructs.artifact_store import DATASETS_PREFIX, EVALUATION_PREFIX, LISTS, UPLOADS_PREFIX
from nova_constructs.cluster_access import ClusterAccess
from nova_constructs.execution_role import ExecutionRole
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import EXECUTION, lambda_task
from nova_constructs.model_packages import allow_seeing
from nova_constructs.stage import Stage, Workshop
from nova_constructs.tracking_probe import TrackingProbe, let_ask, probed_vpcs

PUBLIC_HUB = "SageMakerPublicHub"


class RunPlan(Stage):
    """Checks the input, pins the dataset, renders the recipe, takes the lock.

    Attributes: `plan`; `probes`, functions that ask an MLflow server from the VPCs of the jobs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        execution_role: ExecutionRole | None,
        config: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, construct_id)
        store, control, ledger = workshop.store, workshop.control, workshop.ledger
        self.plan = HandlerFunction(
            self,
            "Plan",
            handler="plan_run",
            third_party=True,
            timeout=Duration.minutes(15),
            memory_mib=1024,
            environment={
                **workshop.identity.environment,
                **control.environment,
                **ledger.environment,
                "RUN_LEDGER_TABLE": ledger.table.table_name,
                "PREPARED_BUCKET": store.prepared.bucket_name,
                "ARTIFACTS_BUCKET": store.artifacts.bucket_name,
                **({"TRAINING_ROLE_ARN": execution_role.role.role_arn} if execution_role else {}),
                "KEY_ARN": store.key.key_arn,
            },
        )
        self._permissions(workshop)
        jobs = all_jobs_of(config)
        deployment = config.get("deployment") or {}
        model_keys = [arn for arn in [deployment.get("model_key_arn")] if arn]
        self._see_account(execution_role, [store.key.key_arn, *_volume_keys(jobs), *model_keys])
        allow_seeing(self.plan, deployment.get("model_package_groups", ()))
        self._see_clusters(workshop.waiting.permissions.clusters, jobs)
        self._see_what_jobs_use(jobs)
        self.probes = [
            TrackingProbe(self, f"TrackingProbe{number}", vpc=vpc)
            for number, vpc in enumerate(probed_vpcs(jobs), start=1)
        ]
        let_ask(self.plan, self.probes)
        if deployment.get("name"):
            workshop.waiting.permissions.find_serving(self.plan)
        self.run_in_order(
            lambda_task(
                self,
                "PlanRun",
                function=self.plan,
                payload={"input.$": "$$.Execution.Input", "execution": EXECUTION, "config": dict(config)},
                result_path="$",
            )
        )

    def _permissions(self, workshop: Workshop) -> None:
        store = workshop.store
        datasets = (f"{DATASETS_PREFIX}*", f"{UPLOADS_PREFIX}*")
        self.plan.read_objects("FindDataset", store.incoming, *datasets)
        self.plan.read_objects("ReadDataset", store.incoming, *datasets, action="s3:GetObjectVersion")
        folders = {"StringLike": {"s3:prefix": [f"{DATASETS_PREFIX}*/", f"{UPLOADS_PREFIX}*/"]}}
        self.plan.allow("ListDatasets", ["s3:ListBucket"], [store.incoming.bucket_arn], folders)
        sets = f"{EVALUATION_PREFIX}*"
        self.plan.read_objects("SeeEvaluationSets", store.incoming, sets)
        self.plan.read_objects("ReadEvaluationSets", store.incoming, sets, action="s3:GetObjectVersion")
        self.plan.read_objects("ReadListOfObjects", store.artifacts, LISTS)
        self.plan.write_objects("WriteRecipe", store.artifacts, "runs/*/training*/recipe/*")
        self.plan.write_objects("WriteDryRun", store.artifacts, "runs/*/dry-run/*")
        self.plan.use_table("TakeLockAndClaim", workshop.control.table, "GetItem", "PutItem")
        self.plan.use_table("ReadEarlierRuns", workshop.ledger.table, "Query")
        self.plan.write_objects("WriteHubSnapshot", store.artifacts, "runs/*/hub/*")
        workshop.ledger.grant_append(self.plan)
        read_recipes(self.plan)

    def _see_account(self, execution_role: ExecutionRole | None, key_arns: Sequence[str]) -> None:
        """Let the function see whether the jobs' role, keys and quotas are as they have to be."""
        if execution_role:
            self.plan.allow("SeeExecutionRole", _SEE_ROLE, [execution_role.role.role_arn])
        self.plan.allow("SeeKeys", ["kms:DescribeKey"], key_arns)
        # The action has no resource form (Service Authorization Reference, Service Quotas).
        self.plan.allow("ReadQuotas", ["servicequotas:ListServiceQuotas"], ["*"])

    def _see_clusters(self, clusters: ClusterAccess, jobs: Sequence[Job]) -> None:
        """Let the function see the HyperPod clusters, and whether the roles of their instances are as needed."""
        if not clusters.platforms:
            return
        clusters.allow(self.plan)
        stack = Stack.of(self)
        # Which role the instances of a cluster have that names none here, the cluster says when a run is planned.
        unnamed = stack.format_arn(service="iam", region="", resource="role", resource_name="*")
        roles = dict.fromkeys(each.instance_role_arn or unnamed for each in clusters.platforms)
        self.plan.allow("SeeInstanceRoles", _SEE_ROLE, list(roles))
        if any(job.get("data_mixing") for _, job in jobs):
            # The hub names the access point of recipes by subscription; its account and name are known only then.
            points = f"arn:{stack.partition}:s3:{stack.region}:*:accesspoint/*/object/*"
            self.plan.allow("ReadSubscribedRecipes", ["s3:GetObject"], [points])

    def _see_what_jobs_use(self, jobs: Sequence[Job]) -> None:
        """Let the function see the functions, the network and the MLflow servers that the jobs use, where they do."""
        if functions := functions_of(jobs):
            self.plan.allow("SeeFunctions", ["lambda:GetFunctionConfiguration"], functions)
        if vpcs_of(jobs):
            # Neither action has a resource form (Service Authorization Reference, Amazon EC2).
            self.plan.allow("SeeVpc", ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"], ["*"])
        self._see_mlflow([job["mlflow"] for _, job in jobs if job.get("mlflow")])

    def _see_mlflow(self, tracked: Sequence[Mapping[str, Any]]) -> None:
        named = list(dict.fromkeys(each["resource_arn"] for each in tracked if each["resource_arn"]))
        for kind, action in _DESCRIBE_MLFLOW.items():
            arns = [arn for arn in named if _may_be(arn, kind)]
            if arns:
                self.plan.allow(f"SeeMlflow{kind.name.title()}", [f"sagemaker:{action}"], arns)
        if any(not each["resource_arn"] and not each["uri"] for each in tracked):
            # Neither action has a resource form (Service Authorization Reference, Amazon SageMaker).
            actions = ["sagemaker:ListMlflowApps", "sagemaker:ListMlflowTrackingServers"]
            self.plan.allow("FindMlflow", actions, ["*"])


_SEE_ROLE: Final = ("iam:GetRole", "iam:SimulatePrincipalPolicy")
_DESCRIBE_MLFLOW = {
    MlflowKind.SERVER: "DescribeMlflowTrackingServer",
    MlflowKind.APP: "DescribeMlflowApp",
}


def _may_be(arn: str, kind: MlflowKind) -> bool:
    found = mlflow_resource(arn)
    return Token.is_unresolved(arn) or bool(found and found.kind is kind)


def _volume_keys(jobs: Iterable[Job]) -> Sequence[str]:
    return list(dict.fromkeys(job["volume_key_arn"] for _, job in jobs if job.get("volume_key_arn")))


def read_recipes(function: HandlerFunction) -> None:
    """Let a function read the public hub's Nova models and their recipe templates."""
    stack = Stack.of(function)
    content = f"{PUBLIC_HUB}/Model/nova-textgeneration-*"
    function.allow(
        "ReadHub",
        ["sagemaker:DescribeHubContent"],
        [
            stack.format_arn(service="sagemaker", account="aws", resource="hub", resource_name=PUBLIC_HUB),
            stack.format_arn(service="sagemaker", account="aws", resource="hub-content", resource_name=content),
        ],
    )
    templates = f"arn:{stack.partition}:s3:::jumpstart-cache-prod-{stack.region}/recipes/*"
    function.allow("ReadRecipeTemplates", ["s3:GetObject"], [templates])

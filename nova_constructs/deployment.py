"""The deployment stage: the candidate becomes a Bedrock model, is deployed, answers once, and production points to it.

Input: `$.checkpoint.uri`. Output: `$.model`, `$.deployment`, `$.pointer` (`name`, `before`, `after`).
Errors: `ModelImportFailed`, `DeploymentFailed`, `QuotaExceeded`, `JobTimedOut`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.execution_role import service_of_this_account
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.stage import Stage, Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemand:
    """Bedrock on-demand inference (BEDROCK_OD), for LoRA and PEFT models.

    `import_deadline` and `deployment_deadline` (default 6 hours each) bound the two waits.
    """

    import_deadline: Duration = field(default_factory=lambda: Duration.hours(6))
    deployment_deadline: Duration = field(default_factory=lambda: Duration.hours(6))

    kind = "BEDROCK_OD"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDeployment:
    """No deployment: the model is trained, evaluated and judged by the gate; its checkpoint stands in the record.

    For full-rank models, which Bedrock does not serve on demand, and for trials.
    """

    kind = None


class Deployment(Stage):
    """Imports, deploys and promotes. Attributes: `import_role`, `import_model`, `deploy`, `promote`."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop, target: OnDemand) -> None:
        super().__init__(scope, construct_id)
        self._workshop = workshop
        self.import_role = self._create_import_role()
        self.import_model = self._importer()
        self.deploy = self._deployer()
        self.promote = self._promoter()
        self.run_in_order(self._import_state(target), self._deploy_state(target), self._promote_state())

    def _create_import_role(self) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(self, "ImportRole", assumed_by=service_of_this_account(stack, "bedrock.amazonaws.com"))
        escrow = f"arn:{stack.partition}:s3:::customer-escrow-{stack.account}-smtj-*"
        role.add_to_policy(statement("ReadCheckpoint", ["s3:GetObject", "s3:ListBucket"], [escrow, f"{escrow}/*"]))
        return role

    def _submitter(self, construct_id: str, handler: str, extra: dict[str, str]) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            self,
            construct_id,
            handler=handler,
            environment={
                **workshop.identity.environment,
                **workshop.waiting.environment,
                **workshop.control.environment,
                **workshop.ledger.environment,
                **extra,
            },
        )
        workshop.waiting.allow_submitting(function)
        return function

    def _importer(self) -> HandlerFunction:
        function = self._submitter("Import", "submit_import", {"IMPORT_ROLE_ARN": self.import_role.role_arn})
        self._workshop.waiting.permissions.create_custom_models(function, self.import_role)
        return function

    def _deployer(self) -> HandlerFunction:
        function = self._submitter("Deploy", "submit_deployment", {})
        self._workshop.waiting.permissions.create_deployments(function)
        return function

    def _promoter(self) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            self,
            "Promote",
            handler="promote_deployment",
            timeout=Duration.minutes(5),
            environment={**workshop.control.pointer_environment, **workshop.ledger.environment},
        )
        permissions = workshop.waiting.permissions
        function.allow(
            "InvokeCandidate", ["bedrock:InvokeModel"], [permissions.deployments], permissions.identity.resource_tag
        )
        function.use_table("CheckLockAndMovePointer", workshop.control.table, "GetItem", "PutItem")
        function.allow("ProjectPointer", ["ssm:PutParameter"], [workshop.control.pointer_parameter_arn])
        workshop.ledger.grant_append(function)
        return function

    def _import_state(self, target: OnDemand) -> sfn.CustomState:
        return job_task(
            self,
            "ImportModel",
            function=self.import_model,
            payload={
                **RUN,
                "checkpoint_uri.$": "$.checkpoint.uri",
                "config": {"deadline_seconds": target.import_deadline.to_seconds()},
            },
            result_path="$.model",
            deadline=target.import_deadline,
            grace=self._workshop.grace,
        )

    def _deploy_state(self, target: OnDemand) -> sfn.CustomState:
        return job_task(
            self,
            "DeployModel",
            function=self.deploy,
            payload={
                **RUN,
                "model_arn.$": "$.model.model_arn",
                "config": {"deadline_seconds": target.deployment_deadline.to_seconds()},
            },
            result_path="$.deployment",
            deadline=target.deployment_deadline,
            grace=self._workshop.grace,
        )

    def _promote_state(self) -> sfn.CustomState:
        return lambda_task(
            self,
            "PromoteDeployment",
            function=self.promote,
            payload={
                **RUN,
                "deployment_arn.$": "$.deployment.deployment_arn",
                "model_arn.$": "$.model.model_arn",
            },
            result_path="$.pointer",
        )

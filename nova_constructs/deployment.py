"""The deployment stage: the candidate becomes a Bedrock model, is served, answers, and production points to it.

Input: `$.checkpoint.uri`, `$.plan`. Output: `$.model`, `$.deployment`, `$.pointer` (`name`, `before`, `after`).
Errors: `ModelImportFailed`, `DeploymentExists`, `DeploymentFailed`, `QuotaExceeded`, `JobTimedOut`.

What the stage made and did not bring into production is undone when the run is closed, on whatever path
(`lambda_handlers/deployment/stages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.catalog.checkpoints import ESCROW_MARKS
from lambda_handlers.catalog.platforms import Platform
from lambda_handlers.deployment.stages import CANDIDATE
from nova_constructs.deployment_functions import DeploymentFunctions
from nova_constructs.deployment_targets import DeploymentTarget, NoDeployment, OnDemand, ProvisionedThroughput
from nova_constructs.execution_role import service_of_this_account
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import RUN, job_task, lambda_task
from nova_constructs.retention import retirement
from nova_constructs.stage import Stage, Workshop

__all__ = ["Deployment", "DeploymentTarget", "NoDeployment", "OnDemand", "ProvisionedThroughput"]

_MODEL = {"model.$": "$.model", "checkpoint_uri.$": "$.checkpoint.uri"}


class Deployment(Stage):
    """Imports, deploys and promotes. Attributes: `import_role`, `functions`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        target: OnDemand | ProvisionedThroughput,
        platform: Platform,
        import_role: iam.IRole | str | None = None,
    ) -> None:
        """Create the stage; `platform` is that of the checkpoints that it imports.

        An `import_role`, or its ARN, is used as it is and nothing attached to it.
        """
        super().__init__(scope, construct_id)
        self._platform = platform
        self._workshop, self._target = workshop, target
        self._config = target.config(workshop.identity.slug)
        self.import_role = self._import_role(import_role)
        self.functions = DeploymentFunctions(self, workshop=workshop, target=target, import_role=self.import_role)
        self.promote = self._promote_state()
        self._import = self._import_state()
        self.tasks = [self._import, *(self._by_name() if target.named else self._swap()), self.promote]
        minutes = target.bake.minutes if target.bake else 0
        self.tasks.append(retirement(self, workshop, keep=target.keep, bake_minutes=minutes))
        self.promote.next(self.tasks[-1])

    @property
    def submitters(self) -> list[HandlerFunction]:
        """The functions that answer task tokens."""
        return self.functions.submitters

    def _swap(self) -> list[sfn.CustomState]:
        """Return the states between import and promotion where each run makes a deployment of its own."""
        deploy = self._deploy_state()
        self._import.next(deploy).next(self.promote)
        return [deploy]

    def _by_name(self) -> list[sfn.CustomState]:
        """Return these states where all runs deploy under one name."""
        choose, deploy = self._choose_state(), self._deploy_state()
        action = sfn.Choice(self, "DeploymentAction")
        action.when(sfn.Condition.string_equals("$.deployment.action", "CREATE"), deploy)
        update = self._update_states() if self.functions.update else []
        if update:
            action.when(sfn.Condition.string_equals("$.deployment.action", "UPDATE"), update[0])
            for before, after in zip(update, [*update[1:], self.promote], strict=True):
                before.next(after)
        # The name serves the run's model already.
        action.otherwise(self.promote)
        self._import.next(choose).next(action)
        deploy.next(self.promote)
        return [choose, deploy, *update]

    def _update_states(self) -> list[sfn.CustomState]:
        """Return the states of an update; on demand the candidate is asked on a temporary deployment first."""
        update = self._job(
            "UpdateDeployment",
            self.functions.update,
            {**_MODEL, "chosen.$": "$.deployment"},
            "$.update",
        )
        if self.functions.smoke_candidate is None:
            return [update]
        arn = {"deployment_arn.$": "$.candidate.deployment_arn"}
        return [
            self._job("DeployCandidate", self.functions.deploy, {**_MODEL, "stage": CANDIDATE}, "$.candidate"),
            self._call("SmokeCandidate", self.functions.smoke_candidate, arn, "$.candidate.smoke"),
            update,
            self._call("RemoveCandidate", self.functions.remove_candidate, arn, "$.candidate.removed"),
        ]

    def _import_role(self, given: iam.IRole | str | None) -> iam.IRole:
        stack = Stack.of(self)
        if given is not None:
            if isinstance(given, str):
                return iam.Role.from_role_arn(self, "ImportRole", given, mutable=False)
            return given
        role = iam.Role(self, "ImportRole", assumed_by=service_of_this_account(stack, "bedrock.amazonaws.com"))
        escrow = f"arn:{stack.partition}:s3:::customer-escrow-{stack.account}-{ESCROW_MARKS[self._platform]}-*"
        role.add_to_policy(statement("ReadCheckpoint", ["s3:GetObject", "s3:ListBucket"], [escrow, f"{escrow}/*"]))
        self._workshop.waiting.permissions.model_key.allow_import_role(role)
        return role

    def _import_state(self) -> sfn.CustomState:
        payload = {"checkpoint_uri.$": "$.checkpoint.uri", "plan.$": "$.plan"}
        return self._job(
            "ImportModel", self.functions.import_model, payload, "$.model", deadline=self._target.import_deadline
        )

    def _choose_state(self) -> sfn.CustomState:
        return self._call("ChooseDeployment", self.functions.choose, _MODEL, "$.deployment")

    def _deploy_state(self) -> sfn.CustomState:
        return self._job("DeployModel", self.functions.deploy, _MODEL, "$.deployment")

    def _promote_state(self) -> sfn.CustomState:
        arns = {"deployment_arn.$": "$.deployment.deployment_arn", "model_arn.$": "$.model.model_arn"}
        return self._call("PromoteDeployment", self.functions.promote, arns, "$.pointer")

    def _job(
        self,
        name: str,
        function: HandlerFunction | None,
        payload: Mapping[str, Any],
        result_path: str,
        deadline: Duration | None = None,
    ) -> sfn.CustomState:
        assert function is not None
        deadline = deadline or self._target.deployment_deadline
        config = {**self._config, "deadline_seconds": deadline.to_seconds()}
        return job_task(
            self,
            name,
            function=function,
            payload={**RUN, **payload, "config": config},
            result_path=result_path,
            deadline=deadline,
            grace=self._workshop.grace,
        )

    def _call(
        self, name: str, function: HandlerFunction | None, payload: Mapping[str, Any], result_path: str
    ) -> sfn.CustomState:
        assert function is not None
        return lambda_task(
            self, name, function=function, payload={**RUN, **payload, "config": self._config}, result_path=result_path
        )

    @property
    def last(self) -> sfn.INextable:
        """The state after which the model is in production."""
        return cast(sfn.INextable, self.promote)

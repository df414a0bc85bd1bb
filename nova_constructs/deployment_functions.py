"""The functions of the deployment stage, each with a role of its own; which there are depends on target and mode."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers.deployment.choosing import UPDATE
from nova_constructs.deployment_targets import OnDemand, ProvisionedThroughput
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.model_packages import allow_importing
from nova_constructs.stage import Workshop


class DeploymentFunctions:
    """Attributes: `import_model`, `deploy`, `promote`; None where not needed: `choose`, `update`, `smoke_candidate`,
    `remove_candidate`.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        workshop: Workshop,
        target: OnDemand | ProvisionedThroughput,
        import_role: iam.IRole,
    ) -> None:
        self._scope, self._workshop, self._import_role = scope, workshop, import_role
        self._permissions = workshop.waiting.permissions
        updates = target.mode == UPDATE
        beside = updates and isinstance(target, OnDemand)
        self.import_model = self._importer(target.model_package_groups)
        self.deploy = self._deployer()
        self.promote = self._promoter()
        self.choose = self._chooser() if target.named else None
        self.update = self._updater() if updates else None
        self.smoke_candidate = self._asker() if beside else None
        self.remove_candidate = self._remover() if beside else None

    @property
    def submitters(self) -> list[HandlerFunction]:
        """Those that answer task tokens."""
        return [function for function in (self.import_model, self.deploy, self.update) if function]

    def _submitter(self, construct_id: str, handler: str, extra: dict[str, str] | None = None) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            self._scope,
            construct_id,
            handler=handler,
            environment={
                **workshop.identity.environment,
                **workshop.waiting.environment,
                **workshop.control.environment,
                **workshop.ledger.environment,
                **(extra or {}),
            },
        )
        workshop.waiting.allow_submitting(function)
        return function

    def _importer(self, groups: Sequence[str]) -> HandlerFunction:
        function = self._submitter("Import", "submit_import", {"IMPORT_ROLE_ARN": self._import_role.role_arn})
        self._permissions.create_custom_models(function, self._import_role)
        allow_importing(function, groups)
        return function

    def _deployer(self) -> HandlerFunction:
        function = self._submitter("Deploy", "submit_deployment")
        self._permissions.create_serving(function)
        return function

    def _updater(self) -> HandlerFunction:
        function = self._submitter("Update", "submit_update")
        self._permissions.update_serving(function)
        return function

    def _chooser(self) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            self._scope,
            "Choose",
            handler="choose_deployment",
            environment={
                **workshop.identity.environment,
                **workshop.waiting.environment,
                **workshop.control.environment,
                **workshop.ledger.environment,
            },
        )
        function.use_table("SeeWhetherRemoved", workshop.waiting.table, "GetItem")
        function.use_table("CheckLockAndReadPointer", workshop.control.table, "GetItem")
        workshop.ledger.grant_append(function)
        self._permissions.find_serving(function)
        self._permissions.delete_serving(function)
        return function

    def _asker(self) -> HandlerFunction:
        function = HandlerFunction(
            self._scope, "AskCandidate", handler="smoke_candidate", environment={}, timeout=Duration.minutes(5)
        )
        self._permissions.invoke(function)
        return function

    def _remover(self) -> HandlerFunction:
        function = HandlerFunction(self._scope, "DeleteCandidate", handler="remove_candidate", environment={})
        self._permissions.delete_serving(function)
        return function

    def _promoter(self) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            self._scope,
            "Promote",
            handler="promote_deployment",
            timeout=Duration.minutes(5),
            environment={**workshop.control.pointer_environment, **workshop.ledger.environment},
        )
        self._permissions.invoke(function)
        function.use_table("CheckLockAndMovePointer", workshop.control.table, "GetItem", "PutItem")
        function.allow("ProjectPointer", ["ssm:PutParameter"], [workshop.control.pointer_parameter_arn])
        workshop.ledger.grant_append(function)
        return function

"""What functions may do to jobs: only this customization's, by name prefix or by tag."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from nova_constructs.handler_function import HandlerFunction
from nova_constructs.identity import Identity


@dataclass(frozen=True, slots=True)
class JobPermissions:
    """Statements for training jobs, custom models and deployments of one customization.

    `deploys` says that it imports and deploys models; where it does not, no function may touch any.
    """

    stack: Stack
    identity: Identity
    deploys: bool = True

    @property
    def training_jobs(self) -> str:
        """The ARN pattern of the customization's training jobs."""
        return self.stack.format_arn(
            service="sagemaker", resource="training-job", resource_name=f"{self.identity.slug}-*"
        )

    @property
    def custom_models(self) -> str:
        """The ARN pattern of custom models, whose ids AWS makes at random."""
        return self.stack.format_arn(service="bedrock", resource="custom-model", resource_name="*")

    @property
    def deployments(self) -> str:
        """The ARN pattern of custom model deployments, whose ids AWS makes at random."""
        return self.stack.format_arn(service="bedrock", resource="custom-model-deployment", resource_name="*")

    def create_training_jobs(self, function: HandlerFunction, role: iam.IRole) -> None:
        """Let a function start training jobs under a role, see them, stop them and read their tags."""
        actions = ["sagemaker:CreateTrainingJob", "sagemaker:AddTags"]
        function.allow("CreateTrainingJobs", actions, [self.training_jobs], self.identity.request_tag)
        pass_role(function, role, "sagemaker.amazonaws.com")
        self.see_training_jobs(function)
        self.stop_training_jobs(function)
        function.allow("AdoptTrainingJobs", ["sagemaker:ListTags"], [self.training_jobs])

    def see_training_jobs(self, function: HandlerFunction) -> None:
        """Let a function see how training jobs are."""
        function.allow("SeeTrainingJobs", ["sagemaker:DescribeTrainingJob"], [self.training_jobs])

    def stop_training_jobs(self, function: HandlerFunction) -> None:
        """Let a function stop training jobs."""
        function.allow("StopTrainingJobs", ["sagemaker:StopTrainingJob"], [self.training_jobs])

    def create_custom_models(self, function: HandlerFunction, role: iam.IRole) -> None:
        """Let a function import custom models under a role, see them and delete them again."""
        tagged = self.identity.request_tag
        # The action has no resource form (Service Authorization Reference, Amazon Bedrock).
        function.allow("CreateCustomModels", ["bedrock:CreateCustomModel"], ["*"], tagged)
        function.allow("TagCustomModels", ["bedrock:TagResource"], [self.custom_models], tagged)
        pass_role(function, role, "bedrock.amazonaws.com")
        self._read_tags(function, self.custom_models)
        self.see_custom_models(function)
        self.delete_custom_models(function)

    def see_custom_models(self, function: HandlerFunction) -> None:
        """Let a function see how custom models are."""
        actions = ["bedrock:GetCustomModel"]
        function.allow("SeeCustomModels", actions, [self.custom_models], self.identity.resource_tag)
        # Listing has no resource form (Service Authorization Reference, Amazon Bedrock).
        function.allow("FindCustomModels", ["bedrock:ListCustomModels"], ["*"])

    def delete_custom_models(self, function: HandlerFunction) -> None:
        """Let a function delete custom models."""
        actions = ["bedrock:DeleteCustomModel"]
        function.allow("DeleteCustomModels", actions, [self.custom_models], self.identity.resource_tag)

    def create_deployments(self, function: HandlerFunction) -> None:
        """Let a function deploy this customization's models, see the deployments and delete them again."""
        tagged = self.identity.request_tag
        create = ["bedrock:CreateCustomModelDeployment"]
        function.allow("CreateDeployments", create, [self.custom_models], tagged)
        function.allow("TagDeployments", ["bedrock:TagResource"], [self.deployments], tagged)
        self._read_tags(function, self.deployments)
        self.see_deployments(function)
        self.delete_deployments(function)

    def see_deployments(self, function: HandlerFunction) -> None:
        """Let a function see how deployments are."""
        actions = ["bedrock:GetCustomModelDeployment"]
        function.allow("SeeDeployments", actions, [self.deployments], self.identity.resource_tag)
        function.allow("FindDeployments", ["bedrock:ListCustomModelDeployments"], ["*"])

    def delete_deployments(self, function: HandlerFunction) -> None:
        """Let a function delete deployments."""
        actions = ["bedrock:DeleteCustomModelDeployment"]
        function.allow("DeleteDeployments", actions, [self.deployments], self.identity.resource_tag)

    def _read_tags(self, function: HandlerFunction, resources: str) -> None:
        """Let a function tell, by its tags, whether a resource whose name is taken is the one it wants to make."""
        function.allow("ReadTags", ["bedrock:ListTagsForResource"], [resources], self.identity.resource_tag)

    def see_jobs(self, function: HandlerFunction) -> None:
        """Let a function see jobs of every kind that the customization has."""
        self.see_training_jobs(function)
        if self.deploys:
            self.see_custom_models(function)
            self.see_deployments(function)

    def stop_jobs(self, function: HandlerFunction) -> None:
        """Let a function stop jobs of every kind that the customization has."""
        self.stop_training_jobs(function)
        if self.deploys:
            self.delete_custom_models(function)
            self.delete_deployments(function)


def pass_role(function: HandlerFunction, role: iam.IRole, service: str) -> None:
    """Let a function hand a role to one service and to no other."""
    function.allow("PassRole", ["iam:PassRole"], [role.role_arn], {"StringEquals": {"iam:PassedToService": service}})

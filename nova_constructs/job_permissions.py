"""What functions may do to jobs: only this customization's, by name prefix or by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from lambda_handlers.jobs.driver import PREVIOUS_MODEL_TAG, UPDATE_TAG
from nova_constructs.cluster_access import ClusterAccess
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.identity import Identity
from nova_constructs.model_key import ModelKey


@dataclass(frozen=True, slots=True)
class JobPermissions:
    """Statements for training jobs, custom models and deployments of one customization.

    `deploys` says that it imports and deploys models; where it does not, no function may touch any. `provisioned` says
    that provisioned throughput serves them, `updates` that what serves one is given another, `named` that all runs
    deploy under one name, `batch_jobs` that Amazon Bedrock answers rows. `model_key_arn` is the KMS key of the models,
    where they have one of their own. `uses_training_jobs` says that some stage runs on them, `clusters` on which
    HyperPod clusters others do.
    """

    stack: Stack
    identity: Identity
    deploys: bool = True
    provisioned: bool = False
    updates: bool = False
    batch_jobs: bool = False
    model_key_arn: str | None = None
    named: bool = False
    uses_training_jobs: bool = True
    clusters: ClusterAccess = field(default_factory=ClusterAccess)

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

    @property
    def provisioned_models(self) -> str:
        """The ARN pattern of provisioned throughput, whose ids AWS makes at random."""
        return self.stack.format_arn(service="bedrock", resource="provisioned-model", resource_name="*")

    @property
    def model_key(self) -> ModelKey:
        """The KMS key of the models."""
        return ModelKey(self.stack, self.model_key_arn)

    @property
    def serving(self) -> str:
        """The ARN pattern of what serves the customization's models."""
        return self.provisioned_models if self.provisioned else self.deployments

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

    @property
    def invocation_jobs(self) -> str:
        """The ARN pattern of batch inference jobs, whose ids AWS makes at random."""
        return self.stack.format_arn(service="bedrock", resource="model-invocation-job", resource_name="*")

    def create_invocation_jobs(self, function: HandlerFunction, role: iam.IRole, models: Sequence[str]) -> None:
        """Let a function start batch inference jobs of models (ARNs) under a role, see them, stop them, read tags."""
        tagged, create = self.identity.request_tag, ["bedrock:CreateModelInvocationJob"]
        function.allow("CreateInvocationJobs", create, [self.invocation_jobs, *models], tagged)
        function.allow("TagInvocationJobs", ["bedrock:TagResource"], [self.invocation_jobs], tagged)
        pass_role(function, role, "bedrock.amazonaws.com")
        self._read_tags(function, self.invocation_jobs)
        self.see_invocation_jobs(function)
        self.stop_invocation_jobs(function)

    def see_invocation_jobs(self, function: HandlerFunction) -> None:
        """Let a function see how batch inference jobs are."""
        actions = ["bedrock:GetModelInvocationJob"]
        function.allow("SeeInvocationJobs", actions, [self.invocation_jobs], self.identity.resource_tag)
        # Listing has no resource form (Service Authorization Reference, Amazon Bedrock).
        function.allow("FindInvocationJobs", ["bedrock:ListModelInvocationJobs"], ["*"])

    def stop_invocation_jobs(self, function: HandlerFunction) -> None:
        """Let a function stop batch inference jobs."""
        actions = ["bedrock:StopModelInvocationJob"]
        function.allow("StopInvocationJobs", actions, [self.invocation_jobs], self.identity.resource_tag)

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
        self.model_key.allow_encrypting(function)

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

    def create_serving(self, function: HandlerFunction) -> None:
        """Let a function make what serves this customization's models, see it and delete it again."""
        tagged = self.identity.request_tag
        if self.provisioned:
            create = ["bedrock:CreateProvisionedModelThroughput"]
            function.allow("ProvisionThroughput", create, [self.custom_models], tagged)
            function.allow("TagThroughput", ["bedrock:TagResource"], [self.provisioned_models], tagged)
        else:
            create = ["bedrock:CreateCustomModelDeployment"]
            function.allow("CreateDeployments", create, [self.custom_models], tagged)
            function.allow("TagDeployments", ["bedrock:TagResource"], [self.deployments], tagged)
        self._read_tags(function, self.serving)
        self.see_serving(function)
        self.delete_serving(function)

    def update_serving(self, function: HandlerFunction) -> None:
        """Let a function put another model behind what serves one, and note which one it takes away."""
        self.see_serving(function)
        self._read_tags(function, self.serving)
        self._change_serving(function)
        only = {"ForAllValues:StringEquals": {"aws:TagKeys": [PREVIOUS_MODEL_TAG, UPDATE_TAG]}}
        tagging = {**self.identity.resource_tag, **only}
        function.allow("RememberModel", ["bedrock:TagResource"], [self.serving], tagging)

    def see_serving(self, function: HandlerFunction) -> None:
        """Let a function see what serves models."""
        tagged = self.identity.resource_tag
        if self.provisioned:
            function.allow("SeeThroughput", ["bedrock:GetProvisionedModelThroughput"], [self.serving], tagged)
            function.allow("FindThroughput", ["bedrock:ListProvisionedModelThroughputs"], ["*"])
        else:
            function.allow("SeeDeployments", ["bedrock:GetCustomModelDeployment"], [self.serving], tagged)
            function.allow("FindDeployments", ["bedrock:ListCustomModelDeployments"], ["*"])

    def find_serving(self, function: HandlerFunction) -> None:
        """Let a function find what serves models by its name, and see whether it is the customization's."""
        action = "ListProvisionedModelThroughputs" if self.provisioned else "ListCustomModelDeployments"
        function.allow("FindByName", [f"bedrock:{action}"], ["*"])
        self._read_tags(function, self.serving)

    def delete_serving(self, function: HandlerFunction) -> None:
        """Let a function delete what serves models."""
        tagged = self.identity.resource_tag
        if self.provisioned:
            function.allow("DeleteThroughput", ["bedrock:DeleteProvisionedModelThroughput"], [self.serving], tagged)
        else:
            function.allow("DeleteDeployments", ["bedrock:DeleteCustomModelDeployment"], [self.serving], tagged)

    def invoke(self, function: HandlerFunction) -> None:
        """Let a function ask what serves models."""
        function.allow("InvokeCandidate", ["bedrock:InvokeModel"], [self.serving], self.identity.resource_tag)
        self.model_key.allow_asking(function)

    def _change_serving(self, function: HandlerFunction) -> None:
        action = "UpdateProvisionedModelThroughput" if self.provisioned else "UpdateCustomModelDeployment"
        resources = [self.serving, self.custom_models]
        function.allow("UpdateServing", [f"bedrock:{action}"], resources, self.identity.resource_tag)

    def _read_tags(self, function: HandlerFunction, resources: str) -> None:
        """Let a function tell, by its tags, whether a resource whose name is taken is the one it wants to make."""
        function.allow("ReadTags", ["bedrock:ListTagsForResource"], [resources], self.identity.resource_tag)

    def retire(self, function: HandlerFunction) -> None:
        """Let a function find everything of the customization by its tag, and delete it."""
        found = ["ListCustomModels", "ListCustomModelDeployments"]
        found += ["ListProvisionedModelThroughputs"] if self.provisioned else []
        # Listing has no resource form (Service Authorization Reference, Amazon Bedrock).
        function.allow("FindModels", [f"bedrock:{action}" for action in found], ["*"])
        resources = [self.custom_models, self.serving]
        function.allow("ReadTags", ["bedrock:ListTagsForResource"], resources, self.identity.resource_tag)
        self.delete_custom_models(function)
        self.delete_serving(function)

    def roll_back(self, function: HandlerFunction) -> None:
        """Let a function see what serves, ask it and, where runs update in place, put a model back behind it."""
        action = "GetProvisionedModelThroughput" if self.provisioned else "GetCustomModelDeployment"
        function.allow("SeeServing", [f"bedrock:{action}"], [self.serving], self.identity.resource_tag)
        function.allow("AskServing", ["bedrock:InvokeModel"], [self.serving], self.identity.resource_tag)
        self.model_key.allow_asking(function)
        if self.updates:
            self._change_serving(function)

    def see_jobs(self, function: HandlerFunction) -> None:
        """Let a function see jobs of every kind that the customization has."""
        self.clusters.allow(function)
        if self.uses_training_jobs:
            self.see_training_jobs(function)
        if self.deploys:
            self.see_custom_models(function)
            self.see_serving(function)
        if self.batch_jobs:
            self.see_invocation_jobs(function)

    def stop_jobs(self, function: HandlerFunction) -> None:
        """Let a function stop jobs of every kind that the customization has."""
        self.clusters.allow(function)
        if self.uses_training_jobs:
            self.stop_training_jobs(function)
        if self.deploys:
            self.delete_custom_models(function)
            self.delete_serving(function)
        if self.deploys and self.updates:
            # To stop an update is to put the model before it back.
            self._change_serving(function)
        if self.deploys and (self.updates or self.named):
            # Tags tell which run made what bears a name of every run, and which updated it.
            self._read_tags(function, self.serving)
        if self.batch_jobs:
            self.stop_invocation_jobs(function)


def pass_role(function: HandlerFunction, role: iam.IRole, service: str) -> None:
    """Let a function hand a role to one service and to no other."""
    function.allow("PassRole", ["iam:PassRole"], [role.role_arn], {"StringEquals": {"iam:PassedToService": service}})

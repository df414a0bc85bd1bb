"""NovaCustomization: the workflow that customizes one Amazon Nova model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers import catalog
from lambda_handlers.deployment.choosing import UPDATE
from lambda_handlers.protocol.turns import Concurrency
from nova_constructs.approval import Approval, ApprovalStage
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.batch_inference import BatchInference
from nova_constructs.batch_inference_stage import BatchInferenceStage
from nova_constructs.checks import check_customization
from nova_constructs.cluster_access import ClusterAccess
from nova_constructs.cost_ceiling import CostCeiling
from nova_constructs.data_format import DataFormat
from nova_constructs.data_preparation import DataPreparation
from nova_constructs.deployment import Deployment
from nova_constructs.deployment_targets import DeploymentTarget, NoDeployment, OnDemand, ProvisionedThroughput
from nova_constructs.evaluation import Evaluation, baselines_config, baselines_of
from nova_constructs.evaluation_sets import EvaluationSets
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.execution_role import ExecutionRole, service_of_this_account
from nova_constructs.grants import grant_invoke
from nova_constructs.handler_assets import handler_code
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.hyperpod import Runtime, on_clusters, on_training_jobs
from nova_constructs.identity import Identity
from nova_constructs.job_roles import StageJob, allow_instance_roles
from nova_constructs.job_waiting import JobWaiting
from nova_constructs.notifications import Announcements, Notifications
from nova_constructs.quality_gate import GateStage, QualityGate
from nova_constructs.rollback import Rollback
from nova_constructs.run_closing import RunClosing
from nova_constructs.run_control import RunControl
from nova_constructs.run_definition import RunDefinition, RunStages
from nova_constructs.run_ledger import RunLedger
from nova_constructs.run_plan import RunPlan
from nova_constructs.run_rules import RunRules
from nova_constructs.stage import Stage, Workshop
from nova_constructs.training import Training
from nova_constructs.training_stage import TrainingStage
from nova_constructs.trigger import Trigger
from nova_constructs.trigger_checks import check_trigger
from nova_constructs.trigger_intake import TriggerIntake
from nova_constructs.turn import Turn


class NovaCustomization(Construct):
    """A deployed workflow: plan → prepare data → train → evaluate → gate → import → deploy → record.

    Attributes: `store`, `waiting`, `execution_role` (None where all jobs run on HyperPod), the stages (`plan`, `data`,
    `evaluation_sets`, None without data of your own to evaluate on, `training`, `evaluation`, `gate`, `deployment`,
    None where nothing is deployed),
    `approval` (None where no person is asked), `rollback` (None where nothing is deployed), `closing`, `state_machine`,
    `turn` (None where no run waits for another),
    `intake` (what receives triggers), `announcements` (who is told), `undelivered` and `undelivered_alarm`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: str,
        method: str,
        platform: Runtime,
        evaluation: Sequence[EvaluationTask],
        gate: QualityGate,
        data: DataFormat | None = None,
        further_training: Sequence[TrainingStage] = (),
        batch_inference: BatchInference | None = None,
        deployment: DeploymentTarget | None = None,
        approval: Approval | None = None,
        notifications: Notifications | None = None,
        reward_function: str | lambda_.IFunction | None = None,
        cost_ceiling: CostCeiling | None = None,
        execution_role: iam.IRole | str | None = None,
        import_role: iam.IRole | str | None = None,
        overrides: Mapping[str, Any] | None = None,
        concurrency: Concurrency | str = Concurrency.SKIP,
        queue_deadline: Duration | None = None,
        max_run_age: Duration | None = None,
        reconcile_interval: Duration | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Create the workflow.

        `model` and `method` are names of the catalog (`NOVA_LITE_2`, `SFT_LORA`). `deployment` defaults to OnDemand();
        with NoDeployment() a run ends once its model was evaluated. `further_training` stages train in order, each from
        the checkpoint of the one before it; the last one's is evaluated and deployed. `batch_inference` lets runs ask a
        model to answer every row of a dataset. `reward_function` scores answers
        in reinforcement fine-tuning: the function or its ARN, which the jobs' role may call and, beside those of
        further stages, no other. With a `cost_ceiling`, jobs that may cost more are an error. `overrides` change recipe
        values of the first training and can be overridden again by an execution's input. `import_role` is
        a role of your own, or its ARN, under which Bedrock reads checkpoints. `notifications` says who is told of
        decisions beside the subscribers of `topic`. `concurrency` says what becomes of a run
        that starts while another works; one that waits does so for `queue_deadline`, 14 days by default. A run that is
        open for longer than `max_run_age`, 90 days by default, is ended. `reconcile_interval` defaults to 5 minutes.
        Stateful resources are kept when the stack goes, unless `removal_policy` says otherwise. Raises
        ConfigurationError with every problem at once, each under the path of this construct.
        """
        super().__init__(scope, construct_id)
        data, deployment = data or DataFormat(), deployment or OnDemand()
        evaluation = [task.beside(platform) for task in evaluation]
        further = [stage.after(method, platform) for stage in further_training]
        inference = batch_inference.beside(platform) if batch_inference else None
        rules = RunRules(concurrency=concurrency, queue_deadline=queue_deadline, max_run_age=max_run_age)
        given = reward_function
        reward = given if given is None or isinstance(given, str) else given.function_arn
        check_customization(
            self, model=model, method=method, platform=platform, data=data, evaluation=evaluation, gate=gate,
            deployment=deployment, reward_function=reward, cost_ceiling=cost_ceiling,
            overrides=overrides or {}, further_training=further, batch_inference=inference,
            execution_role=execution_role, approval=approval, import_role=import_role, rules=rules,
            notifications=notifications,
        )  # fmt: skip
        self._rules = rules
        self._model, self._method = catalog.model(model).name, catalog.method(method).name
        self.identity = Identity.of(self)
        self.undelivered = self._dead_letters()
        jobs = [
            StageJob(runs_on=platform, functions=[reward] if reward else []),
            *(StageJob(runs_on=s.runs_on, functions=[s.reward_arn] if s.reward_arn else []) for s in further),
            *(StageJob(runs_on=task.runs_on, functions=task.functions) for task in evaluation),
            *([StageJob(runs_on=inference.runs_on)] if inference and not inference.by_bedrock else []),
        ]
        self.workshop = self._shared(
            deployment, jobs, bool(inference and inference.by_bedrock), reconcile_interval, removal_policy
        )
        self.execution_role = self._role_of(jobs, execution_role)
        allow_instance_roles(self, self.store, jobs)
        self.closing = RunClosing(self, "Closing", workshop=self.workshop)
        config = self._config(platform, data, further, evaluation, gate, deployment, reward, overrides or {})
        config |= rules.config()
        if cost_ceiling:
            config["cost_ceiling"] = cost_ceiling.config()
        if inference:
            config["batch_inference"] = inference.config(self.store)
        self._create_stages(config, platform, data, further, evaluation, gate, inference)
        self.deployment = (
            None
            if isinstance(deployment, NoDeployment)
            else Deployment(
                self,
                "Deployment",
                workshop=self.workshop,
                target=deployment,
                platform=catalog.Platform(platform.kind),
                import_role=import_role,
            )
        )
        self.approval = ApprovalStage(self, "Approval", workshop=self.workshop, approval=approval) if approval else None
        self.rollback = self._create_rollback(deployment)
        self._usd_per_unit_hour = (
            deployment.usd_per_unit_hour if isinstance(deployment, ProvisionedThroughput) else None
        )
        self.state_machine = self._state_machine()
        self._connect(removal_policy)
        self.announcements = Announcements(
            self,
            "Announcements",
            workshop=self.workshop,
            notifications=notifications or Notifications(),
            undelivered=self.undelivered,
            alarms=[self.undelivered_alarm, self.waiting.watch.stalled, self.waiting.watch.failing],
            name=self.node.id,
        )
        self._outputs()

    @property
    def store(self) -> ArtifactStore:
        """The key and the buckets."""
        return self.workshop.store

    @property
    def waiting(self) -> JobWaiting:
        """The job registry and what completes its rows."""
        return self.workshop.waiting

    @property
    def topic(self) -> sns.ITopic:
        """The topic that is told of every decision; subscriptions can filter by attributes (docs/events.md)."""
        return self.announcements.topic

    def add_trigger(self, name: str, trigger: Trigger) -> None:
        """Have runs start by themselves; without any trigger, every dataset that arrives starts one.

        `name` (a letter, then letters and digits, at most 40) stands in the record of the runs. Raises
        ConfigurationError with every problem of the trigger.
        """
        check_trigger(self, name, trigger, self.intake.triggers)
        self.intake.add(name, trigger)

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody invoke what this customization has deployed, and read which deployment is production.

        Exactly `bedrock:InvokeModel` and `bedrock:InvokeModelWithResponseStream`, which Converse needs too, on
        deployments and provisioned models that carry this customization's tag, and `ssm:GetParameter` on the pointer;
        where the models have a KMS key of their own, `kms:Decrypt` and `kms:GenerateDataKey` on it through Bedrock.
        """
        return grant_invoke(grantee, self.workshop.control, self.waiting.permissions)

    def _create_rollback(self, target: DeploymentTarget) -> Rollback | None:
        if isinstance(target, NoDeployment):
            return None
        return Rollback(self, "Rollback", workshop=self.workshop, target=target, undelivered=self.undelivered)

    def _role_of(self, jobs: Sequence[StageJob], given: iam.IRole | str | None) -> ExecutionRole | None:
        """Return the role of training jobs, None where every job runs on a cluster, under the role of its instances."""
        platforms = on_training_jobs(job.runs_on for job in jobs)
        if not platforms:
            return None
        functions = [arn for job in jobs if job.runs_on in platforms for arn in job.functions]
        return ExecutionRole(
            self, "ExecutionRole", store=self.store, platforms=platforms, functions=functions, given=given
        )

    def _dead_letters(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.undelivered_alarm = cloudwatch.Alarm(
            self,
            "UndeliveredAlarm",
            alarm_description="Nova Constructs: an event could not be delivered; it is in the dead-letter queue.",
            metric=queue.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic=cloudwatch.Stats.MAXIMUM
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        return queue

    def _shared(
        self,
        target: DeploymentTarget,
        jobs: Sequence[StageJob],
        batch_jobs: bool,
        reconcile_interval: Duration | None,
        removal_policy: RemovalPolicy,
    ) -> Workshop:
        store = ArtifactStore(self, "Store", removal_policy=removal_policy)
        ledger = RunLedger(self, "Ledger", store=store, removal_policy=removal_policy)
        control = RunControl(self, "Control", identity=self.identity, store=store, removal_policy=removal_policy)
        waiting = JobWaiting(
            self,
            "Waiting",
            identity=self.identity,
            store=store,
            ledger=ledger,
            control=control,
            undelivered=self.undelivered,
            deploys=target.kind is not None,
            provisioned=isinstance(target, ProvisionedThroughput),
            updates=not isinstance(target, NoDeployment) and target.mode == UPDATE,
            batch_jobs=batch_jobs,
            model_key_arn=None if isinstance(target, NoDeployment) else target.model_key_arn,
            named=not isinstance(target, NoDeployment) and target.named,
            uses_training_jobs=bool(on_training_jobs(job.runs_on for job in jobs)),
            clusters=ClusterAccess(on_clusters(job.runs_on for job in jobs)),
            reconcile_interval=reconcile_interval,
            max_run_age=self._rules.max_age,
            removal_policy=removal_policy,
        )
        return Workshop(identity=self.identity, store=store, ledger=ledger, control=control, waiting=waiting)

    def _config(
        self,
        platform: Runtime,
        data: DataFormat,
        further: Sequence[TrainingStage],
        evaluation: Sequence[EvaluationTask],
        gate: QualityGate,
        deployment: DeploymentTarget,
        reward_function: str | None,
        overrides: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return everything about this customization that decides what a run does."""
        return {
            "customization": self.identity.customization,
            "model": self._model,
            "method": self._method,
            "training": platform.config() | ({"reward_function": reward_function} if reward_function else {}),
            "overrides": dict(overrides),
            **data.config(self.store),
            "further_training": [stage.config(self.store) for stage in further],
            "evaluation": [task.config(self.store) for task in evaluation],
            "baselines": baselines_config(baselines_of(evaluation, gate), self.store),
            "gate": gate.config(),
            "deployment": (None if isinstance(deployment, NoDeployment) else deployment.config(self.identity.slug)),
            "code_version": handler_code().sha256,
        }

    def _create_stages(
        self,
        config: Mapping[str, Any],
        platform: Runtime,
        data: DataFormat,
        further: Sequence[TrainingStage],
        evaluation: Sequence[EvaluationTask],
        gate: QualityGate,
        inference: BatchInference | None,
    ) -> None:
        workshop, role, model, method = self.workshop, self.execution_role, self._model, self._method
        self.plan = RunPlan(self, "Plan", workshop=workshop, execution_role=role, config=config)
        queues = self._rules.policy.queues
        self.turn = Turn(self, "Turn", workshop=workshop, deadline=self._rules.deadline) if queues else None
        self.data = DataPreparation(
            self,
            "Data",
            workshop=workshop,
            model=model,
            method=method,
            data=data,
            further=further,
            inference=inference,
        )
        own_data = [task for task in evaluation if task.dataset]
        self.evaluation_sets = (
            EvaluationSets(self, "EvaluationSets", workshop=workshop, model=model, tasks=own_data, data=data)
            if own_data
            else None
        )
        self.training = Training(
            self, "Training", workshop=workshop, execution_role=role, model=model, method=method, platform=platform,
            validates=data.validates, further=further,
        )  # fmt: skip
        self.evaluation = Evaluation(
            self, "Evaluation", workshop=workshop, execution_role=role, model=model, tasks=evaluation,
            baselines=baselines_of(evaluation, gate),
        )  # fmt: skip
        self.gate = GateStage(
            self, "Gate", workshop=workshop, gate=gate, evaluated=[(task.task, task.subtask) for task in evaluation]
        )
        self._infers_in_every_run = bool(inference and inference.dataset)
        self.batch_inference = (
            BatchInferenceStage(
                self, "BatchInference", workshop=workshop, execution_role=role, model=model, inference=inference
            )
            if inference
            else None
        )

    @property
    def stages(self) -> Sequence[Stage]:
        """The stages in the order of a run."""
        return self._run_stages.in_order

    @property
    def _run_stages(self) -> RunStages:
        return RunStages(
            plan=self.plan,
            turn=self.turn,
            data=self.data,
            evaluation_sets=self.evaluation_sets,
            training=self.training,
            evaluation=self.evaluation,
            gate=self.gate,
            batch_inference=self.batch_inference,
            infers_in_every_run=self._infers_in_every_run,
            approval=self.approval,
            deployment=self.deployment,
        )

    def _state_machine(self) -> sfn.StateMachine:
        stack = Stack.of(self)
        machines = stack.format_arn(
            service="states", resource="stateMachine", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        role = iam.Role(
            self, "StateMachineRole", assumed_by=service_of_this_account(stack, "states.amazonaws.com", machines)
        )
        machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(
                RunDefinition(self, stages=self._run_stages, closing=self.closing).chain()
            ),
            role=role,
            # In case the reconciler, which ends a run that is too old and says why, does not.
            timeout=self._rules.max_age.plus(Duration.days(1)),
        )
        # Every version, so that a run that began before a deploy can go on calling the functions it names.
        functions = [f"{function.function.function_arn}:*" for function in self._called_functions()]
        role.add_to_policy(statement("CallStageFunctions", ["lambda:InvokeFunction"], functions))
        self.data.allow_shards(role, machine)
        return machine

    def _called_functions(self) -> Sequence[HandlerFunction]:
        found = [self.closing.close]
        for stage in self.stages:
            found += [child for child in stage.node.children if isinstance(child, HandlerFunction)]
        return found

    def _connect(self, removal_policy: RemovalPolicy) -> None:
        """Connect what needs the state machine's ARN, which did not exist before."""
        submitters = [self.training.submit, self.evaluation.submit]
        if self.batch_inference:
            submitters.append(self.batch_inference.submit)
            if self.batch_inference.batch_role:
                self.plan.plan.function.add_environment("BATCH_ROLE_ARN", self.batch_inference.batch_role.role_arn)
        if self.deployment:
            submitters += self.deployment.submitters
            # A dry run writes the request of the import too.
            self.plan.plan.function.add_environment("IMPORT_ROLE_ARN", self.deployment.import_role.role_arn)
        self.waiting.answer_to(self.state_machine, *submitters)
        if self.approval:
            self.approval.connect(self.state_machine)
        if self.turn:
            self.turn.connect(self.state_machine, self.closing.close)
        self.closing.watch(self.state_machine, self.undelivered)
        self.intake = TriggerIntake(
            self,
            "Triggers",
            workshop=self.workshop,
            state_machine=self.state_machine,
            undelivered=self.undelivered,
            name=self.node.id,
            concurrency=self._rules.policy,
            removal_policy=removal_policy,
        )

    def _outputs(self) -> None:
        """Export what a person or the command line needs to find the workflow again."""
        store = self.store
        values = {
            "StateMachineArn": self.state_machine.state_machine_arn,
            "IncomingBucketName": store.incoming.bucket_name,
            "PreparedBucketName": store.prepared.bucket_name,
            "QuarantineBucketName": store.quarantine.bucket_name,
            "ArtifactsBucketName": store.artifacts.bucket_name,
            "AuditBucketName": store.audit.bucket_name,
            "RunLedgerTableName": self.workshop.ledger.table.table_name,
            "JobRegistryTableName": self.waiting.table.table_name,
            "RunControlTableName": self.workshop.control.table.table_name,
            "ArrivalsTableName": self.intake.table.table_name,
            "UndeliveredQueueUrl": self.undelivered.queue_url,
            "PointerParameterName": self.workshop.control.pointer_parameter_name,
            "TopicArn": self.topic.topic_arn,
            "CustomizationTag": self.identity.customization,
            "Concurrency": str(self._rules.policy),
        }
        if self.rollback:
            values["RollBackFunctionName"] = self.rollback.function.function.function_name
            values["ModelsKept"] = str(self.rollback.keep)
            values["BakeMinutes"] = str(self.rollback.bake_minutes)
            if self._usd_per_unit_hour:
                values["UsdPerUnitHour"] = f"{self._usd_per_unit_hour:g}"
            values["AfterDeletion"] = (
                "Deleting this stack keeps its buckets, tables and key, and the models and deployments in Amazon "
                f"Bedrock: `nova models prune --customization {self.identity.customization}` shows and removes these."
            )
        if self.approval:
            values["ApprovalFunctionName"] = self.approval.answer.function.function_name
        for name, value in values.items():
            CfnOutput(self, name, value=value).override_logical_id(f"{self.node.id}{name}")

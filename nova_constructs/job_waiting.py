"""The one way the workflow waits for a job.

Creates the job registry table, the function `complete_job` with the EventBridge rule that calls it when a training job
ends (no service tells of a job on HyperPod), and the function `reconcile_jobs` with the schedule that calls it. Nothing
polls inside an execution.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.starting.arrivals import WAITING_INDEX
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.cluster_access import ClusterAccess
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.identity import Identity
from nova_constructs.job_permissions import JobPermissions
from nova_constructs.reconciler_watch import ReconcilerWatch
from nova_constructs.run_control import RunControl
from nova_constructs.run_ledger import RunLedger
from nova_constructs.run_rules import MAX_RUN_AGE
from nova_constructs.scheduling import call_every
from nova_constructs.tables import workflow_table

FINAL_TRAINING_STATUSES = ["Completed", "Failed", "Stopped"]
FINAL_BATCH_STATUSES = [*FINAL_TRAINING_STATUSES, "PartiallyCompleted", "Expired"]


class JobWaiting(Construct):
    """The registry and what completes its rows.

    Attributes: `table`, `complete` (None where no job ends with an event), `reconcile`, `reconcile_interval`,
    `watch`, `permissions`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        identity: Identity,
        store: ArtifactStore,
        ledger: RunLedger,
        control: RunControl,
        undelivered: sqs.Queue,
        deploys: bool = True,
        provisioned: bool = False,
        updates: bool = False,
        batch_jobs: bool = False,
        model_key_arn: str | None = None,
        named: bool = False,
        uses_training_jobs: bool = True,
        clusters: ClusterAccess | None = None,
        reconcile_interval: Duration | None = None,
        max_run_age: Duration = MAX_RUN_AGE,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Create the registry and its functions; `reconcile_interval` defaults to 5 minutes.

        `deploys` says that the customization imports and deploys models, so that there are such jobs to wait for,
        `provisioned`, `updates` and `named` how, `batch_jobs` that Amazon Bedrock answers rows, `model_key_arn` which
        key of yours encrypts the models (`JobPermissions`). A run that is open for longer than `max_run_age` is ended.
        """
        super().__init__(scope, construct_id)
        self.reconcile_interval = reconcile_interval or Duration.minutes(5)
        self._control, self._ledger = control, ledger
        self.permissions = JobPermissions(
            Stack.of(self), identity, deploys, provisioned, updates, batch_jobs, model_key_arn, named,
            uses_training_jobs=uses_training_jobs, clusters=clusters or ClusterAccess(),
        )  # fmt: skip
        self.table = self._registry(store, removal_policy)
        # No service tells of the end of a job on a cluster: those are the reconciler's.
        self.complete = self._completer() if uses_training_jobs or batch_jobs else None
        closing = self.closing_environment(store)
        closing |= {"MAX_RUN_AGE_SECONDS": str(max_run_age.to_seconds())}
        self.reconcile = self._function("Reconcile", "reconcile_jobs", {**closing, **control.pointer_environment})
        self.watch = ReconcilerWatch(self, "Watch", reconcile=self.reconcile, interval=self.reconcile_interval)
        self._allow_reconciling(store)
        if self.complete and uses_training_jobs:
            self._on_training_job_end(self.complete, identity, undelivered)
        if self.complete and batch_jobs:
            self._on_batch_job_end(self.complete, identity, undelivered)
        self._on_schedule()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a function that submits, completes or stops jobs."""
        return {"JOB_REGISTRY_TABLE": self.table.table_name}

    def closing_environment(self, store: ArtifactStore) -> dict[str, str]:
        """Return the environment of a function that closes runs."""
        return {
            **self.environment,
            **self._control.environment,
            **self._ledger.environment,
            "RUN_LEDGER_TABLE": self._ledger.table.table_name,
            "AUDIT_BUCKET": store.audit.bucket_name,
        }

    @property
    def grace(self) -> Duration:
        """Two reconciler rounds and a quarter of an hour: by then a job past its deadline has been ended."""
        return Duration.seconds(2 * self.reconcile_interval.to_seconds() + 900)

    def answer_to(self, state_machine: sfn.StateMachine, *submitters: HandlerFunction) -> None:
        """Let the functions send task tokens back to a state machine, the reconciler look at and end its executions.

        Policies of their own, since the state machine depends on the functions and so on their roles.
        """
        answer = statement(
            "AnswerTaskTokens", ["states:SendTaskSuccess", "states:SendTaskFailure"], [state_machine.state_machine_arn]
        )
        completers = [self.complete] if self.complete else []
        for function in (*completers, self.reconcile, *submitters):
            iam.Policy(function, "TaskTokens", roles=[function.role], statements=[answer])
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{state_machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        iam.Policy(
            self.reconcile,
            "Executions",
            roles=[self.reconcile.role],
            statements=[
                statement("SeeWhetherRunsEnded", ["states:DescribeExecution"], [executions]),
                statement("EndRunsTooOld", ["states:StopExecution"], [executions]),
            ],
        )

    def dispatch_through(self, receive: HandlerFunction, arrivals: dynamodb.Table) -> None:
        """Let the reconciler look for arrivals that wait, and have the function start what is due."""
        self.reconcile.function.add_environment("ARRIVALS_TABLE", arrivals.table_name)
        self.reconcile.function.add_environment("RECEIVE_FUNCTION", receive.function.function_name)
        self.reconcile.use_table("SeeArrivals", arrivals, "Query", indexes=[WAITING_INDEX])
        self.reconcile.allow("DispatchArrivals", ["lambda:InvokeFunction"], [receive.function.function_arn])

    def _registry(self, store: ArtifactStore, removal_policy: RemovalPolicy) -> dynamodb.Table:
        text, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
        table = workflow_table(
            self,
            "Registry",
            partition_key="run_id",
            sort_key=dynamodb.Attribute(name="stage", type=text),
            key=store.key,
            time_to_live_attribute="expires_at",
            removal_policy=removal_policy,
        )
        table.add_global_secondary_index(
            index_name="by-name", partition_key=dynamodb.Attribute(name="job_name", type=text)
        )
        table.add_global_secondary_index(
            index_name="open",
            partition_key=dynamodb.Attribute(name="open_marker", type=text),
            sort_key=dynamodb.Attribute(name="deadline", type=number),
        )
        return table

    def _function(self, construct_id: str, handler: str, environment: dict[str, str]) -> HandlerFunction:
        return HandlerFunction(
            self, construct_id, handler=handler, environment=environment, timeout=Duration.minutes(5)
        )

    def _completer(self) -> HandlerFunction:
        function = self._function("Complete", "complete_job", {**self._ledger.environment, **self.environment})
        function.use_table("KeepJobRows", self.table, "GetItem", "PutItem", "Query", indexes=["by-name"])
        if self.permissions.uses_training_jobs:
            self.permissions.see_training_jobs(function)
            self.permissions.stop_training_jobs(function)
        if self.permissions.batch_jobs:
            self.permissions.see_invocation_jobs(function)
            self.permissions.stop_invocation_jobs(function)
        self._ledger.grant_append(function)
        return function

    def _allow_reconciling(self, store: ArtifactStore) -> None:
        self.allow_closing(self.reconcile, store=store, indexes=["open"])
        parameter = self._control.pointer_parameter_arn
        self.reconcile.allow("RepairPointer", ["ssm:GetParameter", "ssm:PutParameter"], [parameter])

    def allow_submitting(self, function: HandlerFunction) -> None:
        """Let a function keep the row of the job that it submits."""
        function.use_table("KeepJobRow", self.table, "GetItem", "PutItem")
        function.use_table("CheckLock", self._control.table, "GetItem")
        self._ledger.grant_append(function)

    def allow_closing(self, function: HandlerFunction, *, store: ArtifactStore, indexes: Sequence[str] = ()) -> None:
        """Let a function end a run: stop its jobs, settle its lock and claim, write its record."""
        function.use_table("KeepJobRows", self.table, "GetItem", "PutItem", "Query", indexes=indexes)
        function.use_table("SettleRun", self._control.table, "GetItem", "PutItem")
        function.use_table("ReadLedger", self._ledger.table, "Query")
        function.write_objects("WriteRecord", store.audit, "runs/*/record.json")
        self._ledger.grant_append(function)
        self.permissions.see_jobs(function)
        self.permissions.stop_jobs(function)

    def _on_training_job_end(self, complete: HandlerFunction, identity: Identity, undelivered: sqs.Queue) -> None:
        events.Rule(
            self,
            "TrainingJobEnded",
            description="Nova Constructs: a training or evaluation job of this customization has ended",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Training Job State Change"],
                detail={
                    "TrainingJobName": [{"prefix": f"{identity.slug}-"}],
                    "TrainingJobStatus": FINAL_TRAINING_STATUSES,
                },
            ),
            targets=[targets.LambdaFunction(complete.function, dead_letter_queue=undelivered)],
        )

    def _on_batch_job_end(self, complete: HandlerFunction, identity: Identity, undelivered: sqs.Queue) -> None:
        events.Rule(
            self,
            "BatchJobEnded",
            description="Nova Constructs: a batch inference job of this customization has ended",
            event_pattern=events.EventPattern(
                source=["aws.bedrock"],
                detail_type=["Batch Inference Job State Change"],
                detail={"batchJobName": [{"prefix": f"{identity.slug}-"}], "status": FINAL_BATCH_STATUSES},
            ),
            targets=[targets.LambdaFunction(complete.function, dead_letter_queue=undelivered)],
        )

    def _on_schedule(self) -> None:
        call_every(
            self,
            self.reconcile,
            minutes=int(self.reconcile_interval.to_minutes()),
            description="Nova Constructs: describe every open job, enforce deadlines, repair what was lost",
            sid="StartReconciler",
        )

"""What follows what in a run, by its mode and by what it finds: the stages put together to one state machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.approval import ApprovalStage
from nova_constructs.batch_inference_stage import BatchInferenceStage
from nova_constructs.data_preparation import DataPreparation
from nova_constructs.deployment import Deployment
from nova_constructs.evaluation import Evaluation
from nova_constructs.evaluation_sets import EvaluationSets
from nova_constructs.quality_gate import GateStage
from nova_constructs.run_closing import RunClosing
from nova_constructs.run_modes import in_modes
from nova_constructs.run_plan import RunPlan
from nova_constructs.stage import Stage
from nova_constructs.training import Training
from nova_constructs.turn import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStages:
    """The stages of a customization; None for one that it does not have."""

    plan: RunPlan
    turn: Turn | None
    data: DataPreparation
    evaluation_sets: EvaluationSets | None
    training: Training
    evaluation: Evaluation
    gate: GateStage
    batch_inference: BatchInferenceStage | None
    infers_in_every_run: bool
    approval: ApprovalStage | None
    deployment: Deployment | None

    @property
    def in_order(self) -> Sequence[Stage]:
        """The stages in the order of a run."""
        before = (self.plan, self.turn, self.data, self.evaluation_sets, self.training, self.evaluation, self.gate)
        found = (*before, self.batch_inference, self.approval, self.deployment)
        return [stage for stage in found if stage]


class RunDefinition:
    """Connects the stages of a run, which are made already, in `scope`."""

    def __init__(self, scope: Construct, *, stages: RunStages, closing: RunClosing) -> None:
        self._scope, self._stages, self._closing = scope, stages, closing

    def chain(self) -> sfn.IChainable:
        """Return the states of a run, each stage's errors caught."""
        closing, stages = self._closing, self._stages
        failed = closing.fail()
        for stage in stages.in_order:
            for state in stage.tasks:
                state.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        close = closing.succeed("CloseRun", "SUCCEEDED")
        rejected = closing.succeed("CloseRejectedRun", "REJECTED")
        deploy = stages.deployment.next(close) if stages.deployment else close
        if stages.approval:
            deploy = stages.approval.before(deploy, rejected)
        infer = self._infer(deploy, close)
        release = infer if infer and stages.infers_in_every_run else deploy
        passed = sfn.Condition.string_equals("$.gate.verdict", "PASSED")
        gate = (
            sfn.Choice(self._scope, "GateDecision")
            .when(sfn.Condition.and_(passed, in_modes(lambda mode: mode.evaluates and mode.deploys)), release)
            .when(passed, close)
            .otherwise(rejected)
        )
        # What a mode does not have ends the run: a mode that nobody thought of trains nothing and deploys nothing.
        measure = stages.evaluation.next(stages.gate).next(gate)
        trained = (
            sfn.Choice(self._scope, "TrainingDone")
            .when(in_modes(lambda mode: mode.evaluates), measure)
            .otherwise(close)
        )
        train = stages.training.next(trained)
        frozen = self._freeze(train, measure, close)
        answer = self._answer(infer, frozen or train)
        prepared = sfn.Choice(self._scope, "DataDone")
        if answer and stages.infers_in_every_run:
            prepared.when(in_modes(lambda mode: mode.trains and mode.infers), answer)
        elif frozen:
            prepared.when(in_modes(lambda mode: mode.trains and mode.evaluates), frozen)
        prepared.when(in_modes(lambda mode: mode.trains), train).otherwise(close)
        run = sfn.Condition.string_equals("$.plan.decision", "RUN")
        plan = (
            sfn.Choice(self._scope, "PlanDecision")
            .when(sfn.Condition.and_(run, in_modes(lambda mode: mode.prepares)), stages.data.next(prepared))
            .when(sfn.Condition.and_(run, in_modes(lambda mode: mode.evaluates and not mode.trains)), frozen or measure)
        )
        if answer:
            plan.when(sfn.Condition.and_(run, in_modes(lambda mode: mode.infers and not mode.trains)), answer)
        if stages.deployment:
            only = in_modes(lambda mode: mode.deploys and not mode.trains)
            plan.when(sfn.Condition.and_(run, only), deploy)
        dry_run = sfn.Condition.string_equals("$.plan.decision", "DRY_RUN")
        plan.when(dry_run, closing.succeed("CloseDryRun", "DRY_RUN"))
        skipped = closing.succeed("CloseSkippedRun", "SKIPPED")
        if stages.turn:
            queued = sfn.Condition.string_equals("$.plan.decision", "QUEUE")
            plan.when(queued, stages.turn.before(stages.plan, skipped))
        plan.otherwise(skipped)
        return stages.plan.next(plan)

    def _infer(self, deploy: sfn.IChainable, close: sfn.IChainable) -> sfn.IChainable | None:
        """Return the states of batch inference: a run of its own ends with them, a whole one goes on."""
        if self._stages.batch_inference is None:
            return None
        if not self._stages.infers_in_every_run:
            return self._stages.batch_inference.next(close)
        done = (
            sfn.Choice(self._scope, "InferenceDone").when(in_modes(lambda mode: mode.deploys), deploy).otherwise(close)
        )
        return self._stages.batch_inference.next(done)

    def _freeze(self, train: sfn.IChainable, measure: sfn.IChainable, close: sfn.IChainable) -> sfn.IChainable | None:
        """Return the state that freezes the evaluation sets, and what follows it.

        It stands before training, so that nothing is paid for a model that could not be measured then.
        """
        if self._stages.evaluation_sets is None:
            return None
        frozen = sfn.Choice(self._scope, "SetsFrozen").when(in_modes(lambda mode: mode.trains), train)
        frozen.when(in_modes(lambda mode: mode.evaluates and not mode.trains), measure).otherwise(close)
        return self._stages.evaluation_sets.next(frozen)

    def _answer(self, infer: sfn.IChainable | None, train: sfn.IChainable) -> sfn.IChainable | None:
        """Return the states that prepare the rows to answer, before anything is trained, and what follows them."""
        if infer is None or self._stages.data.for_inference is None:
            return None
        if not self._stages.infers_in_every_run:
            return self._stages.data.for_inference.next(infer)
        ready = sfn.Choice(self._scope, "RowsReady").when(in_modes(lambda mode: mode.trains), train).otherwise(infer)
        return self._stages.data.for_inference.next(ready)

"""The approval stage: between the gate and the deployment, the run waits for a person.

Input: the whole state, of which scores, gate and checkpoint are told to people. Output: `$.approval` with `decision`
(APPROVED, REJECTED or EXPIRED), `by`, `reason`, `at` and `sentence`. A run that is not approved ends `REJECTED`.
Errors: `LockLost`, `TransientServiceError`. People are told from the ledger (notifications.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.approval.approvals import APPROVED
from lambda_handlers.approval.people import approver_problems
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import EXHAUSTED_RETRY, RETRY, RUN, lambda_task
from nova_constructs.stage import Stage, Workshop

_SHORTEST, _LONGEST = Duration.minutes(1), Duration.days(60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """What a run waits for after its gate has passed: the answer of a person.

    `deadline` (default 3 days, 1 minute to 60 days) is how long; without an answer the run ends `REJECTED`. `approvers`
    are ARNs of roles, users or sessions, with `*` in names; without any, whoever IAM lets call the function may answer.
    With `self_approval`, who asked for a run may answer.
    """

    deadline: Duration = field(default_factory=lambda: Duration.days(3))
    approvers: Sequence[str] = ()
    self_approval: bool = False

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Approval:
        """Read the words of a settings file: `deadline_hours`, `approvers`, `self_approval`."""
        given = {name: settings[name] for name in ("approvers", "self_approval") if name in settings}
        if "deadline_hours" in settings:
            given["deadline"] = Duration.seconds(round(settings["deadline_hours"] * 3600))
        return cls(**given)

    def problems(self) -> Iterable[str]:
        """Yield what cannot work."""
        seconds = self.deadline.to_seconds()
        if not _SHORTEST.to_seconds() <= seconds <= _LONGEST.to_seconds():
            yield f"approval has a deadline of {seconds:g} seconds: use 1 minute to 60 days"
        known = [approver for approver in self.approvers if not Token.is_unresolved(approver)]
        yield from (f"approval: {problem}" for problem in approver_problems(known))

    def config(self) -> dict[str, Any]:
        """Return the rules as the functions read them."""
        return {
            "deadline_seconds": self.deadline.to_seconds(),
            "approvers": list(self.approvers),
            "self_approval": self.self_approval,
        }


class ApprovalStage(Stage):
    """Asks and waits. Attributes: `request`, `settle`, `answer` (the function that takes answers)."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop, approval: Approval) -> None:
        super().__init__(scope, construct_id)
        self._workshop, self._approval, self._config = workshop, approval, approval.config()
        self.request = self._function("Request", "request_approval")
        self.settle = self._function("Settle", "settle_approval")
        # Not among the stage's own functions: people call it, the state machine never does.
        self.answer = self._function("Answer", "answer_approval", scope=Construct(self, "People"))
        self._wait, self._settle_state = self._wait_state(), self._settled_state()
        self._wait.add_catch(self._settle_state, errors=["States.Timeout"], result_path="$.approval")
        self.tasks = [self._wait, self._settle_state]

    def before(self, approved: sfn.IChainable, rejected: sfn.IChainable) -> sfn.IChainable:
        """Return the states that go on with `approved` or `rejected` once somebody has answered, or nobody in time."""
        yes = sfn.Condition.string_equals("$.approval.decision", APPROVED)
        decision = sfn.Choice(self, "ApprovalDecision").when(yes, approved).otherwise(rejected)
        self._settle_state.next(decision)
        return self._wait.next(decision)

    def connect(self, state_machine: sfn.StateMachine) -> None:
        """Let the functions answer to the state machine, which did not exist before them."""
        arn = state_machine.state_machine_arn
        self.answer.function.add_environment("STATE_MACHINE_ARN", arn)
        for function in (self.answer, self.request):
            # A policy of its own, since the state machine depends on the functions and so on their roles.
            answer = statement("AnswerTaskTokens", ["states:SendTaskSuccess"], [arn])
            iam.Policy(function, "TaskTokens", roles=[function.role], statements=[answer])

    def grant_answer(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody answer, and say who they are when they start a run: lambda:InvokeFunction on one function."""
        return self.answer.function.grant_invoke(grantee)

    def _function(self, construct_id: str, handler: str, scope: Construct | None = None) -> HandlerFunction:
        workshop = self._workshop
        function = HandlerFunction(
            scope or self,
            construct_id,
            handler=handler,
            environment={**workshop.control.environment, **workshop.ledger.environment},
        )
        function.use_table("KeepApproval", workshop.control.table, "GetItem", "PutItem")
        workshop.ledger.grant_append(function)
        return function

    def _wait_state(self) -> sfn.CustomState:
        return sfn.CustomState(
            self,
            "AwaitApproval",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self).partition}:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": self.request.version_arn,
                    "Payload": {
                        **RUN,
                        "token.$": "$$.Task.Token",
                        "retry.$": "$$.State.RetryCount",
                        "config": self._config,
                        "result.$": "$",
                    },
                },
                "ResultPath": "$.approval",
                # The deadline itself: nobody polls, and what SettleApproval finds in the item decides.
                "TimeoutSeconds": self._approval.deadline.to_seconds(),
                "Retry": [RETRY, EXHAUSTED_RETRY],
            },
        )

    def _settled_state(self) -> sfn.CustomState:
        return lambda_task(
            self,
            "SettleApproval",
            function=self.settle,
            payload={**RUN, "config": self._config},
            result_path="$.approval",
        )

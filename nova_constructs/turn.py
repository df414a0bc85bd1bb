"""The state in which a run waits for its turn, where the customization has a queue.

Input: the plan with decision QUEUE. Output: `$.turn` with `decision` (TAKEN or DISMISSED) and `reason`; a run whose
turn has come is planned again, one that was sent away ends `SKIPPED`.
Errors: `LockLost` where the run is being closed, `States.Timeout` where nobody told it anything by the deadline.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lambda_handlers.protocol.queueing import TAKEN
from nova_constructs.handler_function import HandlerFunction, statement
from nova_constructs.lambda_task import EXHAUSTED_RETRY, RETRY, RUN
from nova_constructs.stage import Stage, Workshop


class Turn(Stage):
    """Waits for the end of other runs. Attribute: `wait`."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop, deadline: Duration) -> None:
        """Create the stage; a run waits until `deadline`, the state itself a little longer."""
        super().__init__(scope, construct_id)
        self.wait = HandlerFunction(self, "Wait", handler="await_turn", environment=workshop.control.environment)
        self.wait.use_table("KeepTurn", workshop.control.table, "GetItem", "PutItem")
        self._state = self._await(deadline.plus(workshop.grace))
        self.run_in_order(self._state)

    def before(self, plan: sfn.IChainable, skipped: sfn.IChainable) -> sfn.IChainable:
        """Return the states that go on with `plan` once the run's turn has come, with `skipped` if it never will."""
        taken = sfn.Condition.string_equals("$.turn.decision", TAKEN)
        return self._state.next(sfn.Choice(self, "TurnDecision").when(taken, plan).otherwise(skipped))

    def connect(self, state_machine: sfn.StateMachine, close: HandlerFunction) -> None:
        """Let the function, and the one that closes runs, answer to the state machine, which did not exist before."""
        answer = statement("PassLockOn", ["states:SendTaskSuccess"], [state_machine.state_machine_arn])
        for function in (self.wait, close):
            iam.Policy(function, "Turns", roles=[function.role], statements=[answer])

    def _await(self, timeout: Duration) -> sfn.CustomState:
        return sfn.CustomState(
            self,
            "AwaitTurn",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self).partition}:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": self.wait.version_arn,
                    "Payload": {
                        **RUN,
                        "token.$": "$$.Task.Token",
                        "retry.$": "$$.State.RetryCount",
                        "entered.$": "$$.State.EnteredTime",
                    },
                },
                "ResultPath": "$.turn",
                "TimeoutSeconds": timeout.to_seconds(),
                "Retry": [RETRY, EXHAUSTED_RETRY],
            },
        )

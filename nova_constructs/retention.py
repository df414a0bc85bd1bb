"""Retirement: after each promotion, the models and deployments that nobody needs any more are removed.

Creates the function `retire_models` and the state RetireModels that calls it. `$.retired` tells how many went.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.stage import Workshop


def retirement(scope: Construct, workshop: Workshop, *, keep: int, bake_minutes: int) -> sfn.CustomState:
    """Return the state that removes what is neither among the last `keep` nor needed.

    What has never served anybody goes once its run has ended and it is older than the bake time.
    """
    permissions = workshop.waiting.permissions
    function = HandlerFunction(
        scope,
        "Retire",
        handler="retire_models",
        timeout=Duration.minutes(5),
        environment={**workshop.identity.environment, **workshop.control.environment, **workshop.ledger.environment},
    )
    function.use_table("CheckLockAndReadPointer", workshop.control.table, "GetItem")
    permissions.retire(function)
    workshop.ledger.grant_append(function)
    config = {"keep": keep, "bake_minutes": bake_minutes, "provisioned": permissions.provisioned}
    return lambda_task(
        scope, "RetireModels", function=function, payload={**RUN, "config": config}, result_path="$.retired"
    )

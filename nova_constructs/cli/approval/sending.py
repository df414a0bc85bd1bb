"""Sends an answer to the function of a customization that takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_handlers.approval.binding import Statement
from nova_constructs.cli.approval import signing
from nova_constructs.cli.awaited import FUNCTION_OUTPUT, asks_for_approval
from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.runs import Runs


def send(runs: Runs, run_id: str, decision: str, reason: str = "") -> dict[str, Any]:
    """Send an answer and return what became of it: `accepted`, and the decision or `error` and `cause`.

    Raises BadInputError for a customization that asks nobody, CommandError where the function failed.
    """
    customization = runs.customization
    if not asks_for_approval(customization):
        raise BadInputError(
            f"runs of the customization {customization.name} wait for nobody's approval",
            received=run_id,
            do="deploy it with `approval`, or name another with --stack and --customization",
        )
    statement = Statement(workflow=customization.state_machine_arn, run_id=run_id, decision=decision, reason=reason)
    request = {"run": run_id, "decision": decision, "reason": reason, "identity": signing.identity(statement)}
    answer = runs.client("lambda").invoke(
        FunctionName=customization.outputs[FUNCTION_OUTPUT], Payload=json.dumps(request).encode()
    )
    told: Mapping[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandError(f"the answer was not taken, send it again: {told.get('errorMessage', told)}")
    return dict(told)

"""Make a deployment production: only after it has answered, and only for the run that holds the lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.deployment import smoke
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import POINTER_MOVED, Pointer, project
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import ItemStore

_ANSWER_KEPT: Final = 500


def promote(
    event: Mapping[str, Any], *, control: ItemStore, runtime: Any, ssm: Any, parameter: str, ledger: Ledger
) -> dict[str, Any]:
    """Ask the deployment the smoke prompts, move the pointer to it and write the parameter; return before and after.

    `config` is how the customization deploys.

    Raises LockLost when the run no longer holds the lock, DeploymentFailed when the deployment does not answer. A
    repeated call has the effect and the result of the first.
    """
    run = Run.parse(event["run"])
    deployment_arn, model_arn = event["deployment_arn"], event["model_arn"]
    RunLock(control).check(run.id, run.lock_generation)
    settings = event["config"]
    answers = smoke.ask_all(runtime, deployment_arn, settings["smoke"])
    deployed = {
        "deployment_arn": deployment_arn,
        "model_arn": model_arn,
        **{name: settings[name] for name in ("target", "mode")},
        "answers": [answer[:_ANSWER_KEPT] for answer in answers],
    }
    ledger.append(run_id=run.id, event_id="model-deployed", type="model_deployed", detail=deployed)
    before = Pointer(control).move(run.id, run.lock_generation, deployment_arn, model_arn=model_arn)
    pointer = {"name": parameter, "before": before, "after": deployment_arn}
    ledger.append(run_id=run.id, event_id="pointer-moved", type=POINTER_MOVED, detail=pointer)
    project(ssm, parameter, deployment_arn)
    return pointer

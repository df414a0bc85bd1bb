"""A customization that runs in mode deploy on the emulator, and what is left of its models and deployments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.workflow.harness import Workflow, until
from tests.workflow.paths import dataset_of

TARGETS: dict[str, dict[str, Any]] = {
    "on demand": {"target": "BEDROCK_OD"},
    "provisioned": {"target": "BEDROCK_PT", "model_units": 1},
}
QUESTION = [{"role": "user", "content": [{"text": "What is 7 plus 7?"}]}]


def trained(workflow: Workflow, name: str) -> str:
    """Return the run that trained a checkpoint of its own, and deployed nothing."""
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    uri = f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl"
    ended = workflow.finish(workflow.start(dataset=uri, mode="train"))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return str(ended["name"])


def deploy(workflow: Workflow, run: str, *, fails: bool = False) -> dict[str, Any]:
    """Deploy the checkpoint of a run by force and return the record, once nothing is left to be done."""
    ended = workflow.finish(workflow.start(mode="deploy", base_run=run, force=True))
    assert ended["status"] == ("FAILED" if fails else "SUCCEEDED"), (ended.get("cause"), ended.get("output"))
    record = dict(workflow.record(ended["name"]))
    workflow.nothing_left_running()
    return record


def served(workflow: Workflow) -> dict[str, str]:
    """Return the model behind everything that serves one, by name."""
    bedrock = workflow.emulator.client("bedrock")
    return {
        each["customModelDeploymentName"]: each["modelArn"]
        for each in bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]
    } | {
        each["provisionedModelName"]: each["modelArn"]
        for each in bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    }


def models(workflow: Workflow) -> set[str]:
    return {each["modelArn"] for each in workflow.emulator.client("bedrock").list_custom_models()["modelSummaries"]}


def models_of(workflow: Workflow, run: str) -> dict[str, str]:
    """Return the status of each model that was made of the checkpoint of a run."""
    bedrock, checkpoint = workflow.emulator.client("bedrock"), workflow.record(run)["checkpoint_uri"]
    wanted = {"key": "nova-constructs:checkpoint", "value": checkpoint}
    return {
        each["modelArn"]: each["modelStatus"]
        for each in bedrock.list_custom_models()["modelSummaries"]
        if wanted in bedrock.list_tags_for_resource(resourceARN=each["modelArn"])["tags"]
    }


EVENTS = (
    *("model_imported", "deployment_chosen", "model_deployed", "pointer_moved", "models_retired"),
    *("pointer_rolled_back", "run_closed"),
)
"""What the ledger has of a deployment."""


def events(record: dict[str, Any]) -> list[str]:
    """Return what the ledger has of the deployment of a run, in order."""
    return [event["type"] for event in record["ledger"] if event["type"] in EVENTS]


def event(record: dict[str, Any], type: str) -> dict[str, Any]:
    """Return the detail of a run's only event of a type."""
    [detail] = [each["detail"] for each in record["ledger"] if each["type"] == type]
    return dict(detail)


@contextmanager
def reading(workflow: Workflow, every: float = 0.02) -> Iterator[list[str]]:
    """Invoke through the pointer all along, every so many seconds; the list has every failure."""
    failures: list[str] = []
    done, count = threading.Event(), [0]
    runtime, ssm = workflow.emulator.client("bedrock-runtime"), workflow.emulator.client("ssm")

    def read() -> None:
        while not done.is_set():
            try:
                arn = ssm.get_parameter(Name=workflow["PointerParameterName"])["Parameter"]["Value"]
                runtime.converse(modelId=arn, messages=QUESTION)
                count[0] += 1
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")
            done.wait(every)

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    try:
        yield failures
        before = count[0]
        until(lambda: count[0] > before or None, "another answer to the reader")
    finally:
        done.set()
        reader.join()


def told(record: dict[str, Any]) -> str:
    return json.dumps([record.get("error"), record.get("cause")])

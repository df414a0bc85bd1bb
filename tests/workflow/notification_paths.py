"""The path that proves where a decision goes that cannot be told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.workflow.harness import Workflow, until
from tests.workflow.paths import dataset_of


def cannot_be_told(workflow: Workflow) -> None:
    """The function fails on one decision until that is given up: the run does not notice, the rest is told."""
    workflow.emulator.faults.crash_function("AnnouncementsAnnounce", times=None, when=_starts)
    workflow.put("IncomingBucketName", "uploads/untold.jsonl", dataset_of("untold"))
    place = f"s3://{workflow['IncomingBucketName']}/uploads/untold.jsonl"
    ended = workflow.finish(workflow.start(dataset=place, mode="prepare", force=True))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    kept = until(lambda: _kept(workflow), "the decision in the dead-letter queue")
    assert kept["DDBStreamBatchInfo"]["batchSize"] == 1


def _starts(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(records) and records[0]["dynamodb"]["NewImage"]["type"]["S"] == "run_started"


def _kept(workflow: Workflow) -> dict[str, Any] | None:
    """Take the next message out of the dead-letter queue, or None."""
    sqs, url = workflow.emulator.client("sqs"), workflow["UndeliveredQueueUrl"]
    for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return dict(json.loads(message["Body"]))
    return None


NOTIFICATION_PATHS: dict[str, Callable[[Workflow], None]] = {"a decision that cannot be told": cannot_be_told}

"""A customization with a history: runs that trained on something, and one of them in production."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_handlers.evaluation.baselines import Baselines
from lambda_handlers.evaluation.frozen import Freezer
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from tests.planning.planning_world import Clock, Ledger
from tests.protocol.protocol_memory import MemoryItemStore
from tests.training.training_support import RUN, MemoryS3

SET = "s3://incoming/evaluation/questions.jsonl"
PLAN: dict[str, Any] = {"start": {"model_path": None, "base_run": None}, "model": None}


class S3(MemoryS3):
    """Answer what a reader of datasets asks, too."""

    def head_object(self, **request: Any) -> Any:
        content = self.get_object(**request)["Body"].read()
        return {"ContentLength": len(content), "VersionId": "v1", "ETag": '"e"'}

    def get_object(self, **request: Any) -> Any:
        """Answer an earlier version where there is one, kept under the key with `?VERSION`."""
        earlier = f"{request['Key']}?{request.get('VersionId')}"
        known = f"s3://{request['Bucket']}/{earlier}" in self.objects
        return super().get_object(**{**request, "Key": earlier} if known else request)


def lines(*rows: Mapping[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def question(query: str, response: str = "yes") -> dict[str, str]:
    return {"query": query, "response": response}


def chat(*texts: str) -> dict[str, Any]:
    """Return a training row: what is said in turn."""
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": [{"text": text}]} for role, text in zip(roles, texts, strict=False)]
    return {"schemaVersion": "bedrock-conversation-2024", "messages": messages}


class World:
    """Stores in memory, and what runs of the customization have left in them."""

    def __init__(self) -> None:
        self.s3, self.ledger = S3(), Ledger()
        self.control = MemoryItemStore("control", "item")

    def trained(self, run_id: str, *asked: str, base_run: str | None = None) -> str:
        """Leave what a run leaves that trained on these questions; return its checkpoint."""
        uri = f"s3://prepared/runs/{run_id}/train.jsonl"
        self.s3.objects[uri] = lines(*(chat(text, "yes") for text in asked))
        checkpoint = f"s3://customer-escrow-123456789012-smtj-abc/{run_id}/step_4"
        started = {
            "plan": {"mode": "train", "start": {"base_run": base_run}},
            "config": {"model": "NOVA_LITE_2", "method": "SFT_LORA"},
        }
        for type_, detail in (
            ("run_started", started),
            ("data_prepared", {"train": {"uri": uri, "rows": len(asked)}}),
            ("checkpoint_resolved", {"uri": checkpoint, "platform": "SMTJ"}),
        ):
            self.ledger.append(run_id=run_id, event_id=type_, type=type_, detail=detail)
        return checkpoint

    def promote(self, run_id: str) -> None:
        """Make the model of a run production."""
        now = Clock().now()
        generation = RunLock(self.control).acquire(run_id, f"arn:{run_id}", now)
        Pointer(self.control).move(run_id, generation, f"arn:deployment/{run_id}", model_arn="arn:model", now=now)
        RunLock(self.control).release(run_id)

    def freeze(self, *rows: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """Freeze the set of gen_qa."""
        self.s3.objects[SET] = lines(*rows)
        task = {"task": "gen_qa", "dataset_uri": SET, **changes.pop("task", {})}
        event = {
            "run": RUN,
            "plan": PLAN,
            "tasks": [task],
            "config": {"model": "NOVA_LITE_2", "max_reject_ratio": 0.5},
            **changes,
        }
        freezer = Freezer(
            s3=self.s3,
            control=self.control,
            events=self.ledger.store,
            ledger=self.ledger,
            prepared_bucket="prepared",
        )
        return dict(freezer.freeze(event)[task["task"]])

    def baseline(self, against: str, *, base_measured: bool = False, **more: Any) -> dict[str, Any]:
        """Find a model of comparison for mmlu."""
        event = {
            "run": RUN,
            "task": {"task": "mmlu", "subtask": None, "overrides": {}, "baseline": against},
            "config": {"model": "NOVA_LITE_2"},
            "hub_content_version": "1.0",
            "base_measured": base_measured,
            **more,
        }
        baselines = Baselines(
            s3=self.s3,
            artifacts_bucket="artifacts",
            control=self.control,
            events=self.ledger.store,
            ledger=self.ledger,
        )
        return baselines.find(event)

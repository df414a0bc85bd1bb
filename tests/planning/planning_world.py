"""A planner with everything around it, in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from lambda_handlers.planning.context import Account, History
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.plan import Planner
from lambda_handlers.protocol import runs
from lambda_handlers.protocol.fingerprint import settle
from lambda_handlers.protocol.ledger import append
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.store import ConditionFailed, Item, next_version
from lambda_handlers.recipes import hub_snapshot as hub
from tests.checks.checks_support import KEY, ROLE, Ec2, Functions, Iam, Kms, Mlflow, Quotas
from tests.protocol.protocol_memory import MemoryItemStore

REGION = "us-east-1"
ROW = b'{"question": "x", "answer": "y"}\n'
CONFIG: dict[str, Any] = {
    "customization": "demo",
    "model": "NOVA_LITE_2",
    "method": "SFT_LORA",
    "training": {
        "platform": "SMTJ",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
        "max_runtime_seconds": 86400,
        "max_pending_seconds": 7200,
        "volume_size_gb": 30,
    },
    "overrides": {"max_steps": 50},
    "columns": {},
    "system_prompt": None,
    "max_reject_ratio": 0.01,
    "evaluation": [
        {
            "task": "mmlu",
            "subtask": None,
            "dataset_uri": None,
            "overrides": {},
            "platform": "SMTJ",
            "instance_type": "ml.p5.48xlarge",
            "instance_count": 1,
            "max_runtime_seconds": 86400,
        }
    ],
    "gate": {"criteria": [{"task": "mmlu", "metric": "accuracy", "floor": 0.5}]},
    "deployment": {"target": "BEDROCK_OD"},
    "code_version": "c1",
}


class MemoryStore:
    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def get(self, key: Item) -> Item | None:
        found = self.items.get(str(key["item"]))
        return dict(found) if found else None

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        stored = self.items.get(str(item["item"]))
        if (stored or {}).get("version") != (replacing or {}).get("version"):
            raise ConditionFailed
        self.items[str(item["item"])] = {**item, "version": next_version(replacing)}
        return self.items[str(item["item"])]

    def query(self, partition: str) -> list[Item]:
        raise AssertionError

    def query_index(self, index: str, value: str) -> list[Item]:
        raise AssertionError


class MemoryS3:
    def __init__(self, objects: dict[tuple[str, str], bytes]) -> None:
        self.objects = objects

    def put_object(self, **request: Any) -> None:
        self.objects[request["Bucket"], request["Key"]] = request["Body"]

    def head_object(self, **request: Any) -> Any:
        return {"ContentLength": len(self.objects[request["Bucket"], request["Key"]]), "VersionId": "v1"}

    def get_object(self, **request: Any) -> Any:
        content = self.objects[request["Bucket"], request["Key"]]
        return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ETag": '"e"'}


class Ledger:
    """Keep what the plan tells, as it was told and as the table has it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.store = MemoryItemStore("ledger", "run_id", "seq")

    def append(self, **event: Any) -> Mapping[str, Any]:
        self.events.append(event)
        made = append(self.store, NoMirror(), now=Clock().now(), **event)
        return {"seq": made.seq, "hash": made.hash}


class NoMirror:
    def put(self, key: str, body: bytes) -> None:
        pass


class Hub(Mlflow):
    def describe_hub_content(self, **request: Any) -> Any:
        try:
            return hub.hub_content(request["HubContentName"], REGION, request.get("HubContentVersion"))
        except KeyError:
            answer: Any = {"Error": {"Code": "ResourceNotFound"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(answer, "DescribeHubContent") from None


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A planner with everything around it."""

    def __init__(self) -> None:
        self.s3 = MemoryS3({(hub.bucket(REGION), key): content for key, content in hub.objects().items()})
        self.control, self.ledger = MemoryStore(), Ledger()
        self.iam, self.kms, self.quotas = Iam(), Kms(), Quotas()
        self.hub, self.ec2, self.functions = Hub(), Ec2(), Functions()
        self.tracking_probes: list[dict[str, Any]] = []
        self.clients: dict[str, Any] = {}
        """Further clients of the account."""

    def plan(
        self, name: str = "run-1", config: Any = None, data: bytes = ROW, raw: Any = None, **asked: Any
    ) -> dict[str, Any]:
        self.s3.put_object(Bucket="incoming-bucket", Key="datasets/a.jsonl", Body=data)
        planner = Planner(
            account=Account(
                s3=self.s3,
                sagemaker=self.hub,
                iam=self.iam,
                kms=self.kms,
                service_quotas=self.quotas,
                ec2=self.ec2,
                functions=self.functions,
                **self.clients,
            ),
            history=History(events=self.ledger.store, control=self.control),
            ledger=self.ledger,
            clock=Clock(),
            places=Places(
                slug="demo",
                region=REGION,
                prepared_bucket="prepared-bucket",
                artifacts_bucket="artifacts-bucket",
                role_arn=ROLE,
                key_arn=KEY,
                tracking_probes=self.tracking_probes,
            ),
        )
        return planner.plan(
            {
                "input": raw or {"dataset": "s3://incoming-bucket/datasets/a.jsonl", **asked},
                "execution": {
                    "id": f"arn:aws:states:us-east-1:123456789012:execution:demo:{name}",
                    "name": name,
                    "start_time": "2026-01-01T00:00:00Z",
                    "state_machine": "arn:aws:states:us-east-1:123456789012:stateMachine:demo",
                },
                "config": config or CONFIG,
            }
        )

    def close(self, name: str, status: str) -> None:
        settle(self.control, name, status)
        RunLock(self.control).release(name)
        runs.close_run(self.control, name)

    def recipe(self, run: str) -> bytes:
        key = f"runs/{run}/training/recipe/recipe.yaml"
        return bytes(self.s3.get_object(Bucket="artifacts-bucket", Key=key)["Body"].read())

"""The pointer moves only to a deployment that answers, and only for the run that holds the lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambda_handlers.deployment import requests
from lambda_handlers.deployment.promotion import promote
from lambda_handlers.protocol.errors import DeploymentFailed, LockLost, TransientServiceError
from lambda_handlers.protocol.lock import LOCK_KEY
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.turns import Holder, Turns
from tests.training.training_support import RUN, Recorder

ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
MODEL = "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/abcdefghijkl"

CONFIG = {"target": "BEDROCK_OD", "mode": "SWAP", "name": None, "smoke": []}


class Store:
    def __init__(self, generation: int = 1) -> None:
        holder = Holder(run_id="run-1", generation=generation, acquired_at="2026-01-01T00:00:00Z")
        lock = Turns(generation=generation, holders=(holder,)).item()
        self.items: dict[str, dict[str, Any]] = {"lock": {**lock, **LOCK_KEY, "version": 1}}

    def get(self, key: Mapping[str, Any]) -> Any:
        return self.items.get(key["item"])

    def put(self, item: Mapping[str, Any], *, replacing: Mapping[str, Any] | None) -> Any:
        self.items[item["item"]] = {**item, "version": 1}
        return self.items[item["item"]]

    def query(self, partition: str) -> Any:
        raise AssertionError

    def query_index(self, index: str, value: str) -> Any:
        raise AssertionError


class Runtime:
    def __init__(self, *texts: str, error: Exception | None = None) -> None:
        self.texts, self.error = texts, error
        self.asked: list[dict[str, Any]] = []

    def converse(self, **request: Any) -> Any:
        self.asked.append(request)
        if self.error:
            raise self.error
        return {"output": {"message": {"content": [{"text": text} for text in self.texts]}}}


class Ssm:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def put_parameter(self, **request: Any) -> None:
        self.values[request["Name"]] = request["Value"]


class World:
    def __init__(self, runtime: Runtime, generation: int = 1) -> None:
        self.store, self.runtime, self.ssm, self.ledger = Store(generation), runtime, Ssm(), Recorder()

    def promote(self, arn: str = ARN, *smoke: Mapping[str, Any]) -> dict[str, Any]:
        config = {**CONFIG, "smoke": list(smoke)}
        return promote(
            {"run": RUN, "deployment_arn": arn, "model_arn": MODEL, "config": config},
            control=self.store,
            runtime=self.runtime,
            ssm=self.ssm,
            parameter="/demo/production",
            ledger=self.ledger,
        )


def refusal(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Converse")


def test_a_deployment_that_answers_becomes_production() -> None:
    world = World(Runtime("", "Hello."))
    assert world.promote() == {"name": "/demo/production", "before": None, "after": ARN}
    assert world.runtime.asked[0]["modelId"] == ARN
    assert world.ssm.values == {"/demo/production": ARN}
    target = Pointer(world.store).read()
    assert target is not None
    assert (target.arn, target.model_arn, target.run_id) == (ARN, MODEL, "run-1")
    assert [event["type"] for event in world.ledger.events] == ["model_deployed", "pointer_moved"]
    assert world.ledger.events[0]["detail"]["answers"] == ["Hello."]


def test_it_is_asked_what_the_customization_says_and_long_answers_are_kept_in_part() -> None:
    world = World(Runtime("x" * 501))
    world.promote(ARN, {"text": "How are you?"})
    assert [request["messages"][0]["content"] for request in world.runtime.asked] == [[{"text": "How are you?"}]]
    assert world.ledger.events[0]["detail"]["answers"] == ["x" * 500]


def test_a_repeated_promotion_tells_the_same() -> None:
    world = World(Runtime("Hello."))
    Pointer(world.store).move("run-1", 1, "arn:old")
    assert world.promote() == world.promote() == {"name": "/demo/production", "before": "arn:old", "after": ARN}


@pytest.mark.parametrize("texts", [(), ("",), (" \n", "\t")])
def test_an_empty_answer_moves_nothing(texts: tuple[str, ...]) -> None:
    world = World(Runtime(*texts))
    with pytest.raises(DeploymentFailed, match="empty answer"):
        world.promote()
    assert (Pointer(world.store).read(), world.ssm.values, world.ledger.events) == (None, {}, [])


def test_a_deployment_that_refuses_fails_with_its_own_words() -> None:
    world = World(Runtime(error=refusal("ModelErrorException", 424)))
    with pytest.raises(DeploymentFailed, match=rf"{ARN} does not answer: .*ModelErrorException"):
        world.promote()
    assert world.ssm.values == {}


@pytest.mark.parametrize(
    "error",
    [refusal("ModelNotReadyException", 429), refusal("x", 503), ReadTimeoutError(endpoint_url="https://bedrock")],
)
def test_a_passing_trouble_may_be_tried_again(error: Exception) -> None:
    with pytest.raises(TransientServiceError):
        World(Runtime(error=error)).promote()


def test_a_denied_call_stays_what_it_is() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        World(Runtime(error=refusal("AccessDeniedException", 403))).promote()


def test_a_run_that_lost_the_lock_asks_and_moves_nothing() -> None:
    world = World(Runtime("Hello."), generation=2)
    with pytest.raises(LockLost):
        world.promote()
    assert (world.runtime.asked, world.ssm.values) == ([], {})


def test_the_requests_to_bedrock_name_checkpoint_role_and_model() -> None:
    assert requests.custom_model(checkpoint_uri="s3://escrow/x", role_arn="arn:role") == {
        "modelSourceConfig": {"s3DataSource": {"s3Uri": "s3://escrow/x"}},
        "roleArn": "arn:role",
    }
    assert requests.deployment(model_arn=MODEL) == {"modelArn": MODEL}

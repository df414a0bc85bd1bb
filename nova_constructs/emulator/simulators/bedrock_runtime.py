"""Amazon Bedrock's inference on deployed custom models: Converse and InvokeModel."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.bedrockruntime.responses import BedrockRuntimeResponse

from nova_constructs.emulator.simulators.answering import answer
from nova_constructs.emulator.simulators.custom_models import CustomModel
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo
from nova_constructs.emulator.simulators.store import Store, store_of

_PIECE = re.compile(r"\w+|[^\w\s]")


class Inference:
    """The inference operations of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store

    def converse(self, parameters: Parameters) -> dict[str, Any]:
        """Answer Converse."""
        reply = self._reply(parameters["modelId"], parameters)
        return {**reply, "metrics": {"latencyMs": 400 + 12 * reply["usage"]["outputTokens"]}}

    def invoke_model(self, parameters: Parameters) -> dict[str, Any]:
        """Answer InvokeModel with Nova's own request and response bodies."""
        try:
            body = json.loads(parameters.get("body") or b"")
        except ValueError as error:
            raise aws_error("ValidationException", "The request body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise aws_error("ValidationException", "The request body must be a JSON object.")
        return {
            "body": json.dumps(self._reply(parameters["modelId"], body)).encode(),
            "contentType": "application/json",
        }

    def _reply(self, model_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        model = self._served(model_id)
        if reason := self._state.faults.reason("no_answer", model.name, model.tags):
            raise aws_error("ModelErrorException", reason)
        question = _question(request.get("messages") or [])
        limit = int((request.get("inferenceConfig") or {}).get("maxTokens") or 5000)
        injected = self._state.faults.reason("answer", model.name, model.tags)
        text, cut = _limited(answer(model.checkpoint, question) if injected is None else injected, limit)
        spoken = question + " ".join(str(block.get("text", "")) for block in request.get("system") or [])
        usage = {"inputTokens": _tokens(spoken), "outputTokens": _tokens(text)}
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "max_tokens" if cut else "end_turn",
            "usage": {**usage, "totalTokens": sum(usage.values())},
        }

    def _served(self, model_id: str) -> CustomModel:
        with self._store.lock:
            if ":custom-model-deployment/" in model_id:
                deployment = self._store.deployments.get(model_id)
                ready = deployment is not None and deployment.status == "Active"
                model_arn = deployment.model_arn if deployment else None
            elif ":provisioned-model/" in model_id:
                throughput = self._store.throughputs.get(model_id)
                ready = throughput is not None and throughput.serves
                model_arn = throughput.model_arn if throughput else None
            else:
                raise aws_error("ValidationException", "The provided model identifier is invalid.")
            if model_arn is None:
                raise aws_error("ResourceNotFoundException", f"The model deployment {model_id} was not found.")
            if not ready:
                raise aws_error("ModelNotReadyException", "The model deployment is not ready for inference.")
            return self._store.models[model_arn]


def install(state: SimulatorState) -> Undo:
    """Serve the inference operations."""
    inference = Inference(state, store_of(state))
    return serve(BedrockRuntimeResponse, {"Converse": inference.converse, "InvokeModel": inference.invoke_model})


def _question(messages: Sequence[Mapping[str, Any]]) -> str:
    if not messages or messages[0].get("role") != "user":
        raise aws_error("ValidationException", "A conversation must start with a user message.")
    if messages[-1].get("role") != "user":
        raise aws_error("ValidationException", "A conversation must end with a user message.")
    return "\n".join(str(block["text"]) for block in messages[-1].get("content") or [] if "text" in block)


def _limited(text: str, tokens: int) -> tuple[str, bool]:
    pieces = list(_PIECE.finditer(text))
    return (text, False) if len(pieces) <= tokens else (text[: pieces[tokens - 1].end()], True)


def _tokens(text: str) -> int:
    return max(1, len(_PIECE.findall(text)))

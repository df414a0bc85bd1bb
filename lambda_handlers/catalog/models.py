"""The Amazon Nova models that can be customized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lambda_handlers.catalog.lookup import find


@dataclass(frozen=True, slots=True, kw_only=True)
class NovaModel:
    """Describe one Nova model: its version (1 or 2), its names in recipes and in the hub, its context in tokens."""

    name: str
    version: int
    model_type: str
    model_path: str
    hub_content_name: str
    context_length: int
    multimodal: bool


def _by_name(*models: NovaModel) -> Mapping[str, NovaModel]:
    return MappingProxyType({model.name: model for model in models})


MODELS: Mapping[str, NovaModel] = _by_name(
    NovaModel(
        name="NOVA_MICRO",
        version=1,
        model_type="amazon.nova-micro-v1:0:128k",
        model_path="nova-micro/prod",
        hub_content_name="nova-textgeneration-micro",
        context_length=128_000,
        multimodal=False,
    ),
    NovaModel(
        name="NOVA_LITE",
        version=1,
        model_type="amazon.nova-lite-v1:0:300k",
        model_path="nova-lite/prod",
        hub_content_name="nova-textgeneration-lite",
        context_length=300_000,
        multimodal=True,
    ),
    NovaModel(
        name="NOVA_LITE_2",
        version=2,
        model_type="amazon.nova-2-lite-v1:0:256k",
        model_path="nova-lite-2/prod",
        hub_content_name="nova-textgeneration-lite-v2",
        context_length=256_000,
        multimodal=True,
    ),
    NovaModel(
        name="NOVA_PRO",
        version=1,
        model_type="amazon.nova-pro-v1:0:300k",
        model_path="nova-pro/prod",
        hub_content_name="nova-textgeneration-pro",
        context_length=300_000,
        multimodal=True,
    ),
)


def model(name: str) -> NovaModel:
    """Return the model called `name`, such as NOVA_LITE_2, or raise UnknownNameError."""
    return find("model", name, MODELS)

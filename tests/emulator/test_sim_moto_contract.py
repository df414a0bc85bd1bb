"""What the simulated services replace or use inside moto 5.2.5: an upgrade that moves it fails here, by name."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from moto.bedrock.responses import BedrockResponse
from moto.bedrockruntime.responses import BedrockRuntimeResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.ecr.responses import ECRResponse
from moto.s3.exceptions import PreconditionFailed
from moto.s3.models import FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.sagemaker.responses import SageMakerResponse

from tests.emulator import sim_support as support

_IN_MOTO = [
    (SageMakerResponse, "create_training_job"),
    (SageMakerResponse, "describe_training_job"),
    (SageMakerResponse, "list_training_jobs"),
    (SageMakerResponse, "list_tags"),
    (SageMakerResponse, "add_tags"),
    (SageMakerResponse, "delete_tags"),
    (BedrockResponse, "get_custom_model"),
    (BedrockResponse, "list_custom_models"),
    (BedrockResponse, "delete_custom_model"),
    (BedrockResponse, "list_tags_for_resource"),
    (BedrockResponse, "tag_resource"),
    (BedrockResponse, "untag_resource"),
    (BedrockRuntimeResponse, "invoke_model"),
    (ECRResponse, "get_authorization_token"),
    (ECRResponse, "batch_get_image"),
    (ECRResponse, "batch_check_layer_availability"),
    (ECRResponse, "get_download_url_for_layer"),
    (S3Response, "copy_object"),
    (S3Response, "upload_part_copy"),
]
_ONLY_OURS = [
    (SageMakerResponse, "stop_training_job"),
    (SageMakerResponse, "delete_training_job"),
    (SageMakerResponse, "describe_hub_content"),
    (BedrockResponse, "create_custom_model"),
    (BedrockResponse, "create_custom_model_deployment"),
    (BedrockResponse, "get_custom_model_deployment"),
    (BedrockResponse, "list_custom_model_deployments"),
    (BedrockResponse, "update_custom_model_deployment"),
    (BedrockResponse, "delete_custom_model_deployment"),
    (BedrockRuntimeResponse, "converse"),
]


@pytest.mark.parametrize(("owner", "name"), _IN_MOTO, ids=lambda value: getattr(value, "__name__", value))
def test_replaced_methods_take_only_self(owner: type, name: str) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == ["self"]


@pytest.mark.parametrize(("owner", "name"), _ONLY_OURS, ids=lambda value: getattr(value, "__name__", value))
def test_added_methods_do_not_hide_one_of_moto(owner: type, name: str) -> None:
    assert not hasattr(owner, name), f"moto has {owner.__name__}.{name} now: compare it with ours"


def test_parameters_come_parsed_from_the_normalized_request() -> None:
    assert list(inspect.signature(BaseResponse.parse_parameters).parameters) == ["self", "request"]
    assert camelcase_to_underscores("CreateCustomModelDeployment") == "create_custom_model_deployment"
    assert list(inspect.signature(ActionResult).parameters) == ["result"]


def test_errors_carry_code_and_message() -> None:
    error = ServiceException("SomeCode", "some message")
    assert (error.code, error.message) == ("SomeCode", "some message")


def test_objects_are_written_with_an_etag_of_choice() -> None:
    parameters = inspect.signature(S3Backend.put_object).parameters
    assert list(parameters)[:4] == ["self", "bucket_name", "key_name", "value"]
    assert {"etag", "encryption"} <= set(parameters)
    assert "etag" in inspect.signature(FakeKey.__init__).parameters
    assert list(inspect.signature(PreconditionFailed.__init__).parameters)[:2] == ["self", "failed_condition"]


def test_buckets_of_other_accounts_can_be_made_and_read() -> None:
    backend: Any = s3_backends["999900001111"]["aws"]
    assert list(inspect.signature(backend.create_bucket).parameters)[:2] == ["bucket_name", "region_name"]
    assert list(inspect.signature(backend.put_bucket_policy).parameters) == ["bucket_name", "policy"]
    assert isinstance(backend.buckets, dict)


def test_everything_is_put_back() -> None:
    owners = {owner for owner, _ in _IN_MOTO + _ONLY_OURS} | {S3Backend}
    before = {owner: dict(vars(owner)) for owner in owners}
    with support.running():
        assert all(hasattr(owner, name) for owner, name in _ONLY_OURS)
        assert dict(vars(S3Backend)) != before[S3Backend]
    for owner in owners:
        after = {name: value for name, value in vars(owner).items() if not name.startswith("__")}
        assert after == {name: value for name, value in before[owner].items() if not name.startswith("__")}


def test_cloudwatch_logs_asks_one_name_for_the_time() -> None:
    from moto.logs import models

    assert list(inspect.signature(models.utcnow).parameters) == []
    assert "utcnow()" in inspect.getsource(models.LogsBackend.put_log_events)

"""What the emulator's IAM relies on inside moto; a failure here says what to look at after an upgrade of moto."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from moto.awslambda.models import LambdaBackend
from moto.awslambda.policy import Policy as FunctionPolicy
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import BaseResponse
from moto.iam.access_control import PermissionResult
from moto.iam.models import IAMBackend, Role
from moto.iam.responses import IamResponse
from moto.kms.models import KmsBackend
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, FakeMultipart
from moto.s3.responses import S3Response
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.sts.models import STSBackend

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.iam import NOT_EVALUATED, guard
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators.faults import Faults
from nova_constructs.emulator.state import EmulatorState


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_moto_asks_one_method_before_every_action() -> None:
    assert parameters(ActionAuthenticatorMixin._authenticate_and_authorize_action) == [
        "self",
        "iam_request_cls",
        "resource",
    ]
    assert issubclass(BaseResponse, ActionAuthenticatorMixin)
    assert "_authenticate_and_authorize_normal_action(resource)" in inspect.getsource(BaseResponse.call_action)


def test_every_s3_request_asks_with_bucket_and_key() -> None:
    source = inspect.getsource(ActionAuthenticatorMixin._authenticate_and_authorize_s3_action)

    assert "_authenticate_and_authorize_action(S3IAMRequest, resource)" in source
    for method in ("all_buckets", "_bucket_response_get", "_bucket_response_put", "_bucket_response_delete"):
        assert "_authenticate_and_authorize_s3_action" in inspect.getsource(getattr(S3Response, method))
    for method in (
        "_key_response_get",
        "_key_response_put",
        "_key_response_delete",
        "_key_response_post",
        "head_object",
    ):
        assert "_authenticate_and_authorize_s3_action" in inspect.getsource(getattr(S3Response, method))


def test_moto_evaluates_bucket_policies_in_one_method() -> None:
    assert parameters(FakeBucket.get_permission) == ["self", "action", "resource"]
    assert PermissionResult.NEUTRAL not in (PermissionResult.DENIED, PermissionResult.PERMITTED)


def test_moto_lacks_policy_simulation() -> None:
    assert not hasattr(IamResponse, "simulate_principal_policy")


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (
            STSBackend.assume_role,
            ["self", "region_name", "role_session_name", "role_arn", "policy", "duration", "external_id"],
        ),
        (STSBackend.get_assumed_role_from_access_key, ["self", "access_key_id"]),
        (IAMBackend.get_user_from_access_key_id, ["self", "access_key_id"]),
        (IAMBackend.get_groups_for_user, ["self", "user_name"]),
        (KmsBackend.get_alias_name, ["alias_name"]),
        (KmsBackend.get_key_id, ["key_id"]),
        (LambdaBackend.get_function, ["self", "function_name_or_arn", "qualifier"]),
        (StepFunctionsParserBackend._get_executions, ["self", "execution_status"]),
        (BaseResponse.parse_parameters, ["self", "request"]),
        (BaseResponse._get_action, ["self"]),
    ],
)
def test_methods_that_are_called(function: object, names: list[str]) -> None:
    assert parameters(function) == names


def test_attributes_that_are_read() -> None:
    role = Role("1", "aws", "id", "name", "{}", "/", None, "", [], None)
    bucket = FakeBucket("contract", "123456789012", "us-east-1")
    key = FakeKey("k", b"", "123456789012", kms_key_id="id", region_name="us-east-1")
    upload = FakeMultipart("k", {}, "123456789012", "us-east-1")  # type: ignore[arg-type]

    assert (role.policies, role.managed_policies, role.tags, role.assume_role_policy_document) == ({}, {}, [], "{}")
    assert (bucket.policy, bucket.encryption, list(bucket.multiparts)) == (None, None, [])
    assert (key.kms_key_id, key.bucket_key_enabled, upload.kms_key_id) == ("id", None, None)
    assert not hasattr(FakeDeleteMarker(key), "etag")
    assert FunctionPolicy(None).statements == []  # type: ignore[arg-type,no-untyped-call]


def test_undoing_gives_moto_back() -> None:
    before = (ActionAuthenticatorMixin._authenticate_and_authorize_action, FakeBucket.get_permission)
    state = EmulatorState(
        account="123456789012", region="us-east-1", clock=SimulatedClock(), faults=Faults(), simulation=Simulation()
    )
    undo = guard.install(state)
    during = (ActionAuthenticatorMixin._authenticate_and_authorize_action, FakeBucket.get_permission)
    undo()
    state.clock.stop()

    assert all(old is not new for old, new in zip(before, during, strict=True))
    assert before == (ActionAuthenticatorMixin._authenticate_and_authorize_action, FakeBucket.get_permission)
    assert not hasattr(IamResponse, "simulate_principal_policy")


def test_the_docs_list_what_is_not_evaluated() -> None:
    text = (Path(__file__).parents[2] / "docs" / "emulator-iam.md").read_text(encoding="utf-8")

    assert [f"| {what} | {instead} |" for what, instead in NOT_EVALUATED if f"| {what} | {instead} |" not in text] == []

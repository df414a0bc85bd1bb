"""Injected faults: what they match, how often they fire, and what a request gets."""

from __future__ import annotations

from nova_constructs.emulator.simulators.faults import Faults


def test_a_job_fault_matches_a_part_of_the_name_or_a_tag_value() -> None:
    faults = Faults()
    faults.fail_job("train", reason="AlgorithmError: x")
    assert faults.reason("fail_job", "demo-train-1", {}) == "AlgorithmError: x"
    assert faults.reason("fail_job", "demo-1", {"stage": "train"}) == "AlgorithmError: x"
    assert faults.reason("fail_job", "demo-1", {"stage": "training"}) is None


def test_a_predicate_sees_name_and_tags() -> None:
    faults = Faults()
    faults.stop_job(lambda name, tags: name == "a" and tags.get("b") == "c")
    assert faults.applies("stop_job", "a", {"b": "c"})
    assert not faults.applies("stop_job", "a", {})


def test_a_fault_fires_as_often_as_asked_and_counts() -> None:
    faults = Faults()
    faults.fail_job("x", times=2)
    assert [faults.applies("fail_job", "x", {}) for _ in range(3)] == [True, True, False]
    assert faults.fired["fail_job"] == 2


def test_an_error_comes_before_the_operation_and_only_for_it() -> None:
    faults = Faults()
    faults.error("bedrock", "CreateCustomModel", "ServiceQuotaExceededException", "no more models")
    assert faults.on_request("bedrock", "GetCustomModel", "before") is None
    answer = faults.on_request("bedrock", "CreateCustomModel", "before")
    assert answer is not None
    assert (answer.code, answer.message, answer.status, answer.drop) == (
        "ServiceQuotaExceededException",
        "no more models",
        400,
        False,
    )
    assert faults.on_request("bedrock", "CreateCustomModel", "before") is None


def test_a_throttling_error_has_its_own_status() -> None:
    faults = Faults()
    faults.error("sagemaker", "DescribeTrainingJob", "ThrottlingException", "slow down")
    answer = faults.on_request("sagemaker", "DescribeTrainingJob", "before")
    assert answer is not None
    assert answer.status == 429


def test_a_lost_response_is_dropped_after_the_operation() -> None:
    faults = Faults()
    faults.lose_response("sagemaker", "CreateTrainingJob")
    assert faults.on_request("sagemaker", "CreateTrainingJob", "before") is None
    answer = faults.on_request("sagemaker", "CreateTrainingJob", "after")
    assert answer is not None
    assert answer.drop
    assert faults.on_request("sagemaker", "CreateTrainingJob", "after") is None


def test_callbacks_run_in_their_phase() -> None:
    faults, seen = Faults(), []
    faults.before("dynamodb", "PutItem", lambda: seen.append("before"))
    faults.after("dynamodb", "PutItem", lambda: seen.append("after"))
    faults.on_request("dynamodb", "PutItem", "after")
    assert seen == ["after"]
    faults.on_request("dynamodb", "PutItem", "before")
    faults.on_request("dynamodb", "PutItem", "before")
    assert seen == ["after", "before"]


def test_a_callback_may_inject_another_fault_for_the_same_request() -> None:
    faults = Faults()
    faults.before("s3", "PutObject", lambda: faults.error("s3", "PutObject", "SlowDown", "later"))
    answer = faults.on_request("s3", "PutObject", "before")
    assert answer is not None
    assert answer.code == "SlowDown"


def test_events_are_lost_or_doubled() -> None:
    faults = Faults()
    faults.lose_event("A")
    faults.duplicate_event("B")
    assert [faults.copies_of_event(kind) for kind in ("A", "A", "B", "B", "C")] == [0, 1, 2, 1, 1]


def test_clear_forgets_rules_and_counts() -> None:
    faults = Faults()
    faults.fail_import("m")
    assert faults.applies("fail_import", "m", {})
    faults.clear()
    assert not faults.applies("fail_import", "m", {})
    assert not faults.fired

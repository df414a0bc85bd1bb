"""What simulated jobs write to CloudWatch Logs: who, when, in which form, and what of it when they do not end well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambda_handlers.jobs.logs import parse_message, read_logs, training_metrics
from nova_constructs.emulator.simulators.training_log import training_script
from tests.emulator import sim_support as support
from tests.emulator.sim_support import ROLE, World, finish, prepare, training_request

GROUP = "/aws/sagemaker/TrainingJobs"
REWARDED = """
run: {name: demo, model_type: "amazon.nova-2-lite-v1:0:256k", model_name_or_path: nova-lite-2/prod, replicas: 2}
training_config:
  {max_steps: 10, global_batch_size: 8, rollout: {}, trainer: {max_steps: 10, optim_config: {lr: 2.0e-4}}}
"""


@pytest.fixture
def world() -> Iterator[World]:
    with support.running(speed=3000.0) as running:
        prepare(running)
        yield running


def run(world: World, **changes: Any) -> dict[str, Any]:
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request(**changes))
    return finish(sagemaker)


def phase(job: dict[str, Any]) -> tuple[datetime, datetime]:
    training = next(each for each in job["SecondaryStatusTransitions"] if each["Status"] == "Training")
    return training["StartTime"], training["EndTime"]


def test_every_instance_has_a_stream_of_its_own_named_as_sagemaker_names_it(world: World) -> None:
    job = run(world)
    found = world.client("logs").describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="demo-train/")
    seconds = int(job["CreationTime"].timestamp())
    assert [each["logStreamName"] for each in found["logStreams"]] == [
        f"demo-train/algo-{node}-{seconds}" for node in (1, 2, 3, 4)
    ]


def test_lines_are_spread_over_the_simulated_time_of_the_training(world: World) -> None:
    start, end = phase(run(world))
    lines = list(read_logs("demo-train", logs=world.client("logs")))
    steps = [line for line in lines if parse_message(line.message)]
    assert len(steps) == 40
    assert start - timedelta(seconds=1) <= steps[0].time < start + timedelta(seconds=120)
    assert start + timedelta(seconds=2400) < steps[-1].time <= end
    assert {line.node for line in lines} == {"algo-1", "algo-2", "algo-3", "algo-4"}
    # Two thirds of an hour ahead of the real clock and more: the service judges an event's age by the emulator's.
    assert lines[-1].time - lines[0].time >= timedelta(seconds=2500)


def test_each_step_is_reported_once_with_falling_loss(world: World) -> None:
    run(world)
    steps = list(training_metrics(read_logs("demo-train", logs=world.client("logs"))))
    assert [step.step for step in steps] == list(range(40))
    losses = [step.loss or 0.0 for step in steps]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0.2707, abs=1e-4)
    assert {step.reward for step in steps} == {None}
    assert steps[-1].step_seconds == pytest.approx(2520 * 0.96 / 40, rel=1e-3)


def test_reinforcement_fine_tuning_reports_rewards_and_the_rate_of_its_recipe(world: World) -> None:
    row = {"messages": [{"role": "user", "content": "2 and 2?"}], "reference_answer": "4"}
    prepare_rewarded(world, b"".join(json.dumps({**row, "id": str(n)}).encode() + b"\n" for n in range(100)))
    channels = [
        support.channel("train", "s3://work/rft/train.jsonl"),
        support.channel("recipe", "s3://work/rft/recipe/"),
    ]
    job = run(world, InputDataConfig=channels)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    steps = list(training_metrics(read_logs("demo-train", logs=world.client("logs"))))
    assert [step.step for step in steps] == list(range(1, 11))
    assert steps[-1].reward == pytest.approx(0.864665)
    assert steps[-1].learning_rate == pytest.approx(2e-4)
    assert steps[-1].loss is None


def prepare_rewarded(world: World, rows: bytes) -> None:
    s3 = world.client("s3")
    s3.put_object(Bucket="work", Key="rft/train.jsonl", Body=rows)
    s3.put_object(Bucket="work", Key="rft/recipe/recipe.yaml", Body=REWARDED.encode())


def test_lines_are_written_under_the_execution_role(world: World) -> None:
    run(world)
    writing = [call for call in world.acted if call[1:] == ("logs", "PutLogEvents")]
    assert {role for role, _, _ in writing} == {ROLE}
    # 5 times for the first instance and 3 times for each other one: a few calls, however many lines.
    assert len(writing) == 5 + 3 * 3


def test_a_role_that_may_not_write_fails_the_job(world: World) -> None:
    world.refuse.add("logs:PutLogEvents")
    job = run(world)
    assert job["TrainingJobStatus"] == "Failed"
    assert "logs:PutLogEvents" in job["FailureReason"]


def test_a_failing_job_has_the_lines_up_to_its_end_and_the_reason_last(world: World) -> None:
    world.faults.fail_job("demo-train", reason="AlgorithmError: loss is NaN")
    run(world)
    lines = list(read_logs("demo-train", logs=world.client("logs")))
    assert lines[-1].message.endswith("[ERROR] AlgorithmError: loss is NaN")
    assert 15 <= sum(bool(parse_message(line.message)) for line in lines) <= 25


def test_a_job_out_of_time_keeps_what_it_wrote_before(world: World) -> None:
    run(world, StoppingCondition={"MaxRuntimeInSeconds": 432 + 2520 // 3})
    lines = list(read_logs("demo-train", logs=world.client("logs")))
    written = sum(bool(parse_message(line.message)) for line in lines)
    assert 10 < written < 20
    assert not any("Training completed" in line.message for line in lines)


def test_a_held_job_has_begun_to_write(world: World) -> None:
    world.faults.never_finish("demo-train")
    world.client("sagemaker").create_training_job(**training_request())
    lines = support.until(
        lambda: list(read_logs("demo-train", logs=world.client("logs"))), lambda lines: len(lines) == 4
    )
    assert {line.message.partition("] ")[2] for line in lines} == {"[INFO] Loaded 10 training samples"}
    world.client("sagemaker").stop_training_job(TrainingJobName="demo-train")


def test_evaluations_say_what_they_evaluate(world: World) -> None:
    request = support.evaluation_request(world, "exam", {"task": "mmlu", "metric": "accuracy"})
    resources = {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    world.client("sagemaker").create_training_job(**{**request, "ResourceConfig": resources})
    finish(world.client("sagemaker"), "exam")
    messages = [line.message for line in read_logs("exam", logs=world.client("logs"))]
    assert messages[0].endswith("[INFO] Evaluating nova-lite-2/prod on mmlu")
    assert messages[-1].endswith("[INFO] Evaluation completed")


def test_a_long_training_reports_every_so_many_steps() -> None:
    script = training_script({"global_batch_size": 32}, rows=100, steps=10_001, seconds=100.0, nodes=1, platform="smtj")
    reported = [step["step"] for line in script for step in parse_message(line.text)]
    assert len(reported) == 51
    assert (reported[0], reported[1], reported[-1]) == (0, 201, 10_000)
    assert [line.share for line in script] == sorted(line.share for line in script)


def test_reinforcement_on_hyperpod_writes_loss_and_score_together() -> None:
    config = {"rollout": {}, "global_batch_size": 8}
    script = training_script(config, rows=16, steps=2, seconds=100.0, nodes=1, platform="hp")
    steps = [step for line in script for step in parse_message(line.text)]
    assert [step["step"] for step in steps] == [0, 1]
    assert all(set(step) >= {"loss", "reward", "learning_rate"} for step in steps)


def test_events_are_filtered_by_an_expression_and_a_prefix_in_the_order_of_time(world: World) -> None:
    logs, group = world.client("logs"), "/aws/sagemaker/Clusters/hp/a1b2c3d4e5f6"
    now = int(world.clock.now().timestamp() * 1000)
    logs.create_log_group(logGroupName=group)
    for number, stream in enumerate(("Sagemaker/b", "Sagemaker/a", "Lifecycle/a")):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        messages = [f"[job-1-master-0] {number}", "[job-2-master-0] of another job"]
        events = [{"timestamp": now + number, "message": message} for message in messages]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def found(**asked: Any) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **asked)
        return [event["message"].rpartition(" ")[2] for page in pages for event in page["events"]]

    assert found(filterPattern="%job-1%") == ["0", "1", "2"]
    assert found(filterPattern="%job-1%", logStreamNamePrefix="Sagemaker") == ["0", "1"]
    assert found(filterPattern="%job-1%", logStreamNamePrefix="Sagemaker", PaginationConfig={"PageSize": 1}) == [
        "0",
        "1",
    ]
    assert found(filterPattern="%job-3%") == found(logStreamNamePrefix="Nobody") == []
    assert found(filterPattern='"of another"', logStreamNamePrefix="Lifecycle") == ["job"]
    with pytest.raises(logs.exceptions.InvalidParameterException, match="exclude each other"):
        found(logStreamNamePrefix="Sagemaker", logStreamNames=["Sagemaker/a"])

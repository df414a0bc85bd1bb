"""Metrics from log lines: the forms of real Nova jobs, and what is not one."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_handlers.jobs.logs import LogLine, TrainingStep, parse_message, training_metrics

# Lines of real jobs, as the tests of aws/nova-forge-sdk record them.
SUPERVISED = (
    "[2026-01-28 17:48:54,839] [INFO] Training epoch 0, iteration 8/9 | lr: 5.625e-06 | global_batch_size: 32 | "
    "global_step: 8 | reduced_train_loss: 0.0013 | train_step_timing in s: 75.02 | consumed_samples: 28"
)
BAR = (
    "[2026-03-01 21:16:40,581] [INFO] #015Epoch 1: : 3it [00:32, 10.68s/it, v_num=1feb, reduced_train_loss=2.66e-5, "
    "global_step=6.000, consumed_samples=448.0, train_step_timing in s=10.10, batch_time=10.80, samples/sec=5.920]{\n"
    '"timestamp": "2026-03-01 21:16:40",\n"epoch": 1,"stepId": 2,\n"stepType": "TRAIN"}'
)
REWARDED = (
    "[2026-02-13 15:15:07,022] [INFO] \033[36m(TaskRunner pid=12647)\033[0m step:295 - global_seqlen/min:2087 - "
    "actor/reward_kl_penalty:-0.29242539405822754 - actor/pg_loss:0.0 - perf/mfu/actor:0.0 - actor/lr:1e-05 - "
    "training/global_step:295 - training/epoch:5 - critic/score/mean:0.8046875 - "
    "critic/rewards/mean:0.8313651084899902 - critic/rewards/max:1.097672462463379 - critic/returns/mean:0.0026504"
)
HYPERPOD = (
    "[my-lora-rft] [2026-03-08 22:40:07,102] [INFO] Training epoch 0, iteration 119/999 | lr: 7e-07 | "
    "global_batch_size: 256 | global_step: 119 | reduced_train_loss: 0.007075 | train_rm_score: 0.6797 | "
    "kl: 0.0008378 | train_step_timing in s: 1.232e+03 | consumed_samples: 30720"
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SUPERVISED, {"step": 8, "loss": 0.0013, "learning_rate": 5.625e-06, "step_seconds": 75.02}),
        (BAR, {"step": 6, "loss": 2.66e-5, "step_seconds": 10.1}),
        (REWARDED, {"step": 295, "learning_rate": 1e-05, "reward": 0.8313651084899902}),
        (
            HYPERPOD,
            {"step": 119, "loss": 0.007075, "learning_rate": 7e-07, "reward": 0.6797, "step_seconds": 1232.0},
        ),
        ("global_step=40 reduced_train_loss=0.2707", {"step": 40, "loss": 0.2707}),
    ],
    ids=["supervised", "bar", "rewarded", "hyperpod", "bare"],
)
def test_lines_of_real_jobs_give_their_metrics(message: str, expected: dict[str, Any]) -> None:
    assert parse_message(message) == [expected]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Loaded 120 training samples",
        "step 3 of 10 done",
        "max_global_step: 5 | reduced_train_loss: 1.0",
        "global_step: 5 | val_reduced_train_loss: 1.0",
        "global_step: 5 | batch_time: 1.0",
        "global_step: nan | reduced_train_loss: 1.0",
        "global_step: soon | reduced_train_loss: 1.0",
        "global_step: 5 | reduced_train_loss: 1.2.3",
        "reduced_train_loss: 1.0 at this step",
    ],
)
def test_other_lines_give_none(message: str) -> None:
    assert parse_message(message) == []


def test_a_loss_that_is_no_number_is_reported() -> None:
    (values,) = parse_message("global_step: 5 | reduced_train_loss: nan | lr: 1e-05")
    assert math.isnan(values["loss"])


def test_a_bar_that_was_redrawn_within_one_event_gives_every_step() -> None:
    for separator in ("#015", "\r", "\n"):
        message = separator.join(f"Epoch 0: reduced_train_loss={step}.5, global_step={step}.000" for step in (1, 2, 3))
        assert [(values["step"], values["loss"]) for values in parse_message(message)] == [(1, 1.5), (2, 2.5), (3, 3.5)]


def line(second: int, message: str, *, node: int = 1, job: str = "job") -> LogLine:
    return LogLine(job=job, stream=f"{job}/algo-{node}-17", milliseconds=second * 1000, message=message)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_lines_about_one_step_are_one_record() -> None:
    lines = [
        line(1, "global_step: 1 | reduced_train_loss: 3.0"),
        line(2, "something else"),
        line(3, "global_step: 1 | lr: 1e-05 | reduced_train_loss: 9.0"),
        line(4, "global_step: 2 | reduced_train_loss: 2.0"),
    ]
    assert list(training_metrics(lines)) == [
        TrainingStep(job="job", time=at(1), step=1, loss=3.0, learning_rate=1e-5),
        TrainingStep(job="job", time=at(4), step=2, loss=2.0),
    ]


def test_the_first_node_that_reports_speaks_for_the_job() -> None:
    lines = [
        line(1, "starting", node=1),
        line(2, "global_step: 1 | reduced_train_loss: 3.0", node=2),
        line(3, "global_step: 2 | reduced_train_loss: 2.0", node=2),
        line(4, "global_step: 1 | reduced_train_loss: 4.0", node=1),
        line(5, "global_step: 2 | reduced_train_loss: 5.0", node=1),
    ]
    assert [(step.step, step.loss) for step in training_metrics(lines)] == [(1, 3.0), (2, 2.0)]


def test_jobs_are_told_apart_and_a_restart_reports_again() -> None:
    lines = [
        line(1, "global_step: 1 | reduced_train_loss: 1.0", job="a"),
        line(2, "global_step: 1 | reduced_train_loss: 2.0", job="b"),
        line(3, "global_step: 2 | reduced_train_loss: 3.0", job="a"),
        line(4, "global_step: 1 | reduced_train_loss: 4.0", job="a"),
    ]
    found = [(step.job, step.step, step.loss) for step in training_metrics(lines)]
    assert found == [("a", 1, 1.0), ("a", 2, 3.0), ("b", 1, 2.0), ("a", 1, 4.0)]


def test_metrics_come_while_the_lines_come() -> None:
    def endless():
        step = 0
        while True:
            step += 1
            yield line(step, f"global_step: {step} | reduced_train_loss: 1.0")

    metrics = training_metrics(endless())
    assert [next(metrics).step for _ in range(3)] == [1, 2, 3]

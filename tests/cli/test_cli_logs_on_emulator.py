"""`nova logs` on the embedded emulator: jobs on two instances, while they run and after, under the execution role."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from lambda_handlers.jobs.logs import read_logs, training_metrics
from nova_constructs.cli.logs import command
from nova_constructs.emulator import Emulator
from nova_constructs.emulator.simulation import Simulation
from tests.cli.cli_support import Nova
from tests.workflow.harness import Workflow, dataset, synthesize, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STACK = "Nova-Demo"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    # Slow enough that a follower sees a job at work, and long: more than the two hours that the service allows ahead.
    simulation = Simulation(training_seconds=14_400.0)
    with Emulator(speed=1800.0, simulation=simulation) as emulator:
        yield Workflow(emulator, synthesize(tmp_path_factory.mktemp("logs")))


@pytest.fixture(autouse=True)
def _pointed_at_the_emulator(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in workflow.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOVA_STACK", STACK)
    monkeypatch.setattr(command, "POLL_SECONDS", 0.3)
    yield
    workflow.emulator.faults.clear()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_is_followed_to_its_end_and_read_again(nova: Nova, workflow: Workflow) -> None:
    arn = workflow.upload(dataset(salt="followed"))
    run_id = arn.rsplit(":", 1)[1]
    ran = nova("logs", run_id, "--follow", "--json")

    followed = objects(ran.out)
    assert ran.code == 0
    assert workflow.finish(arn)["status"] == "SUCCEEDED"
    assert {(line["stage"], line["node"]) for line in followed} == {
        *(("training", f"algo-{node}") for node in (1, 2, 3, 4)),
        ("evaluation-mmlu", "algo-1"),
        ("evaluation-gen_qa", "algo-1"),
    }
    assert "no log stream yet" in ran.err or "no training job yet" in ran.err

    read = objects(nova("logs", run_id, "--json").out)
    key = json.dumps
    assert sorted(map(key, read)) == sorted(map(key, followed)), "each line once, whether followed or read"
    times = [line["time"] for line in read]
    assert times == sorted(times)
    training = [line for line in read if line["stage"] == "training"]
    nodes = [line["node"] for line in training]
    # The other instances' lines in the middle stand among those of the first.
    middle = nodes.index("algo-2", 4)
    assert "algo-1" in nodes[4:middle]
    assert "algo-1" in nodes[middle:-4]
    spread = datetime.fromisoformat(training[-1]["time"]) - datetime.fromisoformat(training[0]["time"])
    assert spread.total_seconds() == pytest.approx(0.7 * 14_400, rel=0.02)

    last = objects(nova("logs", run_id, "--stage", "training", "--limit", "7", "--json").out)
    assert last == training[-7:]
    first = objects(nova("logs", run_id, "--stage", "training", "--limit", "7", "--from-head", "--json").out)
    assert first == training[:7]
    since = nova("logs", run_id, "--stage", "training", "--since", times[20], "--json")
    assert objects(since.out) == [line for line in training if line["time"] >= times[20]]

    steps = objects(nova("logs", run_id, "--metrics", "--json").out)
    assert {step["stage"] for step in steps} == {"training"}
    assert [step["step"] for step in steps] == list(range(len(steps)))
    assert steps[0]["loss"] > steps[-1]["loss"]

    name = training[0]["job"]
    by_name = objects(nova("logs", "--job-id", name, "--json").out)
    assert [line["message"] for line in by_name] == [line["message"] for line in training]
    library = list(training_metrics(read_logs(name, logs=workflow.emulator.client("logs"))))
    assert [(step.step, step.loss) for step in library] == [(step["step"], step["loss"]) for step in steps]
    writers = {
        call.role_name
        for call in workflow.emulator.calls
        if call.action == "logs:PutLogEvents" and "/aws/sagemaker/TrainingJobs" in call.resource
    }
    assert len(writers) == 1
    assert "ExecutionRole" in str(writers)


def test_the_command_that_run_show_prints_ends_in_the_reason_of_the_failure(nova: Nova, workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training", reason="AlgorithmError: loss is NaN")
    arn = workflow.upload(dataset(salt="failing"))
    run_id = arn.rsplit(":", 1)[1]
    assert workflow.finish(arn)["status"] == "FAILED"

    shown = nova("run", "show", run_id)
    (line,) = [line for line in shown.out.splitlines() if "nova logs" in line]
    arguments = shlex.split(line)[2:]
    assert arguments == ["logs", run_id, "--stage", "training", "--stack", STACK]
    ran = nova(*arguments, "--follow")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].endswith("[ERROR] AlgorithmError: loss is NaN")
    assert "global_step: 0 |" in ran.out


def test_the_lines_of_an_earlier_attempt_come_before_those_of_the_present_one(nova: Nova, workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training", reason="CapacityError: the instances were taken back", times=1)
    arn = workflow.upload(dataset(salt="retried"))
    run_id = arn.rsplit(":", 1)[1]
    assert workflow.finish(arn)["status"] == "SUCCEEDED"

    ran = nova("logs", run_id, "--stage", "training")
    assert (ran.code, ran.err) == (0, "")
    origins = [line.split()[2].partition("/")[0] for line in ran.out.splitlines()]
    assert set(origins) == {"training#1", "training"}
    assert origins == sorted(origins, reverse=True, key=lambda origin: origin == "training#1")
    assert any("taken back" in line for line in ran.out.splitlines() if "training#1/" in line)
    jobs = json.loads(nova("run", "show", run_id, "--json").out)["jobs"]
    [training] = [job for job in jobs if job["stage"] == "training"]
    assert (training["attempt"], training["instance_count"], training["choices"]) == (2, 4, 1)


def test_a_held_job_is_followed_until_somebody_stops_it(nova: Nova, workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    arn = workflow.upload(dataset(salt="held"))
    run_id = arn.rsplit(":", 1)[1]
    name = until(lambda: next(iter(workflow.live_jobs()), None), "a live job")
    sagemaker, logs = workflow.emulator.client("sagemaker"), workflow.emulator.client("logs")

    def stop_once_it_writes() -> None:
        until(lambda: list(read_logs(name, logs=logs)) or None, "a line")
        sagemaker.stop_training_job(TrainingJobName=name)

    somebody = threading.Thread(target=stop_once_it_writes)
    somebody.start()
    ran = nova("logs", "--job-id", name, "--follow")
    somebody.join()
    assert ran.code == 0
    assert "Loaded 40 training samples" in ran.out
    assert sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopped"
    assert workflow.finish(arn)["status"] == "FAILED"
    assert nova("logs", run_id).out.count("\n") == ran.out.count("\n") == 4

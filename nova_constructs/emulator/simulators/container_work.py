"""What the training and evaluation images do with a recipe and its data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.catalog.instances import TABLES
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators import rewards, scored_answers
from nova_constructs.emulator.simulators.checkpoints import Checkpoint, escrow_bucket, split_uri, store_weights
from nova_constructs.emulator.simulators.container import Container, ContainerError
from nova_constructs.emulator.simulators.evaluation_results import (
    Evaluated,
    EvaluationOutput,
    UnknownTaskError,
    evaluate_benchmark,
    evaluate_questions,
    output_files,
)
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store
from nova_constructs.emulator.simulators.training_data import (
    DataRefusedError,
    TrainingData,
    read_evaluation,
    read_questions,
)
from nova_constructs.emulator.simulators.training_log import Script, evaluation_script, training_script

Files = dict[str, bytes]
_BASE_SHARE = 0.8
"""Quality of a base model, as a share of the quality that training would give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a container is going to do: the lines it writes on the way, and how it comes by the files it leaves."""

    script: Script
    finish: Callable[[], Files]


def train(state: SimulatorState, store: Store, container: Container, settings: Simulation, seconds: float) -> Work:
    """Train on the job's data, `seconds` long; the weights go to escrow, the archive only names them."""
    recipe = container.recipe()
    _check_instances(container)
    config = recipe.get("training_config")
    if not isinstance(config, dict):
        raise ContainerError("AlgorithmError: Recipe has no section 'training_config'")
    data = _training_data(container)
    checkpoint = _checkpoint(state, store, container, recipe, data, settings.quality)
    steps = _steps(recipe, data.rows)

    def finish() -> Files:
        store_weights(state.account, state.region, checkpoint)
        store.checkpoints[checkpoint.uri] = checkpoint
        return {"manifest.json": json.dumps({"checkpoint_s3_bucket": checkpoint.uri}).encode()}

    script = training_script(
        config, rows=data.rows, steps=steps, seconds=seconds, nodes=container.nodes, platform=container.platform
    )
    return Work(script=script, finish=finish)


def evaluate(state: SimulatorState, store: Store, container: Container, settings: Simulation, seconds: float) -> Work:
    """Evaluate the model that the job names; its archive holds the results. How long it takes changes nothing."""
    del seconds
    started = state.clock.now()
    recipe = container.recipe()
    _check_instances(container)
    evaluation = recipe.get("evaluation")
    if not isinstance(evaluation, dict):
        raise ContainerError("AlgorithmError: Recipe has no section 'evaluation'")
    model = _evaluated(store, container, recipe, settings.quality)

    def finish() -> Files:
        return output_files(
            run_name=str(recipe["run"].get("name")),
            evaluation=evaluation,
            model=model,
            output=_output(container, model, recipe),
            started=started,
            ended=state.clock.now(),
        )

    return Work(script=evaluation_script(model.model_name, evaluation.get("task")), finish=finish)


def _output(container: Container, model: Evaluated, recipe: Mapping[str, Any]) -> EvaluationOutput:
    evaluation, task = recipe["evaluation"], recipe["evaluation"].get("task")
    try:
        if task == "gen_qa":
            rows, processor = read_questions(container.data()), recipe.get("processor") or {}
            if processor.get("lambda_arn"):
                return scored_answers.by_processor(model, rows, container, processor)
            return evaluate_questions(model, rows)
        if task in ("llm_judge", "rubric_llm_judge"):
            fields = ("prompt", "response_A", "response_B")
            rows = read_evaluation(container.data(), "llm_judge.jsonl", fields)
            return scored_answers.judge(model, rows, rubric=task == "rubric_llm_judge")
        if task == "rft_eval":
            rows = read_evaluation(container.data(), "rft_eval.jsonl", ())
            return scored_answers.by_reward(model, rows, container, str(recipe["rl_env"]["reward_lambda_arn"]))
        return evaluate_benchmark(model, evaluation)
    except (DataRefusedError, UnknownTaskError) as error:
        raise ContainerError(f"AlgorithmError: {error}") from error


def _check_instances(container: Container) -> None:
    given = container.job.request["ResourceConfig"]["InstanceType"]
    families = {_family(option.type) for options in TABLES.values() for option in options}
    if _family(given) not in families:
        raise ContainerError(f"AlgorithmError: Instance type {given} is not supported by this image")


def _family(instance_type: str) -> str:
    return instance_type.split(".")[1]


def _training_data(container: Container) -> TrainingData:
    try:
        data = container.read_training_data()
    except DataRefusedError as error:
        raise ContainerError(f"AlgorithmError: {error}") from error
    if reward := container.job.hyperparameters.get("reward_lambda_arn"):
        rewards.score(container, reward, data)
    return data


def _checkpoint(
    state: SimulatorState,
    store: Store,
    container: Container,
    recipe: Mapping[str, Any],
    data: TrainingData,
    quality: float,
) -> Checkpoint:
    job, run = container.job, recipe["run"]
    parent = _parent(store, container, job.hyperparameters.get("base_model_location"))
    base = parent.lineage if parent else str(job.hyperparameters.get("base_model") or run.get("model_name_or_path"))
    bucket = escrow_bucket(state.account, state.region, container.platform)
    return Checkpoint(
        uri=f"s3://{bucket}/{job.name}/step_{_steps(recipe, data.rows)}",
        model_type=str(run.get("model_type")),
        base_model=base,
        lora=_scheme(recipe["training_config"]) == "lora",
        data_sha256=data.sha256,
        rows=data.rows,
        quality=quality,
        examples=data.examples,
    )


def _parent(store: Store, container: Container, location: str | None) -> Checkpoint | None:
    if not location:
        return None
    others = {"smtj", "hp"} - {container.platform}
    if any(f"-{other}-" in split_uri(location)[0] for other in others):
        raise ContainerError(f"AlgorithmError: Model checkpoint belongs to another platform: {location}")
    parent = store.checkpoints.get(location.rstrip("/"))
    if parent is None:
        raise ContainerError(f"AlgorithmError: Model checkpoint not found: {location}")
    return parent


def _scheme(config: Mapping[str, Any]) -> str | None:
    """Return the peft scheme from where the recipe's family keeps it."""
    places: list[Mapping[str, Any]] = [config, config.get("model") or {}, config.get("trainer") or {}]
    schemes = [(place.get("peft") or {}).get("peft_scheme") for place in places if isinstance(place, Mapping)]
    return next((str(scheme) for scheme in schemes if scheme), None)


def _steps(recipe: Mapping[str, Any], rows: int) -> int:
    config = recipe["training_config"]
    trainer = config.get("trainer") or {}
    if steps := config.get("max_steps") or trainer.get("max_steps"):
        return int(steps)
    return max(1, math.ceil(rows / int(config.get("global_batch_size") or 1)) * int(trainer.get("max_epochs") or 1))


def _evaluated(store: Store, container: Container, recipe: Mapping[str, Any], quality: float) -> Evaluated:
    hyperparameters, run = container.job.hyperparameters, recipe["run"]
    location = hyperparameters.get("base_model_location")
    name = location or str(hyperparameters.get("base_model") or run.get("model_name_or_path"))
    if not location and name.startswith("s3://"):
        location = name
    return Evaluated(
        model_name=name, checkpoint=_parent(store, container, location), base_quality=quality * _BASE_SHARE
    )

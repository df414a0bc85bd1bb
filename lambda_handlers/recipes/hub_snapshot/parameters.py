"""The parameters that the hub lets users override, family by family: their constraints and their places in a recipe.

Constraints are those of the public recipes' parameter file as the hub publishes them for training jobs: without
replicas, namespace and MLflow. A default is the recipe's own value where none is declared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Entry = dict[str, Any]

_MLFLOW = ("mlflow_tracking_uri", "mlflow_experiment_name", "mlflow_run_name")
_RUN = {"name": "run.name", "data_s3_path": "run.data_s3_path", "output_s3_path": "run.output_s3_path"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """Hold the spec entries of a family and, by parameter, the dotted paths of the leaves it feeds."""

    entries: Mapping[str, Entry]
    places: Mapping[str, tuple[str, ...]]


def _entry(kind: str, *, required: bool = True, **limits: Any) -> Entry:
    return {"type": kind, "required": required, **limits}


def _set(entries: Mapping[str, Entry], places: Mapping[str, str | tuple[str, ...]]) -> ParameterSet:
    tuples = {name: (where,) if isinstance(where, str) else where for name, where in places.items()}
    return ParameterSet(entries=entries, places=tuples)


_NAMES = {"name": _entry("string"), "data_s3_path": _entry("string"), "output_s3_path": _entry("string")}
_CONTEXT = {"max_context_length": _entry("integer", min=1, max=131072, default=8192)}
_RATE = {"learning_rate": _entry("float", min=0, max=1)}
_ALPHA = {"lora_alpha": _entry("integer", enum=[32, 64, 96, 128, 160, 192])}
_RATIO = {"learning_rate_ratio": _entry("float", required=False, min=1.0, max=70.0)}
_SCHEDULE = {
    "weight_decay": _entry("float", min=0.0, max=1.0),
    "warmup_steps": _entry("integer", min=0, max=100),
    "min_lr": _entry("float", min=1e-07, max=1.0),
}


def supervised_1(*, lora: bool) -> ParameterSet:
    """Return the parameters of supervised fine-tuning of Nova 1."""
    entries = {
        **_NAMES,
        "global_batch_size": _entry("integer", enum=[16, 32, 64]),
        "max_epochs": _entry("integer", min=1, max=100),
        **_RATE,
        **(_ALPHA | _RATIO if lora else {}),
        **_CONTEXT,
        **_SCHEDULE,
    }
    model = "training_config.model"
    places = {
        **_RUN,
        "global_batch_size": "training_config.global_batch_size",
        "max_epochs": "training_config.trainer.max_epochs",
        "learning_rate": f"{model}.optim.lr",
        "weight_decay": f"{model}.optim.weight_decay",
        "warmup_steps": f"{model}.optim.sched.warmup_steps",
        "min_lr": f"{model}.optim.sched.min_lr",
        "lora_alpha": f"{model}.peft.lora_tuning.alpha",
        "learning_rate_ratio": f"{model}.peft.lora_tuning.loraplus_lr_ratio",
    }
    return _set(entries, places)


def supervised_2(*, lora: bool) -> ParameterSet:
    """Return the parameters of supervised fine-tuning of Nova 2."""
    batches = [32, 64, 128, 256, 512, 1024] if lora else [32, 64, 128, 256]
    entries = {
        **_NAMES,
        "reasoning_enabled": _entry("boolean"),
        "global_batch_size": _entry("integer", enum=batches),
        "max_steps": _entry("integer", min=4, max=100000, default=10 if lora else 100),
        "save_steps": _entry("integer", min=1, max=100000, default=10 if lora else 100),
        **_RATE,
        **(_ALPHA | _RATIO if lora else {}),
        **_CONTEXT,
        "fine_tuned_model": _entry("float", required=False, min=0.0, max=1.0),
        **_SCHEDULE,
        "validation_s3_path": _entry("string", required=False),
        "val_check_interval": _entry("integer", required=False, min=1, max=100000),
        "limit_val_batches": _entry("integer", required=False, min=0, max=100000),
    }
    config = "training_config"
    same = ("reasoning_enabled", "global_batch_size", "max_steps", "save_steps", "val_check_interval")
    places = {
        **_RUN,
        **{name: f"{config}.{name}" for name in (*same, "limit_val_batches")},
        "validation_s3_path": "run.validation_data_s3_path",
        "learning_rate": f"{config}.optim_config.lr",
        "weight_decay": f"{config}.optim_config.weight_decay",
        "warmup_steps": f"{config}.lr_scheduler.warmup_steps",
        "min_lr": f"{config}.lr_scheduler.min_lr",
        "lora_alpha": f"{config}.peft.lora_tuning.alpha",
        "learning_rate_ratio": f"{config}.peft.lora_tuning.lora_plus_lr_ratio",
        "fine_tuned_model": f"{config}.model_importance_score.fine_tuned_model",
    }
    return _set(entries, places)


def reinforcement_2(*, lora: bool) -> ParameterSet:
    """Return the parameters of reinforcement fine-tuning of Nova 2 on training jobs."""
    low_rank = {
        "lora_alpha": _entry("integer", enum=[16, 32, 64]),
        "learning_rate_ratio": _entry("float", required=False, min=0.0, max=100.0),
    }
    entries = {
        "name": _entry("string"),
        "data_s3_path": _entry("string"),
        "reward_lambda_arn": _entry("string"),
        "learning_rate": _entry("float", min=1e-07, max=0.001),
        "max_steps": _entry("integer", min=5, max=100000, default=10),
        **(low_rank if lora else {}),
        "global_batch_size": _entry("integer", min=16, max=128 if lora else 256),
        "max_length": _entry("integer", min=4096, max=32768),
        "save_steps": _entry("integer", min=0, max=100000, default=10),
    }
    trainer = "training_config.trainer"
    places: dict[str, str | tuple[str, ...]] = {
        "name": "run.name",
        "data_s3_path": "run.data_s3_path",
        "reward_lambda_arn": ("run.reward_lambda_arn", "training_config.rollout.rewards.api_endpoint.lambda_arn"),
        "learning_rate": f"{trainer}.optim_config.lr",
        "max_steps": f"{trainer}.max_steps",
        "save_steps": f"{trainer}.save_steps",
        "lora_alpha": f"{trainer}.peft.lora_tuning.alpha",
        "learning_rate_ratio": f"{trainer}.peft.lora_tuning.lora_plus_lr_ratio",
        "global_batch_size": "training_config.global_batch_size",
        "max_length": "training_config.max_length",
    }
    return _set(entries, places)


def pretraining(*, version: int) -> ParameterSet:
    """Return the parameters of continued pre-training, which runs on HyperPod alone: `on_hyperpod` completes them."""
    length: dict[str, Entry] = (
        {"max_steps": _entry("integer", min=10, max=100000)}
        if version == 2
        else {"max_epochs": _entry("integer", min=1, max=100)}
    )
    validation = {"validation_s3_path": _entry("string", required=False)} if version == 2 else {}
    entries = {
        **_NAMES,
        **validation,
        "global_batch_size": _entry("integer", enum=[32, 64, 128, 256]),
        **length,
        **_RATE,
        **_CONTEXT,
    }
    optimizer = "training_config.optim" if version == 2 else "training_config.model.optim"
    places = {
        **_RUN,
        "validation_s3_path": "run.validation_data_s3_path",
        "global_batch_size": "training_config.global_batch_size",
        **{name: f"training_config.trainer.{name}" for name in length},
        "learning_rate": f"{optimizer}.lr",
    }
    return _set(entries, places)


def reinforcement_2_hyperpod(*, lora: bool) -> ParameterSet:
    """Return the parameters of reinforcement fine-tuning of Nova 2 on HyperPod, as `on_hyperpod` completes them."""
    low_rank = {
        "lora_alpha": _entry("integer", enum=[16, 32, 64]),
        "learning_rate_ratio": _entry("float", required=False, min=1.0, max=70.0),
    }
    entries = {
        **_NAMES,
        "reward_lambda_arn": _entry("string"),
        "learning_rate": _entry("float", min=1e-08, max=0.001),
        "max_steps": _entry("integer", min=5, max=100000, default=10),
        "number_generation": _entry("integer", min=2, max=16),
        **(low_rank if lora else _CONTEXT),
        "global_batch_size": _entry("integer", min=16, max=256),
        "max_length": _entry("integer", min=4096, max=32768),
        "save_steps": _entry("integer", min=0, max=100000, default=10),
    }
    trainer, rollout = "training_config.trainer", "training_config.rollout"
    places: dict[str, str | tuple[str, ...]] = {
        **_RUN,
        "reward_lambda_arn": ("run.reward_lambda_arn", f"{rollout}.rewards.api_endpoint.lambda_arn"),
        "learning_rate": f"{trainer}.optim_config.lr",
        "max_steps": f"{trainer}.max_steps",
        "save_steps": f"{trainer}.save_steps",
        "number_generation": f"{rollout}.advantage_strategy.number_generation",
        "lora_alpha": f"{trainer}.peft.lora_tuning.alpha",
        "learning_rate_ratio": f"{trainer}.peft.lora_tuning.loraplus_lr_ratio",
        "global_batch_size": "training_config.global_batch_size",
        "max_length": "training_config.max_length",
    }
    return _set(entries, places)


def on_hyperpod(
    allowed: ParameterSet, *, instance_types: tuple[str, ...], replicas: tuple[int, ...] = (), default: int = 0
) -> ParameterSet:
    """Return parameters as HyperPod payloads have them: with namespace and instance type, and for training MLflow.

    `replicas` are the instance counts of a training recipe, `default` the one that is taken for none.
    """
    cluster = {
        "namespace": _entry("string", default="kubeflow"),
        "instance_type": _entry("string", required=False, enum=list(instance_types), default=instance_types[0]),
    }
    training: dict[str, Entry] = {}
    if replicas:
        training = {"replicas": _entry("integer", enum=list(replicas), default=default)}
        training |= {name: _entry("string", required=False) for name in _MLFLOW}
    places = {name: (f"run.{name}",) for name in training}
    return ParameterSet(entries={**training, **allowed.entries, **cluster}, places={**dict(allowed.places), **places})


def with_data_mixing(allowed: ParameterSet, categories: Mapping[str, float]) -> ParameterSet:
    """Return parameters with the shares of Nova's own data, by category; the catalog is nobody's to choose."""
    percent = _entry("float", required=False, min=0.0, max=100.0)
    shares = {f"nova_{name}_percent": f"data_mixing.sources.nova_data.{name}" for name in categories}
    entries = {
        **allowed.entries,
        "dataset_catalog": _entry("string", required=False),
        "customer_data_percent": percent,
        **dict.fromkeys(shares, percent),
    }
    places = {
        **dict(allowed.places),
        "dataset_catalog": ("data_mixing.dataset_catalog",),
        "customer_data_percent": ("data_mixing.sources.customer_data.percent",),
        **{name: (place,) for name, place in shares.items()},
    }
    return ParameterSet(entries=entries, places=places)


def judge(*, version: int) -> ParameterSet:
    """Return the parameters of a judge's evaluation; that of Nova 1 has no limit of tokens."""
    entries = _evaluation(version)
    if version == 1:
        del entries["max_new_tokens"]
    return _set(entries, _EVALUATION_PLACES)


def reward(*, version: int) -> ParameterSet:
    """Return the parameters of an evaluation by a reward function, which has to be given."""
    entries = {**_evaluation(version), "reward_lambda_arn": _entry("string")}
    return _set(entries, {**_EVALUATION_PLACES, "reward_lambda_arn": "rl_env.reward_lambda_arn"})


def benchmark(*, version: int) -> ParameterSet:
    """Return the parameters of a public benchmark, text or multimodal: it brings its data, so it has no path to any."""
    entries = {**_evaluation(version), "subtask": _entry("string", required=False)}
    del entries["data_s3_path"]
    return _set(entries, {**_EVALUATION_PLACES, "subtask": "evaluation.subtask"})


def own_dataset(*, version: int) -> ParameterSet:
    """Return the parameters of an evaluation on the user's own dataset."""
    entries = {
        **_evaluation(version),
        "lambda_arn": _entry("string"),
        "lambda_type": _entry("string", enum=["rft", "custom_metrics"]),
    }
    if version == 2:
        entries["preset_reward_function"] = _entry("string", required=False, enum=["prime_math", "prime_code"])
    scored = ("lambda_arn", "lambda_type", "preset_reward_function")
    return _set(entries, {**_EVALUATION_PLACES, **{name: f"processor.{name}" for name in scored}})


def _evaluation(version: int) -> dict[str, Entry]:
    return {
        **_NAMES,
        "task": _entry("string"),
        "strategy": _entry("string"),
        "metric": _entry("string"),
        "max_new_tokens": _entry("integer", required=False, min=0, max=32768 if version == 2 else 100000),
        "top_k": _entry("integer", required=False),
        "top_p": _entry("float", required=False, min=0.0, max=1.0),
        "temperature": _entry("float", min=0.0, max=2.0),
        "model_name_or_path": _entry("string", required=False),
    }


_EVALUATION_PLACES = {
    **_RUN,
    "model_name_or_path": "run.model_name_or_path",
    **{name: f"evaluation.{name}" for name in ("task", "strategy", "metric")},
    **{name: f"inference.{name}" for name in ("max_new_tokens", "top_k", "top_p", "temperature")},
}

"""The values of the public Nova recipes, family by family, as trees in the order of the recipe files."""

from __future__ import annotations

from typing import Any

from lambda_handlers.catalog import NovaModel

Tree = dict[str, Any]

_REWARD_FUNCTION = "arn:aws:lambda:<region>:<account-id>:function:<function-name>"
_NO_MLFLOW = {"mlflow_tracking_uri": "", "mlflow_experiment_name": "", "mlflow_run_name": ""}


def _mlflow(stem: str) -> Tree:
    return {
        "mlflow_tracking_uri": "",
        "mlflow_experiment_name": f"{stem}-experiment",
        "mlflow_run_name": f"{stem}-run",
    }


def _identity(model: NovaModel, name: str) -> Tree:
    return {"name": name, "model_type": model.model_type, "model_name_or_path": model.model_path}


def supervised_1(model: NovaModel, *, lora: bool, max_length: int, batch: int, epochs: int, replicas: int) -> Tree:
    """Return a supervised fine-tuning recipe of Nova 1."""
    stem = "my-lora" if lora else "my-fullrank"
    tuning = {"loraplus_lr_ratio": 16.0, "alpha": 128, "adapter_dropout": 0.01}
    peft: Tree = {"peft_scheme": "lora", "lora_tuning": tuning} if lora else {"peft_scheme": None}
    paths: Tree = {"replicas": replicas, "data_s3_path": "", "output_s3_path": ""}
    return {
        "run": _identity(model, f"{stem}-run") | paths | _mlflow(stem),
        "training_config": {
            "max_length": max_length,
            "global_batch_size": batch,
            "trainer": {"max_epochs": epochs},
            "model": {
                "hidden_dropout": 0.0,
                "attention_dropout": 0.0,
                "ffn_dropout": 0.0,
                "optim": _optimizer_1(lora=lora),
                "peft": peft,
            },
        },
    }


def _optimizer_1(*, lora: bool) -> Tree:
    return {
        "lr": 1e-5 if lora else 5e-6,
        "name": "distributed_fused_adam",
        "adam_w_mode": True,
        "eps": 1e-6,
        "weight_decay": 0.0,
        "betas": [0.9, 0.999],
        "sched": {"warmup_steps": 10, "constant_steps": 0, "min_lr": 1e-6 if lora else 5e-7},
    }


def supervised_2(model: NovaModel, *, lora: bool, replicas: int) -> Tree:
    """Return a supervised fine-tuning recipe of Nova 2."""
    stem = "my-lora-sft" if lora else "my-full-rank-sft"
    tuning = {"alpha": 64, "lora_plus_lr_ratio": 64.0}
    data: Tree = {
        "data_s3_path": "s3://my-bucket-name/train.jsonl",
        "validation_data_s3_path": "",
        "validation_data_s3_path_list": {},
        "replicas": replicas,
        "output_s3_path": "s3://my-bucket-name/outputs/",
    }
    return {
        "run": _identity(model, f"{stem}-run") | data | _mlflow(stem),
        "training_config": {
            "max_steps": 100,
            "save_steps": 100,
            "save_top_k": 5,
            "max_length": 32768,
            "global_batch_size": 32,
            "reasoning_enabled": True,
            "val_check_interval": 2500,
            "limit_val_batches": 2,
            "lr_scheduler": {"warmup_steps": 15, "min_lr": 1e-6},
            "optim_config": {"lr": 1e-5, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.95},
            "peft": {"peft_scheme": "lora", "lora_tuning": tuning} if lora else {"peft_scheme": "null"},
            "model_importance_score": {"fine_tuned_model": 1.0},
        },
    }


def reinforcement_2(model: NovaModel, *, lora: bool) -> Tree:
    """Return a reinforcement fine-tuning recipe of Nova 2 for training jobs."""
    tuning = {"alpha": 32, "lora_plus_lr_ratio": 64.0}
    data: Tree = {"data_s3_path": "s3://<bucket>/<data file>", "replicas": 4, "reward_lambda_arn": _REWARD_FUNCTION}
    return {
        "run": _identity(model, "my-rft-run") | data,
        "training_config": {
            "max_length": 8192,
            "global_batch_size": 64,
            "reasoning_effort": "high",
            "rollout": {
                "advantage_strategy": {"number_generation": 2},
                "generator": {"max_new_tokens": 6000, "set_random_seed": True, "temperature": 1, "top_k": 1},
                "rewards": {"api_endpoint": {"lambda_arn": _REWARD_FUNCTION, "lambda_concurrency_limit": 12}},
            },
            "trainer": {
                "max_steps": 5,
                "save_steps": 5,
                "ent_coeff": 0.0,
                "kl_loss_coef": 0.001,
                "optim_config": {"lr": 1e-4, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.95},
                "peft": {"peft_scheme": "lora", "lora_tuning": tuning} if lora else {"peft_scheme": None},
            },
        },
    }


def reinforcement_2_hyperpod(model: NovaModel, *, lora: bool, replicas: int) -> Tree:
    """Return a reinforcement fine-tuning recipe of Nova 2 for HyperPod."""
    tuning = {"alpha": 32, "loraplus_lr_ratio": 64.0}
    data: Tree = {"data_s3_path": "s3://example-bucket/train.jsonl", "output_s3_path": "", "replicas": replicas}
    services: Tree = {"generation_replicas": 2, "rollout_worker_replicas": 1, "reward_lambda_arn": ""}
    return {
        "run": _identity(model, "my-rft-run") | data | services | _mlflow("my-rft"),
        "training_config": {
            "max_length": 10240,
            "global_batch_size": 256,
            "reasoning_effort": "high",
            "data": {"shuffle": False},
            "rollout": {
                "rollout_strategy": {"type": "off_policy_async", "age_tolerance": 2},
                "advantage_strategy": {"number_generation": 8},
                "generator": {"max_new_tokens": 8192, "set_random_seed": True, "temperature": 1, "top_k": 0},
                "rewards": {"api_endpoint": {"lambda_arn": "", "lambda_concurrency_limit": 100}},
            },
            "trainer": {
                "max_steps": 100,
                "save_steps": 100,
                "save_top_k": 5,
                "refit_freq": 4,
                "clip_ratio_high": 0.2,
                "ent_coeff": 0.001,
                "loss_scale": 1,
                "optim_config": {"lr": 7e-7, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.95},
                "peft": {"peft_scheme": "lora", "lora_tuning": tuning} if lora else {"peft_scheme": None},
            },
        },
    }


def with_data_mixing(values: Tree, catalog: str, categories: Tree) -> Tree:
    """Return a recipe whose training data is mixed, half and half, with that of Nova's own catalog."""
    sources: Tree = {"customer_data": {"percent": 50.0}, "nova_data": dict(categories)}
    return {**values, "data_mixing": {"dataset_catalog": catalog, "sources": sources}}


def pretraining_1(model: NovaModel, *, replicas: int) -> Tree:
    """Return a continued pre-training recipe of Nova 1, for HyperPod."""
    return {
        "run": _identity(model, "my-cpt-run")
        | {"replicas": replicas, "data_s3_path": "", "output_s3_path": ""}
        | _mlflow("my-cpt"),
        "training_config": {
            "max_length": 8192,
            "global_batch_size": 256,
            "trainer": {"max_epochs": 1},
            "model": {
                "hidden_dropout": 0.0,
                "attention_dropout": 0.0,
                "ffn_dropout": 0.0,
                "optim": _optimizer_1(lora=True),
            },
        },
    }


def pretraining_2(model: NovaModel, *, replicas: int) -> Tree:
    """Return a continued pre-training recipe of Nova 2, for HyperPod."""
    paths: Tree = {"replicas": replicas, "data_s3_path": "", "validation_data_s3_path": "", "output_s3_path": ""}
    first = _optimizer_1(lora=True)
    adam: Tree = {name: first[name] for name in ("lr", "name", "adam_w_mode", "eps", "weight_decay")}
    return {
        "run": _identity(model, "my-cpt-run") | paths | _mlflow("my-cpt"),
        "training_config": {
            "task_type": "cpt",
            "max_length": 8192,
            "global_batch_size": 256,
            "trainer": {"max_steps": 10, "val_check_interval": 10, "limit_val_batches": 2},
            "model": {"hidden_dropout": 0.0, "attention_dropout": 0.0},
            "optim": {
                "optimizer": "adam",
                **adam,
                "adam_beta1": 0.9,
                "adam_beta2": 0.95,
                "sched": first["sched"],
            },
        },
    }


def benchmark(model: NovaModel, *, task: str) -> Tree:
    """Return an evaluation recipe of a public benchmark, text or multimodal."""
    asked = {"task": task, "strategy": "zs_cot", "metric": "accuracy", "subtask": ""}
    return {"run": _evaluated(model, "mmlu"), "evaluation": asked, "inference": _inference(model)}


def own_dataset(model: NovaModel) -> Tree:
    """Return an evaluation recipe of a dataset of the user's own."""
    preset: Tree = {"preset_reward_function": ""} if model.version == 2 else {}
    return {
        "run": _evaluated(model, "byod"),
        "evaluation": {"task": "gen_qa", "strategy": "gen_qa", "metric": "all"},
        "inference": _inference(model),
        "processor": preset
        | {
            "lambda_arn": "",
            "lambda_type": "rft",
            "preprocessing": {"enabled": False},
            "postprocessing": {"enabled": True},
            "aggregation": "average",
        },
    }


def judge(model: NovaModel) -> Tree:
    """Return the evaluation recipe of a judge: by preference for Nova 1, by a rubric for Nova 2."""
    rubric = model.version == 2
    task = "rubric_llm_judge" if rubric else "llm_judge"
    limit: Tree = {"max_new_tokens": 32768} if rubric else {}
    return {
        "run": _evaluated(model, task.replace("_", "-")),
        "evaluation": {"task": task, "strategy": "judge", "metric": "all"},
        "inference": limit | {"top_k": 50, "top_p": 1.0, "temperature": 0, "top_logprobs": 0},
    }


def reward(model: NovaModel) -> Tree:
    """Return the evaluation recipe that scores by a reward function."""
    return {
        "run": _evaluated(model, "rft"),
        "evaluation": {"task": "rft_eval", "strategy": "rft_eval", "metric": "all"},
        "inference": _inference(model),
        "rl_env": {"reward_lambda_arn": ""},
    }


def _evaluated(model: NovaModel, kind: str) -> Tree:
    short = model.model_path.removesuffix("/prod").replace("-2", "-v2")
    paths: Tree = {"replicas": 1, "data_s3_path": "", "output_s3_path": ""}
    return _identity(model, f"{short}-{kind}-eval-job") | paths | _NO_MLFLOW


def _inference(model: NovaModel) -> Tree:
    sampling: Tree = {"top_k": -1, "top_p": 1.0, "temperature": 0, "top_logprobs": 0}
    effort: Tree = {"reasoning_effort": None} if model.version == 2 else {}
    return {"max_new_tokens": 32768 if model.version == 2 else 8196} | sampling | effort

"""Check the account: keys, and of training jobs their role, quotas, and what CreateTrainingJob takes of settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.catalog.clusters import RFT_EXTRA_INSTANCES
from lambda_handlers.checks import job_settings, key, quota, role
from lambda_handlers.checks.role_needs import training_job_needs
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.inference.stages import BATCH_INFERENCE, BEDROCK
from lambda_handlers.jobs.choices import EXTRA_INSTANCES, choice_folder, choices_of, on_hyperpod
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.further_training import further_stages, job_inputs
from lambda_handlers.planning.inference_checks import inference_of
from lambda_handlers.planning.modes import MODES, Mode
from lambda_handlers.planning.resource_checks import Job, check_resources, functions_of, mlflow_arns, vpcs_of
from lambda_handlers.planning.training_checks import TRAINING
from lambda_handlers.protocol.names import job_name
from lambda_handlers.training.recipe import RECIPE_FILE
from lambda_handlers.training.stages import training_stage


def check_account(context: RunContext, mode: Mode, images: Iterable[str]) -> None:
    """Note what of the account does not fit the jobs of a run; `images` are their containers."""
    jobs = [job for job in jobs_of(context.config, mode) if not on_hyperpod(job[1])]
    for stage, settings in jobs:
        job_settings.check(context.findings, settings, stage)
        for number, choice in enumerate(settings.get("alternatives") or (), start=2):
            job_settings.check(context.findings, choice, f"{stage}, choice {number}")
        job_settings.check_name(context.findings, _name(context, stage))
    volume_keys = list(dict.fromkeys(str(job["volume_key_arn"]) for _, job in jobs if job.get("volume_key_arn")))
    if jobs:
        check_resources(context, jobs)
        _check_role(context, mode, jobs, list(images), volume_keys)
    for arn in dict.fromkeys((context.places.key_arn, *volume_keys, *_model_keys(context, mode))):
        key.check(context.findings, context.account.kms, arn, context.places.region)
    if jobs:
        choices = [(stage, choices_of(settings)) for stage, settings in jobs]
        first = _quotas((stage, settings) for stage, (settings, *_) in choices)
        others: Counter[str] = Counter()
        for stage, (_, *alternatives) in choices:
            for settings in alternatives:
                # Each alone: how many jobs lack capacity at once, nobody knows.
                others |= Counter(_quotas([(stage, settings)]))
        quota.check(context.findings, context.account.service_quotas, first, others)


def _model_keys(context: RunContext, mode: Mode) -> list[str]:
    """Return the key that a run encrypts its model with, where it has one of its own."""
    arn = (context.config.get("deployment") or {}).get("model_key_arn") if mode.deploys else None
    return [str(arn)] if arn else []


def jobs_of(config: Mapping[str, Any], mode: Mode) -> Iterator[Job]:
    """Yield the jobs of a run in this mode: stage and settings, those that train first."""
    if mode.trains:
        yield TRAINING, _sized(config["training"], config.get("method"))
        for stage in further_stages(config):
            yield training_stage(stage["name"]), _sized(stage["training"], stage.get("method"))
    if mode.evaluates:
        # Models of comparison may cost a job each; whether their scores are known is seen once the set is frozen.
        for settings in (*config.get("evaluation", ()), *config.get("baselines", ())):
            yield stage_name(settings), settings
    # A job of Amazon Bedrock runs on no instances of ours, and under a role of its own.
    if (settings := inference_of(config, mode)) and settings.get("through") != BEDROCK:
        yield BATCH_INFERENCE, settings


def _sized(settings: Mapping[str, Any], method: str | None) -> Mapping[str, Any]:
    """Return the settings of a training job with what it takes beyond the instances it trains on, where it does."""
    known = catalog.METHODS.get(method or "") if on_hyperpod(settings) else None
    if known is None or known.technique is not catalog.Technique.RFT:
        return settings
    return {**settings, EXTRA_INSTANCES: RFT_EXTRA_INSTANCES}


def all_jobs_of(config: Mapping[str, Any]) -> list[Job]:
    """Return every job that runs of a customization may have, in whatever mode, each once: stage and settings."""
    return list(dict(job for mode in MODES.values() for job in jobs_of(config, mode)).items())


def _name(context: RunContext, stage: str) -> str:
    execution = context.execution
    return job_name(
        slug=context.places.slug,
        state_machine_arn=execution["state_machine"],
        run_id=execution["name"],
        started_at=execution["start_time"],
        stage=stage,
        attempt=1,
    )


def _check_role(
    context: RunContext, mode: Mode, jobs: list[Job], images: list[str], volume_keys: Iterable[str]
) -> None:
    places = context.places
    needs = training_job_needs(
        role_arn=places.role_arn,
        region=places.region,
        inputs=inputs_of(context, mode, jobs),
        output_uri=places.output_uri(context.run_id),
        images=images,
        key_arn=places.key_arn,
        functions=functions_of(jobs),
        vpcs=vpcs_of(jobs),
        volume_key_arns=volume_keys,
        mlflow_arns=mlflow_arns(context, jobs),
    )
    role.check(context.findings, context.account.iam, role_arn=places.role_arn, needs=needs)


def inputs_of(context: RunContext, mode: Mode, jobs: Iterable[Job], *, recipes: bool = True) -> Iterator[str]:
    """Yield the addresses of the objects that the jobs of the run read; without `recipes`, of data alone."""
    places, run_id = context.places, context.run_id
    if mode.trains:
        yield places.train_uri(run_id)
        if validation := places.validation_uri(run_id, context.config):
            yield validation
        yield from job_inputs(context)
    for stage, settings in jobs:
        for index in range(len(choices_of(settings)) if recipes else 0):
            yield f"{places.recipe_prefix_uri(run_id, choice_folder(stage, index))}{RECIPE_FILE}"
        if stage == BATCH_INFERENCE:
            yield places.inference_rows_uri(run_id)
        elif settings.get("dataset_uri") or settings.get("held_out"):
            yield places.evaluation_set_uri(run_id, settings["task"])


def _quotas(jobs: Iterable[Job]) -> dict[str, int]:
    """Return how many instances of a quota the run has at once.

    All evaluations run side by side; each training, and batch inference, alone.
    """
    at_once: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for stage, settings in jobs:
        wanted = Counter({quota.training_quota(settings["instance_type"]): settings.get("instance_count") or 1})
        if stage.startswith((TRAINING, BATCH_INFERENCE)):
            at_once |= wanted
            if settings.get("keep_alive_seconds"):
                at_once |= Counter({quota.warm_pool_quota(settings["instance_type"]): settings["instance_count"]})
        else:
            together += wanted
    return dict(at_once | together)

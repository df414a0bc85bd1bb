"""Which model a run is about: the checkpoint that training continues from, or the model that is evaluated or asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog.checkpoints import CHECKPOINT_FORM, checkpoint_platform, is_checkpoint
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.earlier_runs import EarlierRun, find_production, find_run
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.package_checks import check_package
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.protocol.pointer import Pointer

_NAMES: Final[Mapping[str, str]] = {"SMTJ": "training jobs (SMTJ)", "SMHP": "HyperPod (SMHP)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Say what training continues from: a checkpoint, and the run that left it where that is known; or nothing."""

    model_path: str | None = None
    base_run: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in the plan."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReference:
    """Name the model that a run evaluates or asks.

    `kind` is checkpoint, package, run, base or production; `model_path` the checkpoint, the ARN of the model package,
    or the base model's own path; `run_id` the run that trained it, where that is known.
    """

    kind: str
    model_path: str
    platform: str
    run_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in the plan."""
        return {"kind": self.kind, "model_path": self.model_path, "run_id": self.run_id}

    def as_checkpoint(self) -> dict[str, str]:
        """Return what stands where a run that trains has its checkpoint."""
        return {"uri": self.model_path, "platform": self.platform}


def find_start(context: RunContext, asked: ExecutionInput) -> Start:
    """Return what training continues from; what is wrong with it is noted."""
    platform = str(context.config["training"]["platform"])
    if asked.base_run:
        with context.findings.checking():
            run = _earlier(context, asked.base_run, "base_run")
            problems = [*_of_another_model(context, run, "base_run"), *_of_another_rank(context, run)]
            problems += _elsewhere("base_run", run.checkpoint, run.platform, [platform])
            _refuse(problems)
            return Start(model_path=run.checkpoint, base_run=run.run_id)
    elif asked.model_path:
        with context.findings.checking():
            _check_path(context, asked.model_path, [platform], rank=True)
            return Start(model_path=asked.model_path)
    return Start()


def find_deployable(context: RunContext, asked: ExecutionInput) -> ModelReference | None:
    """Return the model that a run deploys without making one, or None where something is wrong with it."""
    platform = str(context.config["training"]["platform"])
    with context.findings.checking():
        if asked.base_run:
            run = find_run(context.history.events, asked.base_run, key="base_run")
            _refuse(_of_another_rank(context, run))
            return _of_run(context, "run", asked.base_run, "base_run", [platform])
        if asked.model_path:
            _check_path(context, asked.model_path, [platform], rank=True)
            return ModelReference(kind="checkpoint", model_path=asked.model_path, platform=platform)
        if asked.model_package and check_package(context, asked.model_package):
            config = context.config
            context.findings.warn(
                f"model_package: {asked.model_package} does not tell what it holds, which has to be {config['model']}, "
                f"{_rank(config)}."
            )
            return ModelReference(kind="package", model_path=asked.model_package, platform=platform)
    return None


def find_model(context: RunContext, asked: ExecutionInput, jobs: Iterable[Mapping[str, Any]]) -> ModelReference | None:
    """Return the model that a run evaluates or asks, or None where something is wrong with it, which is noted.

    `jobs` are the settings of the jobs that use it.
    """
    platforms = [str(each.get("platform", catalog.Platform.SMTJ)) for each in jobs]
    with context.findings.checking():
        if asked.model == "base":
            path = catalog.model(context.config["model"]).model_path
            platform = next(iter(platforms), catalog.Platform.SMTJ.value)
            return ModelReference(kind="base", model_path=path, platform=platform)
        if asked.model == "production":
            run = find_production(context.history.events, _production(context), key="model: production")
            return _reference(context, "production", run, "model: production", platforms)
        if asked.base_run:
            return _of_run(context, "run", asked.base_run, "base_run", platforms)
        if asked.model_path:
            _check_path(context, asked.model_path, platforms, rank=False)
            platform = checkpoint_platform(asked.model_path) or catalog.Platform.SMTJ
            return ModelReference(kind="checkpoint", model_path=asked.model_path, platform=str(platform))
    return None


def check_compared(context: RunContext) -> None:
    """Note that the gate compares with a model in production that the run's evaluations cannot load."""
    compared = [task for task in context.config.get("baselines") or () if task["baseline"] == "production"]
    target = Pointer(context.history.control).read() if compared else None
    if target is None:
        return
    # Known only after training, it would have cost that.
    with context.findings.checking():
        run = find_production(context.history.events, target.run_id, key="gate: it compares with production")
        _check_loaded(context, run, [str(task.get("platform", catalog.Platform.SMTJ)) for task in compared])


def _check_loaded(context: RunContext, run: EarlierRun, platforms: Iterable[str]) -> None:
    for problem in _elsewhere("gate: it compares with production", run.checkpoint, run.platform, platforms):
        context.findings.problem(f"{problem} Compare with the base model for the first run on another platform.")


def _production(context: RunContext) -> str:
    target = Pointer(context.history.control).read()
    if target is None:
        raise InvalidRequest(
            "model: production: nothing of this customization is in production yet; name base, a run or a checkpoint."
        )
    return target.run_id


def _earlier(context: RunContext, run_id: str, key: str) -> EarlierRun:
    """Return an earlier run; warn where it ended before the last of its training stages."""
    run = find_run(context.history.events, run_id, key=key)
    if run.untrained:
        context.findings.warn(
            f"{key}: run {run_id} left no checkpoint of {', '.join(run.untrained)}; the one taken is of {run.stage}."
        )
    return run


def _of_run(context: RunContext, kind: str, run_id: str, key: str, platforms: Iterable[str]) -> ModelReference:
    return _reference(context, kind, _earlier(context, run_id, key), key, platforms)


def _reference(context: RunContext, kind: str, run: EarlierRun, key: str, platforms: Iterable[str]) -> ModelReference:
    _refuse([*_of_another_model(context, run, key), *_elsewhere(key, run.checkpoint, run.platform, platforms)])
    return ModelReference(kind=kind, model_path=run.checkpoint, platform=run.platform, run_id=run.run_id)


def _check_path(context: RunContext, uri: str, platforms: Iterable[str], *, rank: bool) -> None:
    """Refuse an address that is no checkpoint's, or one of another platform; warn of what it does not tell."""
    if not is_checkpoint(uri):
        raise InvalidRequest(
            f'model_path: received "{uri}"; allowed: a checkpoint as the manifest of its training job names it, '
            f"{CHECKPOINT_FORM}"
        )
    platform = checkpoint_platform(uri)
    if platform:
        _refuse(_elsewhere("model_path", uri, platform.value, platforms))
    config = context.config
    untold = [f"{config['model']}", *([_rank(config)] if rank else []), *([] if platform else list(platforms)[:1])]
    context.findings.warn(
        f"model_path: the address {uri} does not tell everything about its model, which has to be of "
        f"{', '.join(untold)}; give base_run instead to have that checked."
    )


def _of_another_model(context: RunContext, run: EarlierRun, key: str) -> list[str]:
    has, needs = str(run.config["model"]), str(context.config["model"])
    if has == needs:
        return []
    return [
        f"{key}: run {run.run_id} trained {has}, and this customization's model is {needs}; they have to be the same."
    ]


def _of_another_rank(context: RunContext, run: EarlierRun) -> list[str]:
    has, needs = _rank(run.config), _rank(context.config)
    if has == needs:
        return []
    return [
        f"base_run: run {run.run_id} trained by {run.config['method']}, which is {has}, and this customization trains "
        f"by {context.config['method']}, which is {needs}; LoRA continues from LoRA and full rank from full rank."
    ]


def _rank(config: Mapping[str, Any]) -> str:
    return "full rank" if catalog.method(config["method"]).full_rank else "LoRA"


def _elsewhere(key: str, checkpoint: str, platform: str, platforms: Iterable[str]) -> list[str]:
    others = sorted({each for each in platforms if each != platform})
    return [
        f"{key}: {checkpoint} is a checkpoint of {_NAMES.get(platform, platform)}, and the run's jobs are on "
        f"{_NAMES.get(other, other)}; a checkpoint can be used on its own platform only."
        for other in others
    ]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise InvalidRequest("The model to start from cannot be used.", problems=problems)

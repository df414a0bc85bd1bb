"""Everything that is checked of a run before it takes anything: its input, its settings, its data and the account.

All problems are told at once. What one problem hides is not guessed at: where model, method and platform do not go
together, or the hub has no entry or no recipe for them, no override can be checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import combinations
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.checks import job_settings, key, quota, role
from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.role_needs import training_job_needs
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning.dataset import FoundDataset, PinnedDataset
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.places import Places
from lambda_handlers.protocol.names import job_name
from lambda_handlers.recipes import OwnRecipe, own_recipe
from lambda_handlers.training.recipe import Locations, Recipes, ResolvedRecipe, check_combination, checked_task

# Stands for the checkpoint that training will make, so that evaluation recipes can be checked before it is bought.
_CHECKPOINT_TO_COME: Final = "s3://customer-escrow-000000000000-smtj-planned/checkpoint"
# Stands for a dataset that is missing, so that the rest of an evaluation can be checked.
_SOME_DATASET: Final = "s3://some-bucket/some-dataset.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The clients of the account that is checked."""

    s3: Any
    sagemaker: Any
    iam: Any
    kms: Any
    service_quotas: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """Everything known of a run that may start."""

    asked: ExecutionInput
    dataset: PinnedDataset
    recipes: Recipes
    training: ResolvedRecipe
    overrides: Mapping[str, Any]
    warnings: tuple[str, ...]


class RunChecks:
    """Check one run. Attributes: `findings`, and `asked`, what could be understood of the input."""

    def __init__(
        self, account: Account, places: Places, config: Mapping[str, Any], execution: Mapping[str, Any]
    ) -> None:
        self.findings = Findings()
        self.asked = ExecutionInput(dataset_uri="")
        self._account, self._places, self._config, self._execution = account, places, config, execution

    def run(self, raw: Any) -> Checked:
        """Check everything and return what is known then.

        Raises one error with every problem; its class is the first of `findings.ORDER` that any of them has.
        """
        self.asked, problems = ExecutionInput.understand(raw)
        asked = self.asked
        for problem in problems:
            self.findings.problem(problem)
        with self.findings.checking():
            check_combination(self._config)
        overrides = {**self._config.get("overrides", {}), **asked.overrides}
        found = self._dataset(asked)
        recipes = self._hub(asked)
        own = self._own_recipe(asked)
        readable = own is not None or asked.recipe is None
        checkable = readable and not self._impossible()
        training = self._training(recipes, overrides, own) if recipes and checkable else None
        evaluations = [self._evaluation(recipes, settings) for settings in self._config.get("evaluation", ())]
        self._jobs()
        self._infrastructure([each.image_uri for each in (training, *evaluations) if each])
        self.findings.raise_all()
        # What is missing has left a problem.
        assert found is not None
        assert recipes is not None
        assert training is not None
        # Last, because it reads the whole dataset.
        dataset = datasets.pin(self._account.s3, found)
        warnings = tuple(self.findings.warnings)
        return Checked(
            asked=asked, dataset=dataset, recipes=recipes, training=training, overrides=overrides, warnings=warnings
        )

    def _dataset(self, asked: ExecutionInput) -> FoundDataset | None:
        if not asked.dataset_uri:
            return None
        with self.findings.checking():
            return datasets.locate(self._account.s3, asked.dataset_uri, asked.dataset_version_id)
        return None

    def _hub(self, asked: ExecutionInput) -> Recipes | None:
        try:
            model = catalog.model(self._config["model"])
        except UnknownNameError:
            return None  # told by the check of the combination
        with self.findings.checking():
            return Recipes(
                sagemaker=self._account.sagemaker,
                s3=self._account.s3,
                model=model,
                content_version=asked.hub_content_version,
            )
        return None

    def _own_recipe(self, asked: ExecutionInput) -> OwnRecipe | None:
        if asked.recipe is None:
            return None
        with self.findings.checking():
            return own_recipe.resolve(asked.recipe, self._account.s3)
        return None

    def _training(self, recipes: Recipes, overrides: Mapping[str, Any], own: OwnRecipe | None) -> ResolvedRecipe | None:
        run_id = self._execution["name"]
        found = self._resolved(
            "training",
            lambda: recipes.training(
                method=catalog.method(self._config["method"]),
                settings=self._config["training"],
                name=self._places.slug,
                overrides=overrides,
                locations=Locations(
                    data_uri=self._places.train_uri(run_id), output_uri=self._places.output_uri(run_id)
                ),
                own=own,
            ),
        )
        for warning in found.recipe.warnings if found else ():
            self.findings.warn(f"training: {warning}")
        return found

    def _evaluation(self, recipes: Recipes | None, settings: Mapping[str, Any]) -> ResolvedRecipe | None:
        stage = stage_name(settings)
        try:
            task = catalog.evaluation_task(settings["task"])
        except UnknownNameError:
            return None  # told by the check of the combination
        with self.findings.checking(stage):
            checked_task(settings)
        if settings.get("dataset_uri"):
            with self.findings.checking():
                what = f"dataset of evaluation {settings['task']}"
                datasets.find(self._account.s3, settings["dataset_uri"], what=what)
        if recipes is None or self._impossible(task.name) - self._impossible():
            return None
        # What is wrong with these two is told; the recipe's own values can be checked without them.
        subtask = settings.get("subtask") if settings.get("subtask") in task.subtasks else None
        dataset = settings.get("dataset_uri") or _SOME_DATASET if task.takes_data else None
        usable = {**settings, "subtask": subtask, "dataset_uri": dataset}
        return self._resolved(
            stage,
            lambda: recipes.evaluation(settings=usable, name=self._places.slug, model_path=_CHECKPOINT_TO_COME),
        )

    def _impossible(self, *tasks: str) -> set[str]:
        """Return why model, method, platform and tasks do not go together; that is told, and no recipe is for them."""
        config = self._config
        return set(combinations.check(config["model"], config["method"], config["training"]["platform"], None, tasks))

    def _resolved(self, subject: str, resolve: Callable[[], ResolvedRecipe]) -> ResolvedRecipe | None:
        with self.findings.checking(subject):
            return resolve()
        return None

    def _jobs(self) -> None:
        for subject, settings in self._job_settings():
            job_settings.check(self.findings, settings, subject)
            execution = self._execution
            name = job_name(
                slug=self._places.slug,
                state_machine_arn=execution["state_machine"],
                run_id=execution["name"],
                started_at=execution["start_time"],
                stage=subject,
                attempt=1,
            )
            job_settings.check_name(self.findings, name)

    def _job_settings(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield "training", self._config["training"]
        for settings in self._config.get("evaluation", ()):
            yield stage_name(settings), settings

    def _infrastructure(self, images: list[str]) -> None:
        places, account = self._places, self._account
        jobs = [settings for _, settings in self._job_settings()]
        volume_keys = list(dict.fromkeys(str(job["volume_key_arn"]) for job in jobs if job.get("volume_key_arn")))
        needs = training_job_needs(
            role_arn=places.role_arn,
            region=places.region,
            inputs=self._inputs(),
            output_uri=places.output_uri(self._execution["name"]),
            images=images,
            key_arn=places.key_arn,
            reward_function=jobs[0].get("reward_function"),
            vpcs=_once(job["vpc"] for job in jobs if job.get("vpc")),
            volume_key_arns=volume_keys,
        )
        role.check(self.findings, account.iam, role_arn=places.role_arn, needs=needs)
        for arn in dict.fromkeys((places.key_arn, *volume_keys)):
            key.check(self.findings, account.kms, arn, places.region)
        quota.check(self.findings, account.service_quotas, _quotas(jobs[0], jobs[1:]))

    def _inputs(self) -> Iterator[str]:
        """Yield the addresses of the objects that the jobs of the run read."""
        run_id = self._execution["name"]
        yield self._places.train_uri(run_id)
        if validation := self._places.validation_uri(run_id, self._config):
            yield validation
        for stage, settings in self._job_settings():
            yield f"{self._places.recipe_prefix_uri(run_id, stage)}recipe.yaml"
            if settings.get("dataset_uri"):
                yield str(settings["dataset_uri"])


def _once(vpcs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    found.extend(vpc for vpc in vpcs if vpc not in found)
    return found


def _quotas(training: Mapping[str, Any], evaluations: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many instances of a quota the run has at once: training alone, then all evaluations together."""
    at_once = Counter({quota.training_quota(training["instance_type"]): training["instance_count"]})
    together: Counter[str] = Counter()
    for settings in evaluations:
        together[quota.training_quota(settings["instance_type"])] += settings.get("instance_count") or 1
    wanted = dict(at_once | together)
    if training.get("keep_alive_seconds"):
        wanted[quota.warm_pool_quota(training["instance_type"])] = training["instance_count"]
    return wanted

"""A further training stage of a customization, as a value object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aws_cdk import aws_lambda as lambda_

from lambda_handlers.datasets.s3_media import MEDIA_FOLDER
from nova_constructs.artifact_store import DATASETS_PREFIX, UPLOADS_PREFIX, ArtifactStore
from nova_constructs.data_format import DataFormat
from nova_constructs.hyperpod import Runtime

# Part of names of states and of labels of Maps (at most 40 characters), of keys in S3, and of paths in a run's state.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,19}")
_PREFIXES: Final = (DATASETS_PREFIX, UPLOADS_PREFIX)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingStage:
    """Training that goes on from the checkpoint of the stage before it, on data of its own.

    `name` has up to 20 of a-z, 0-9 and _, a letter first; never change it once deployed, since logs and records go by
    it. `dataset` is a key of the incoming bucket under `datasets/` (where an object that arrives starts a run) or
    `uploads/` (where it does not), one object or a folder with a slash at the end, or the s3:// address of such a key;
    each run takes what is there when it is planned.

    `method` and `platform` are those of the customization unless given; the method has to be of the same rank (LoRA or
    full). `data` defaults to DataFormat(), `overrides` to none: neither is taken over from the customization.
    Reinforcement fine-tuning needs a `reward_function`, the function or its ARN.
    """

    name: str
    dataset: str
    method: str | None = None
    data: DataFormat = field(default_factory=DataFormat)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    reward_function: str | lambda_.IFunction | None = None
    platform: Runtime | None = None

    def after(self, method: str, platform: Runtime) -> TrainingStage:
        """Return the stage with method and platform: its own, or those of the customization."""
        return replace(self, method=self.method or method, platform=self.platform or platform)

    @property
    def trains_by(self) -> str:
        """The method; raises ValueError before `after` has settled it."""
        if self.method is None:
            raise ValueError(f"the method of training stage {self.name} is not settled")
        return self.method

    @property
    def runs_on(self) -> Runtime:
        """The platform; raises ValueError before `after` has settled it."""
        if self.platform is None:
            raise ValueError(f"the platform of training stage {self.name} is not settled")
        return self.platform

    @property
    def reward_arn(self) -> str | None:
        """The ARN of the reward function."""
        given = self.reward_function
        return given if given is None or isinstance(given, str) else given.function_arn

    def problems(self) -> Iterable[str]:
        """Yield what cannot work of name and dataset."""
        if not _NAME.fullmatch(self.name) or self.name == MEDIA_FOLDER:
            yield (
                f"name is {self.name!r}: use up to 20 of a-z, 0-9 and _, a letter first, and not {MEDIA_FOLDER}, "
                "which names a folder of every run"
            )
        key = self.dataset.removeprefix("s3://").partition("/")[2] if self._is_address else self.dataset
        if not key.startswith(_PREFIXES) or key in _PREFIXES:
            yield (
                f"dataset is {self.dataset!r}: use a key under {' or '.join(_PREFIXES)} of the incoming bucket, "
                f"for instance {UPLOADS_PREFIX}{self.name}.jsonl"
            )

    def config(self, store: ArtifactStore) -> dict[str, Any]:
        """Return the stage as the functions read it, in the words of the customization's own first training."""
        reward = self.reward_arn
        return {
            "name": self.name,
            "method": self.trains_by,
            "dataset_uri": self.dataset if self._is_address else store.incoming.s3_url_for_object(self.dataset),
            "training": self.runs_on.config() | ({"reward_function": reward} if reward else {}),
            "overrides": dict(self.overrides),
            **self.data.config(store),
        }

    @property
    def _is_address(self) -> bool:
        return self.dataset.startswith("s3://")

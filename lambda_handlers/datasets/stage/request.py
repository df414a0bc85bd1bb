"""What a call of the data stage was asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from lambda_handlers import catalog
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.protocol.resume import input_hashes
from lambda_handlers.protocol.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRequest:
    """The run, the objects that it was planned with, and what to make of them.

    `stage` names the further training stage that the data is for; None is the first. `max_reject_ratio` is a share from
    0 to 1; `no_leak_with` are the addresses of evaluation sets. `media_buckets` are the buckets that media may be read
    from, and `account` owns the bucket that takes copies of them. `made_of` is what the data is made of, by the hash of
    each part: a run that resumes another takes what was made of the same.
    """

    run: Run
    stage: str | None
    uri: str
    inputs: tuple[ReadObject, ...]
    preparation: Preparation
    max_reject_ratio: float
    no_leak_with: tuple[str, ...]
    media_buckets: tuple[str, ...]
    account: str
    made_of: Mapping[str, str]

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        """Read an event; one about a shard has no dataset."""
        config, dataset = event["config"], event.get("dataset") or {"uri": "", "objects": ()}
        return cls(
            run=Run.parse(event["run"]),
            stage=event.get("stage"),
            uri=dataset["uri"],
            inputs=tuple(ReadObject(**each) for each in dataset["objects"]),
            preparation=_preparation(config),
            max_reject_ratio=config["max_reject_ratio"],
            no_leak_with=tuple(config.get("no_leak_with", ())),
            media_buckets=tuple(config.get("media_buckets", ())),
            account=config.get("account", ""),
            made_of=_made_of(config, dataset["objects"]),
        )

    @property
    def place(self) -> str:
        """Where in the buckets the data of this stage is, below `runs/` and `work/`."""
        return f"{self.run.id}/{self.stage}" if self.stage else self.run.id


def _made_of(config: Mapping[str, Any], objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the hashes of dataset, settings and code; sets that rows are kept apart from may have changed since."""
    settings = {name: value for name, value in config.items() if name != "code_version"}
    parts = {
        "dataset": [[each["uri"], each["sha256"]] for each in objects],
        "settings": settings,
        "code": config.get("code_version"),
        "no_leak_with": None if config.get("no_leak_with") else [],
    }
    return input_hashes(parts, ())


def _preparation(config: Mapping[str, Any]) -> Preparation:
    split = config.get("split")
    return Preparation(
        model=catalog.model(config["model"]).name,
        method=catalog.method(config["method"]).name,
        columns=config.get("columns") or {},
        system_prompt=config.get("system_prompt"),
        operations=Operations(
            split=Split(**split) if split else None,
            seed=config.get("seed", Operations().seed),
            dedupe=config.get("dedupe", False),
            limit=config.get("limit"),
            no_leak=config.get("no_leak", False),
        ),
    )

"""How Amazon Bedrock serves the models of a customization: value objects, and what is wrong with them."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from aws_cdk import Duration, Token

from lambda_handlers.catalog import DeployTarget
from lambda_handlers.catalog.model_packages import is_group_name
from lambda_handlers.deployment.choosing import FAIL, SWAP, UPDATE
from lambda_handlers.deployment.smoke import MAX_TOKENS, QUESTION
from nova_constructs.bake import LONGEST_SETTING, Bake
from nova_constructs.platforms import KEY_ARN
from nova_constructs.settings import SettingsError

MODES: Final = (SWAP, UPDATE, FAIL)
COMMITMENTS: Final = ("ONE_MONTH", "SIX_MONTHS")
_NAME: Final = re.compile(r"(?:[0-9a-zA-Z][_-]?){1,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokePrompt:
    """A question that a deployment has to answer before production points to it.

    `max_tokens` (default 64) bounds the answer. Expected of it, where given: `not_empty` (default true); `json`, that
    it is JSON; `matches`, a regular expression (Python's) found in it; `within_seconds`, by Bedrock's own measurement.
    """

    text: str
    system: str | None = None
    max_tokens: int = MAX_TOKENS
    not_empty: bool = True
    json: bool = False
    matches: str | None = None
    within_seconds: float | None = None

    def problems(self) -> Iterable[str]:
        """Yield what is wrong with it."""
        if not self.text.strip():
            yield "text is empty: give a question"
        if self.max_tokens < 1:
            yield f"max_tokens is {self.max_tokens}: use 1 or more"
        if self.within_seconds is not None and self.within_seconds <= 0:
            yield f"within_seconds is {self.within_seconds:g}: use more than 0"
        try:
            re.compile(self.matches or "")
        except re.error as error:
            yield f"matches is {self.matches!r}, which is no regular expression: {error}"

    def config(self) -> dict[str, Any]:
        """Return the prompt as the functions read it."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Served(ABC):
    """What every target has.

    `mode` says what becomes of a deployment that is there: SWAP (default) makes a new one beside it, to which the
    pointer moves; UPDATE_IF_EXISTS puts the new model behind the one that has the `name`; FAIL_IF_EXISTS refuses to
    run. `name` is for the last two, by default the customization's. `smoke` are the questions to answer, by default
    one. `keep` (default 3, 1 or more) is how many models that served stay, the live one among them; it and the one that
    a rollback goes back to stay in any case. With a `bake`, an alarm within its time rolls the pointer back.
    `model_key_arn` is a KMS key of yours that encrypts the models, by default Bedrock's own. Of the
    `model_package_groups` (names in this account and Region) mode deploy may import packages. `import_deadline` and
    `deployment_deadline` (default 6 hours each) bound the waits.
    """

    mode: str = SWAP
    name: str | None = None
    smoke: Sequence[SmokePrompt] = ()
    keep: int = 3
    bake: Bake | None = None
    model_key_arn: str | None = None
    model_package_groups: Sequence[str] = ()
    import_deadline: Duration = field(default_factory=lambda: Duration.hours(6))
    deployment_deadline: Duration = field(default_factory=lambda: Duration.hours(6))

    @property
    def named(self) -> bool:
        """Whether all runs deploy under one name."""
        return self.mode != SWAP

    def problems(self) -> Iterable[str]:
        """Yield what is wrong with it."""
        if self.mode not in MODES:
            yield f"deployment.mode is {self.mode!r}: use {', '.join(MODES)}"
        elif self.name is not None and not self.named:
            yield f"deployment.name is given, but mode {SWAP} names each deployment after its run: leave it out"
        if self.name is not None and not (len(self.name) <= 63 and _NAME.fullmatch(self.name)):
            yield (
                f"deployment.name is {self.name!r}: use at most 63 letters and digits, which single hyphens and "
                "underscores may follow"
            )
        if self.keep < 1:
            yield f"deployment.keep is {self.keep}: use 1 or more"
        yield from self.bake.problems() if self.bake else ()
        yield from self._model_problems()
        for number, prompt in enumerate(self.smoke, start=1):
            yield from (f"deployment.smoke {number}: {problem}" for problem in prompt.problems())
        size = len(json.dumps([prompt.config() for prompt in self.smoke]))
        if size > LONGEST_SETTING:
            yield f"deployment.smoke has {size} bytes as JSON: use at most {LONGEST_SETTING}, fewer or shorter prompts"

    def _model_problems(self) -> Iterable[str]:
        key = self.model_key_arn
        if key is not None and not (Token.is_unresolved(key) or KEY_ARN.fullmatch(key)):
            yield (
                f"deployment.model_key_arn is {key!r}: use the ARN of a KMS key, "
                "arn:aws:kms:REGION:ACCOUNT:key/ID; Amazon Bedrock takes no alias and no bare id"
            )
        for group in self.model_package_groups:
            if not is_group_name(group):
                yield (
                    f"deployment.model_package_groups has {group!r}: use the name of a model package group, at most 63 "
                    "letters, digits and hyphens between them"
                )

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Yield what somebody should have read: an id by which it is acknowledged, and the text."""
        return ()

    def config(self, slug: str) -> dict[str, Any]:
        """Return the target as the functions read it; `slug` is the name by default."""
        prompts = self.smoke or (SmokePrompt(text=QUESTION),)
        return {
            "target": self.kind,
            "mode": self.mode,
            "name": (self.name or slug) if self.named else None,
            "smoke": [prompt.config() for prompt in prompts],
            "keep": self.keep,
            "bake_minutes": self.bake.minutes if self.bake else 0,
            "model_key_arn": self.model_key_arn,
            "model_package_groups": list(self.model_package_groups),
        }

    @property
    @abstractmethod
    def kind(self) -> str:
        """The target's name in the catalog."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemand(_Served):
    """Bedrock on-demand inference (BEDROCK_OD), for LoRA and PEFT models, in Regions that have it.

    `mode`, `name`, `smoke` and the deadlines: see docs/deployment.md.
    """

    @property
    def kind(self) -> str:
        """The target's name in the catalog."""
        return DeployTarget.BEDROCK_OD.value


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvisionedThroughput(_Served):
    """Bedrock provisioned throughput (BEDROCK_PT), for models of every method; billed by the hour until deleted.

    `model_units` (1 or more) are bought for each deployment, with a `commitment` of ONE_MONTH or SIX_MONTHS, before
    the end of which it cannot be deleted, or without. `usd_per_unit_hour` is what your account pays, for the cost that
    the synthesis tells: the catalog has no such prices.
    """

    model_units: int
    commitment: str | None = None
    usd_per_unit_hour: float | None = None

    @property
    def kind(self) -> str:
        """The target's name in the catalog."""
        return DeployTarget.BEDROCK_PT.value

    def problems(self) -> Iterable[str]:
        """Yield what is wrong with it."""
        yield from _Served.problems(self)
        if self.model_units < 1:
            yield f"deployment.model_units is {self.model_units}: use 1 or more"
        if self.commitment is not None and self.commitment not in COMMITMENTS:
            yield f"deployment.commitment is {self.commitment!r}: use {' or '.join(COMMITMENTS)}, or leave it out"
        if self.usd_per_unit_hour is not None and self.usd_per_unit_hour <= 0:
            yield f"deployment.usd_per_unit_hour is {self.usd_per_unit_hour:g}: use more than 0, or leave it out"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Yield the cost by the hour."""
        units = f"{self.model_units} model unit{'s' if self.model_units > 1 else ''}"
        price = self.usd_per_unit_hour
        known = f"{self.model_units * price:,.2f} USD" if price else "your price of a unit for each of them"
        told = [
            f"Provisioned throughput of {units} costs {known} in every hour until it is deleted, used or not; the "
            "catalog has no prices of Amazon Bedrock."
        ]
        if not self.named:
            told.append(f"Mode {SWAP} has the old one beside the new: both are billed until the old one is removed.")
        if self.commitment:
            told.append(f"It cannot be deleted before its commitment ({self.commitment}) ends.")
        yield "provisioned-throughput", " ".join(told)

    def config(self, slug: str) -> dict[str, Any]:
        """Return the target as the functions read it; `slug` is the name by default."""
        return {**_Served.config(self, slug), "model_units": self.model_units, "commitment": self.commitment}


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDeployment:
    """No deployment: the model is trained, evaluated and judged by the gate; its checkpoint stands in the record."""

    kind = None


DeploymentTarget = OnDemand | ProvisionedThroughput | NoDeployment


def target_from_settings(settings: Mapping[str, Any]) -> DeploymentTarget:
    """Return the target that a settings file describes; raise SettingsError for a key that it does not take."""
    kind = settings["target"]
    made: type[Any] = {"NONE": NoDeployment, DeployTarget.BEDROCK_PT: ProvisionedThroughput}.get(kind, OnDemand)
    given: dict[str, Any] = {}
    for name, value in settings.items():
        if name in _HOURS:
            given[name.removesuffix("_hours")] = Duration.seconds(round(value * 3600))
        elif name == "smoke":
            given[name] = [SmokePrompt(**prompt) for prompt in value]
        elif name == "bake":
            given[name] = Bake.from_settings(value)
        elif name != "target":
            given[name] = value
    taken = {each.name for each in fields(made)}
    problems = [f"deployment.{name}: target {kind} does not take it: leave it out" for name in sorted({*given} - taken)]
    if made is ProvisionedThroughput and "model_units" not in given:
        problems.append("deployment.model_units: missing; give the number of model units to buy, 1 or more")
    if problems:
        raise SettingsError("\n".join(problems))
    target: DeploymentTarget = made(**given)
    return target


_HOURS: Final = ("import_deadline_hours", "deployment_deadline_hours")

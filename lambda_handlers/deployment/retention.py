"""Which models and deployments stay and which go: the last few that served, and nothing that anybody may still need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lambda_handlers.deployment.inventory import Kind, Made, remove
from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import error_code
from lambda_handlers.protocol.targets import Earlier, Target


class Standing(StrEnum):
    """Say what something is to the customization; only the last two may be removed."""

    LIVE = "live"
    ROLLBACK = "rollback"
    """The one that a rollback goes back to by itself."""
    KEPT = "kept"
    """One of the last few that served."""
    COMMITTED = "committed"
    """Provisioned throughput that AWS does not delete yet."""
    OPEN_RUN = "open run"
    RECENT = "recent"
    """Served nobody, its run has ended, yet it is younger than the bake time."""
    UNKNOWN = "unknown"
    """Carries no run: somebody else made it."""
    IN_USE = "in use"
    """A model that something serves which stays."""
    RETIRED = "retired"
    """Served once, longer ago than what is kept."""
    ORPHAN = "orphan"
    """Never served, and its run has ended."""


_REMOVABLE = (Standing.RETIRED, Standing.ORPHAN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Say of one thing where it stands."""

    made: Made
    standing: Standing

    @property
    def removable(self) -> bool:
        """Say whether nobody needs it any more."""
        return self.standing in _REMOVABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """Hold what the rule goes by: `keep` models that served, the live one among them; `grace` for what never did.

    The live one and the one that a rollback goes back to stay even where `keep` is less than 2.
    """

    keep: int
    grace: timedelta
    target: Target | None
    open_runs: Collection[str]
    now: datetime

    def judge(self, found: Sequence[Made]) -> list[Judged]:
        """Return where each thing stands, what serves before what it serves."""
        serving = [Judged(made=made, standing=self._of_serving(made)) for made in found if made.kind is not Kind.MODEL]
        models = [made for made in found if made.kind is Kind.MODEL]
        return [*serving, *(Judged(made=made, standing=self._of_model(made, serving)) for made in models)]

    def _of_serving(self, made: Made) -> Standing:
        if self.target and made.arn == self.target.arn:
            return Standing.LIVE
        served = self._served(lambda each: each.arn == made.arn)
        committed = made.committed_until is not None and made.committed_until > self.now
        if committed and served in (None, Standing.RETIRED):
            return Standing.COMMITTED
        return served or self._of_unserved(made)

    def _of_model(self, model: Made, serving: Sequence[Judged]) -> Standing:
        if self.target and model.arn == self.target.model_arn:
            return Standing.LIVE
        served = self._served(lambda each: each.model_arn == model.arn)
        standing = served or self._of_unserved(model)
        used = any(each.made.model_arn == model.arn and not each.removable for each in serving)
        return Standing.IN_USE if standing in _REMOVABLE and used else standing

    def _served(self, fits: Callable[[Earlier], bool]) -> Standing | None:
        """Return the standing of what the pointer showed before, None for what it never showed."""
        target = self.target
        if target is None:
            return None
        if target.rollback_target and fits(target.rollback_target):
            return Standing.ROLLBACK
        places = [place for place, each in enumerate(target.history) if fits(each)]
        if not places:
            return None
        # The live one is the first of those kept.
        return Standing.KEPT if places[0] + 1 < self.keep else Standing.RETIRED

    def _of_unserved(self, made: Made) -> Standing:
        if not made.run_id:
            return Standing.UNKNOWN
        if made.run_id in self.open_runs or made.being_made:
            return Standing.OPEN_RUN
        return Standing.RECENT if self.now - made.created < self.grace else Standing.ORPHAN


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """Say what was removed, and what could not be and why."""

    removed: Sequence[Judged]
    left: Sequence[tuple[Judged, str]]

    def facts(self) -> dict[str, Any]:
        """Return what the ledger has of it."""
        return {
            "removed": [_facts(each) for each in self.removed],
            "left": [{**_facts(each), "why": why} for each, why in self.left],
        }


def remove_all(bedrock: Any, judged: Sequence[Judged], live: Callable[[], Target | None]) -> Removal:
    """Remove what is given, what serves before what it serves; nothing that `live` has come to show meanwhile.

    What the service refuses now, a model for one whose deployment is still being deleted, is left and told: it is
    found again by its tag the next time.
    """
    removed: list[Judged] = []
    left: list[tuple[Judged, str]] = []
    for each in judged:
        target = live()
        if target and each.made.arn in (target.arn, target.model_arn):
            left.append((each, "The pointer shows it since."))
            continue
        try:
            remove(bedrock, each.made.kind, each.made.arn)
        except Exception as error:
            # One that cannot go now keeps no other from going, and no run from its success.
            left.append((each, f"{error_code(error) or type(error).__name__}: {error}"))
        else:
            removed.append(each)
    return Removal(removed=removed, left=left)


def told(target: Target | None) -> Mapping[str, Any]:
    """Return what the ledger has of the pointer that was gone by."""
    return {"live": target.arn, "moved_at": target.moved_at} if target else {"live": None}


def _facts(judged: Judged) -> dict[str, Any]:
    return {**judged.made.facts(), "standing": str(judged.standing), "created": iso(judged.made.created)}

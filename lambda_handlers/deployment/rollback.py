"""Go back to what served before: for a person who asks, and by an alarm within the bake time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lambda_handlers.deployment import smoke
from lambda_handlers.protocol.clock import Clock, iso
from lambda_handlers.protocol.errors import (
    DeploymentFailed,
    InvalidRequest,
    TransientServiceError,
    error_code,
    service_errors,
)
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.names import sha256
from lambda_handlers.protocol.pointer import Pointer, project
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.protocol.targets import Earlier, Rollback, Target

ALARM_EVENT: Final = "CloudWatch Alarm State Change"
_GONE: Final = ("ResourceNotFoundException", "AccessDeniedException")
"""What a Get answers for what is not there: the policies bind it to a tag, which nothing carries any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollbacks:
    """Roll the pointer of one customization back. A run that is at work goes on, but moves it forward no more."""

    bedrock: Any
    runtime: Any
    ssm: Any
    control: ItemStore
    ledger: Ledger
    clock: Clock
    parameter: str
    prompts: Sequence[Mapping[str, Any]]
    bake: timedelta

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a person's `{action: PLAN | ROLL_BACK, to, expected, reason, claim}`, or an alarm's state change.

        Raise InvalidRequest where there is nothing to go back to, or the pointer shows something else than `expected`;
        DeploymentFailed where what would serve is gone or does not answer; TransientServiceError to try again.
        """
        if event.get("detail-type") == ALARM_EVENT:
            return self._on_alarm(event)
        to, expected = event.get("to"), event.get("expected")
        if event.get("action") == "PLAN":
            live = self._live()
            place = _destination(live, to)
            self._look(place)
            return {"status": "PLANNED", "live": asdict(live.as_earlier()), "to": asdict(place)}
        by = {"claim": str(event.get("claim") or "unknown")}
        return self.roll_back(to=to, expected=expected, reason=str(event.get("reason") or ""), by=by)

    def roll_back(
        self, *, to: str | None, expected: Mapping[str, Any] | None, reason: str, by: Mapping[str, str]
    ) -> dict[str, Any]:
        """Withdraw `expected`, by default what is live, for the target of the run `to`, by default the one before.

        Asked again for the same `expected`, nothing moves further and the answer is the same.
        """
        live = self._live()
        done = live.rollback
        if done is None or not expected or done.id != _id(expected):
            withdrawn = asdict(live.as_earlier())
            if expected and _id(expected) != _id(withdrawn):
                raise InvalidRequest(
                    f"The pointer no longer shows {expected.get('arn')}, "
                    f"but {live.arn} of run {live.run_id}: look again."
                )
            place = _destination(live, to)
            self._prepare(place)
            done = Rollback(
                id=_id(withdrawn),
                withdrawn_arn=live.arn,
                withdrawn_model_arn=live.model_arn,
                withdrawn_run_id=live.run_id,
                reason=reason,
                by=by,
                at=iso(self.clock.now()),
            )
            live = Pointer(self.control).roll_back(done, place)
        return self._record(live, done)

    def _record(self, live: Target, done: Rollback) -> dict[str, Any]:
        """Write ledger and parameter from what the pointer says, so that a repetition finishes what was cut short."""
        shown = {"arn": live.arn, "model_arn": live.model_arn, "run_id": live.run_id}
        detail = {**asdict(live.rollback or done), "name": self.parameter, "after": shown}
        self.ledger.append(run_id=done.id, event_id="pointer-rolled-back", type="pointer_rolled_back", detail=detail)
        project(self.ssm, self.parameter, live.arn)
        return {"status": "ROLLED_BACK", "rollback": done.id, "withdrawn": detail["withdrawn_arn"], "live": shown}

    def _on_alarm(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Roll back if the alarm went off within the bake time after a promotion; say why not otherwise."""
        name, at = str(event["detail"]["alarmName"]), _instant(str(event["time"]))
        target = Pointer(self.control).read()
        if target is None:
            return _ignored("nothing is in production")
        if target.rollback:
            # What was gone back to had proven itself; if it is in trouble too, that is for a person to judge.
            return _ignored(f"the pointer was rolled back already ({target.rollback.id})")
        moved = _instant(target.moved_at).replace(microsecond=0)
        if not moved <= at <= moved + self.bake:
            return _ignored(f"the alarm went off outside the bake time of {self.bake} after {target.moved_at}")
        if target.rollback_target is None:
            return _ignored("there is nothing to go back to")
        expected = asdict(target.as_earlier())
        reason = f"The alarm {name} went off within the bake time: {event['detail']['state'].get('reason', '')}"
        return self.roll_back(to=None, expected=expected, reason=reason, by={"alarm": name})

    def _live(self) -> Target:
        target = Pointer(self.control).read()
        if target is None:
            raise InvalidRequest("Nothing is in production yet, so there is nothing to roll back.")
        return target

    def _prepare(self, place: Earlier) -> None:
        """See to it that the target serves its model and answers; raise what is in the way."""
        serves = self._look(place)
        if serves == place.model_arn or not place.model_arn:
            smoke.ask_all(self.runtime, place.arn, self.prompts)
        else:
            # Updated in place since: callers are served by the present model until Bedrock has put back the other.
            self._put_back(place)

    def _look(self, place: Earlier) -> str:
        """Return the model that the target serves; raise DeploymentFailed if it cannot serve."""
        try:
            with service_errors():
                found = self._describe(place.arn)
        except Exception as error:
            if error_code(error) not in _GONE:
                raise
            raise DeploymentFailed(
                f"The deployment {place.arn} of run {place.run_id} no longer exists, or is of a deployment target that "
                "the customization had before: name another run, or start a new one."
            ) from error
        if (found.get("updateDetails") or {}).get("updateStatus") == "Updating" or found["status"] == "Updating":
            raise TransientServiceError(f"The deployment {place.arn} is being updated: try again when that is done.")
        if found["status"] not in ("Active", "InService"):
            raise DeploymentFailed(
                f"The deployment {place.arn} of run {place.run_id} is {found['status']}, not Active."
            )
        return str(found["modelArn"])

    def _describe(self, arn: str) -> Mapping[str, Any]:
        if _is_provisioned(arn):
            return dict(self.bedrock.get_provisioned_model_throughput(provisionedModelId=arn))
        return dict(self.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn))

    def _put_back(self, place: Earlier) -> None:
        try:
            with service_errors():
                self._update(place)
        except Exception as error:
            if error_code(error) not in (*_GONE, "ValidationException"):
                raise
            raise DeploymentFailed(
                f"The deployment {place.arn} cannot be given the model {place.model_arn} of run {place.run_id} back, "
                f"which may no longer exist: name another run, or start a new one. Amazon Bedrock says: {error}"
            ) from error

    def _update(self, place: Earlier) -> None:
        if _is_provisioned(place.arn):
            self.bedrock.update_provisioned_model_throughput(
                provisionedModelId=place.arn, desiredModelId=place.model_arn
            )
        else:
            self.bedrock.update_custom_model_deployment(
                customModelDeploymentIdentifier=place.arn, modelArn=place.model_arn
            )


def _destination(live: Target, to: str | None) -> Earlier:
    if to is None:
        if live.rollback_target is None:
            raise InvalidRequest(
                f"There is nothing to go back to: {live.arn} of run {live.run_id} is "
                + (
                    "the only target left that no rollback has withdrawn."
                    if live.history
                    else "the first in production."
                )
            )
        return live.rollback_target
    if to == live.run_id:
        raise InvalidRequest(f"Run {to} is in production already.")
    found = next((each for each in live.history if each.run_id == to), None)
    if found is None:
        known = ", ".join(dict.fromkeys(each.run_id for each in live.history)) or "none"
        raise InvalidRequest(f"The pointer has not shown a deployment of run {to}. It can go back to: {known}.")
    return found


def _id(withdrawn: Mapping[str, Any]) -> str:
    """Return the ledger's name of the rollback that withdraws what the pointer has shown since a certain move."""
    return f"rollback-{sha256([withdrawn.get(name) for name in ('arn', 'model_arn', 'moved_at')])[:24]}"


def _is_provisioned(arn: str) -> bool:
    return ":provisioned-model/" in arn


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _ignored(why: str) -> dict[str, Any]:
    return {"status": "IGNORED", "why": why}

"""A rollback goes back to what answers, once, and says who asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_handlers.deployment.rollback import Rollbacks
from lambda_handlers.protocol.errors import DeploymentFailed, InvalidRequest, TransientServiceError
from lambda_handlers.protocol.targets import Target
from tests.deployment.deployment_world import Account, account
from tests.emulator.sim_support import until

PARAMETER = "/nova-constructs/Nova/Support/production"
ME = "arn:aws:iam::123456789012:user/me"


@pytest.fixture
def made() -> Iterator[Account]:
    with account() as found:
        yield found


def rollbacks(made: Account, **changes: Any) -> Rollbacks:
    world = made.world
    found = Rollbacks(
        bedrock=made.bedrock, runtime=world.client("bedrock-runtime"), ssm=world.client("ssm"), control=made.control,
        ledger=made.ledger, clock=world.clock, parameter=PARAMETER, prompts=(), bake=timedelta(days=36500),
    )  # fmt: skip
    return replace(found, **changes)


def live(made: Account) -> Target:
    target = made.pointer.read()
    assert target is not None
    return target


def parameter(made: Account) -> str:
    return str(made.world.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])


def ask(made: Account, **request: Any) -> dict[str, Any]:
    return rollbacks(made).answer({"action": "ROLL_BACK", "reason": "it stammers", "claim": ME, **request})


def alarm(made: Account, *, seconds: float = 1, **changes: Any) -> dict[str, Any]:
    at = made.world.clock.now() + timedelta(seconds=seconds)
    event = {
        "detail-type": "CloudWatch Alarm State Change",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {"alarmName": "Failures", "state": {"value": "ALARM", "reason": "3 > 1"}},
    }
    return rollbacks(made, **changes).answer(event)


def test_a_plan_says_what_would_be_and_changes_nothing(made: Account) -> None:
    first, second = made.serve("r1"), made.serve("r2")
    plan = ask(made, action="PLAN")
    assert (plan["status"], plan["live"]["arn"], plan["to"]["arn"]) == ("PLANNED", second, first)
    assert (plan["live"]["run_id"], plan["to"]["run_id"]) == ("r2", "r1")
    assert (live(made).arn, made.ledger.events) == (second, [])


def test_pointer_parameter_and_ledger_tell_the_same(made: Account) -> None:
    first, second = made.serve("r1"), made.serve("r2")
    told = ask(made)
    assert (told["status"], told["withdrawn"], told["live"]["arn"]) == ("ROLLED_BACK", second, first)
    assert (live(made).arn, parameter(made)) == (first, first)
    [event] = made.ledger.events
    assert (event["type"], event["run_id"]) == ("pointer_rolled_back", told["rollback"])
    detail = event["detail"]
    assert (detail["by"], detail["reason"]) == ({"claim": ME}, "it stammers")
    assert (detail["withdrawn_run_id"], detail["after"]["run_id"]) == ("r2", "r1")


def test_a_named_run_and_the_way_forward_again(made: Account) -> None:
    for number in (1, 2, 3):
        made.serve(f"r{number}")
    assert ask(made, to="r1")["live"]["run_id"] == "r1"
    assert ask(made, to="r3")["live"]["run_id"] == "r3"


@pytest.mark.parametrize(
    ("served", "to", "says"),
    [
        (0, None, "Nothing is in production yet"),
        (1, None, "nothing to go back to: .* of run r1 is the first in production"),
        (2, "r2", "Run r2 is in production already"),
        (2, "r9", "not shown a deployment of run r9. It can go back to: r1"),
        (1, "r9", "It can go back to: none"),
    ],
)
def test_what_cannot_be_is_refused_in_words(made: Account, served: int, to: str | None, says: str) -> None:
    for number in range(1, served + 1):
        made.serve(f"r{number}")
    for action in ("PLAN", "ROLL_BACK"):
        with pytest.raises(InvalidRequest, match=says):
            ask(made, action=action, to=to)
    assert made.ledger.events == []


def test_what_was_withdrawn_is_not_gone_back_to_by_itself(made: Account) -> None:
    made.serve("r1")
    made.serve("r2")
    ask(made)
    with pytest.raises(InvalidRequest, match="the only target left that no rollback has withdrawn"):
        ask(made)


def test_repeating_goes_no_further_and_finishes_what_was_cut_short(made: Account) -> None:
    arns = [made.serve(f"r{number}") for number in (1, 2, 3)]
    expected = asdict(live(made).as_earlier())

    class Broken:
        def put_parameter(self, **_request: Any) -> None:
            raise TransientServiceError("cut short")

    with pytest.raises(TransientServiceError, match="cut short"):
        rollbacks(made, ssm=Broken()).answer({"action": "ROLL_BACK", "expected": expected})
    made.ledger.events.clear()
    first, second = ask(made, expected=expected), ask(made, expected=expected)
    assert first == second
    assert (live(made).arn, parameter(made)) == (arns[1], arns[1])
    # The ledger keeps one event of a run and id; what is recorded twice is the same.
    assert made.ledger.events[0] == made.ledger.events[1]


def test_what_somebody_else_has_moved_meanwhile_is_not_withdrawn(made: Account) -> None:
    made.serve("r1")
    made.serve("r2")
    expected = asdict(live(made).as_earlier())
    third = made.serve("r3")
    with pytest.raises(InvalidRequest, match=f"but {third} of run r3: look again"):
        ask(made, expected=expected)
    assert live(made).arn == third


def test_a_deployment_that_is_gone_is_not_gone_back_to(made: Account) -> None:
    first, second = made.serve("r1"), made.serve("r2")
    made.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=first)
    for action in ("PLAN", "ROLL_BACK"):
        with pytest.raises(DeploymentFailed, match=f"{first} of run r1 no longer exists, or is of a deployment"):
            ask(made, action=action)
    assert live(made).arn == second


def test_a_deployment_that_does_not_answer_as_it_should_is_not_gone_back_to(made: Account) -> None:
    made.serve("r1")
    second = made.serve("r2")
    prompt = {"text": "Hello?", "matches": "no model says this"}
    with pytest.raises(DeploymentFailed, match="matches no model says this"):
        rollbacks(made, prompts=(prompt,)).answer({"action": "ROLL_BACK"})
    assert (live(made).arn, made.ledger.events) == (second, [])


def test_a_deployment_updated_in_place_gets_its_model_back(made: Account) -> None:
    old, new = made.model("r1"), made.model("r2")
    arn = made.deployment("r1", old)
    made.promote("r1", arn, old)
    read = lambda: made.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)  # noqa: E731
    made.bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=arn, modelArn=new)
    with pytest.raises(InvalidRequest):
        ask(made)
    made.promote("r2", arn, new)
    until(read, lambda found: found["modelArn"] == new)
    assert ask(made)["live"] == {"arn": arn, "model_arn": old, "run_id": "r1"}
    until(read, lambda found: found["modelArn"] == old)


def test_a_model_that_is_gone_is_not_put_back(made: Account) -> None:
    old, new = made.model("r1"), made.model("r2")
    arn = made.deployment("r2", new)
    made.promote("r1", arn, old)
    made.promote("r2", arn, new)
    made.bedrock.delete_custom_model(modelIdentifier=old)
    with pytest.raises(DeploymentFailed, match=f"cannot be given the model {old} of run r1 back.*name another run"):
        ask(made)
    assert (live(made).model_arn, made.ledger.events) == (new, [])


def test_an_alarm_within_the_bake_time_rolls_back_once(made: Account) -> None:
    first, _ = made.serve("r1"), made.serve("r2")
    made.serve("r3")
    assert alarm(made)["status"] == "ROLLED_BACK"
    assert live(made).run_id == "r2"
    again = alarm(made)
    assert (again["status"], "rolled back already" in again["why"]) == ("IGNORED", True)
    assert live(made).arn != first
    [event] = made.ledger.events
    assert event["detail"]["by"] == {"alarm": "Failures"}
    assert event["detail"]["reason"] == "The alarm Failures went off within the bake time: 3 > 1"


@pytest.mark.parametrize("seconds", [-86400 * 365, 86400 * 365])
def test_an_alarm_before_the_promotion_or_after_the_bake_does_nothing(made: Account, seconds: float) -> None:
    made.serve("r1")
    second = made.serve("r2")
    told = alarm(made, seconds=seconds, bake=timedelta(days=30))
    assert (told["status"], "outside the bake time" in told["why"]) == ("IGNORED", True)
    assert live(made).arn == second


def test_an_alarm_with_nothing_to_go_back_to_does_nothing(made: Account) -> None:
    assert alarm(made)["why"] == "nothing is in production"
    made.serve("r1")
    assert alarm(made)["why"] == "there is nothing to go back to"

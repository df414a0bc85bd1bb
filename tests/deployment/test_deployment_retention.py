"""Retention keeps exactly what it says, and never what anybody may still need."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_handlers.deployment import inventory
from lambda_handlers.deployment.inventory import Kind, Made
from lambda_handlers.deployment.retention import Retention, Standing, remove_all
from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import LockLost
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.runs import open_run
from lambda_handlers.protocol.targets import Earlier, Rollback, Target
from tests.deployment.deployment_world import CUSTOMIZATION, SLUG, Account, account


@pytest.fixture
def made() -> Iterator[Account]:
    with account() as found:
        yield found


def names(*numbers: int) -> list[str]:
    return sorted(f"r{number}" for number in numbers)


def standings(made: Account, *, keep: int = 3, minutes: float = 0, open_runs: tuple[str, ...] = ()) -> dict[str, str]:
    """Return where each thing stands, by the first letter of its kind and the run that made it."""
    rule = Retention(
        keep=keep, grace=timedelta(minutes=minutes), target=made.pointer.read(), open_runs=open_runs,
        now=made.world.clock.now(),
    )  # fmt: skip
    judged = rule.judge(inventory.take(made.bedrock, CUSTOMIZATION))
    return {f"{each.made.kind[0]} {each.made.name.removeprefix(f'{SLUG}-')}": str(each.standing) for each in judged}


def roll_back(made: Account) -> None:
    target = made.pointer.read()
    assert target is not None
    assert target.rollback_target is not None
    asked = Rollback(
        id=f"rollback-{target.run_id}", withdrawn_arn=target.arn, withdrawn_model_arn=target.model_arn,
        withdrawn_run_id=target.run_id, reason="r", by={}, at="2026-11-22T10:00:00.000000Z",
    )  # fmt: skip
    made.pointer.roll_back(asked, target.rollback_target)


@pytest.mark.parametrize(("keep", "kept"), [(1, 2), (2, 2), (3, 3), (5, 5)])
def test_of_ten_runs_the_last_few_stay_and_at_least_the_live_one_and_the_one_before(
    made: Account, keep: int, kept: int
) -> None:
    for number in range(10):
        arn = made.serve(f"r{number}", keep=keep)
        expected = names(*range(max(0, number - kept + 1), number + 1))
        assert made.left() == (expected, expected)
        answer = made.world.client("bedrock-runtime").converse(
            modelId=arn, messages=[{"role": "user", "content": [{"text": "Hello?"}]}]
        )
        assert answer["output"]["message"]["content"][0]["text"]
    last = made.ledger.events[-1]
    assert (last["type"], last["run_id"], last["detail"]["live"]) == ("models_retired", "r9", arn)
    gone = [(each["kind"], each["name"], each["standing"]) for each in last["detail"]["removed"]]
    name = f"{SLUG}-r{9 - kept}"
    assert gone == [("deployment", name, "retired"), ("model", name, "retired")]


def test_what_an_open_run_has_made_stays_and_what_a_failed_one_left_goes(made: Account) -> None:
    made.serve("r1")
    open_run(made.control, "r2", "arn:r2", made.world.clock.now())
    made.deployment("r2", made.model("r2"))
    made.deployment("r3", made.model("r3"))
    made.model("r4")
    found = standings(made, open_runs=("r2",))
    assert found == {
        "d r1": "live", "m r1": "live", "d r2": "open run", "m r2": "open run", "d r3": "orphan", "m r3": "orphan",
        "m r4": "orphan",
    }  # fmt: skip
    made.serve("r5", keep=3)
    assert made.left() == (names(1, 2, 5), names(1, 2, 5))


def test_an_orphan_younger_than_the_bake_time_stays(made: Account) -> None:
    made.serve("r1")
    made.model("r2")
    assert standings(made, minutes=60 * 24 * 365)["m r2"] == "recent"
    assert standings(made)["m r2"] == "orphan"


def test_after_a_rollback_the_live_one_and_its_own_way_back_stay(made: Account) -> None:
    for number in range(1, 5):
        made.serve(f"r{number}")
    roll_back(made)
    assert standings(made, keep=1) == {
        "d r3": "live", "m r3": "live", "d r2": "rollback", "m r2": "rollback", "d r4": "retired", "m r4": "retired",
        "d r1": "retired", "m r1": "retired",
    }  # fmt: skip
    assert standings(made, keep=2)["d r4"] == "kept"


def test_the_models_of_a_deployment_updated_in_place_are_kept_for_its_rollback(made: Account) -> None:
    models = [made.model(f"r{number}") for number in range(1, 4)]
    arn = made.deployment("r1", models[0])
    for number, model in enumerate(models, start=1):
        made.promote(f"r{number}", arn, model)
    found = standings(made, keep=1)
    # The deployment has not been updated here: the first model is still what it serves.
    assert found == {"d r1": "live", "m r1": "in use", "m r2": "rollback", "m r3": "live"}


def test_things_of_others_are_not_looked_at_and_what_no_run_made_stays(made: Account) -> None:
    made.serve("r1")
    made.model("theirs", customization="Nova/Other")
    mine = made.model("by-hand", customization=CUSTOMIZATION)
    made.bedrock.untag_resource(resourceARN=mine, tagKeys=["nova-constructs:run"])
    made.serve("r2", keep=1)
    assert made.left() == (["by-hand", "r1", "r2", "theirs"], ["r1", "r2"])


def test_a_model_that_somebody_else_serves_is_left_and_told_and_goes_once_it_is_free(made: Account) -> None:
    for number in (1, 2):
        made.serve(f"r{number}")
    model = made.model("r0")
    foreign = made.deployment("foreign", model, tags=[])
    made.serve("r3", keep=2)
    left = made.ledger.events[-1]["detail"]["left"]
    assert [(each["name"], each["why"].split(":")[0]) for each in left] == [(f"{SLUG}-r0", "ConflictException")]
    made.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=foreign)
    made.serve("r4", keep=2)
    assert made.left() == (names(3, 4), names(3, 4))


def test_provisioned_throughput_under_commitment_stays_with_its_model(made: Account) -> None:
    made.serve("r1")
    model = made.model("r0")
    for name, more in (("bound", {"commitmentDuration": "OneMonth"}), ("free", {})):
        made.bedrock.create_provisioned_model_throughput(
            modelUnits=1, provisionedModelName=f"{SLUG}-{name}", modelId=model, tags=made.tags("r0"), **more
        )
    listed = lambda: made.bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]  # noqa: E731
    from tests.emulator.sim_support import until

    until(listed, lambda found: {each["status"] for each in found} == {"InService"})
    found = standings(made)
    assert (found["p bound"], found["p free"], found["m r0"]) == ("committed", "orphan", "in use")
    made.serve("r2", keep=2)
    assert [each["provisionedModelName"] for each in listed()] == [f"{SLUG}-bound"]
    assert made.left()[0] == ["r0", "r1", "r2"]
    month = made.world.clock.now() + timedelta(days=31)
    rule = Retention(keep=1, grace=timedelta(0), target=made.pointer.read(), open_runs=(), now=month)
    judged = rule.judge(inventory.take(made.bedrock, CUSTOMIZATION))
    assert {str(each.standing) for each in judged if each.made.run_id == "r0"} == {"orphan"}


def test_nothing_is_removed_that_the_pointer_has_come_to_show_meanwhile(made: Account) -> None:
    for number in range(1, 4):
        made.serve(f"r{number}")
    rule = Retention(keep=1, grace=timedelta(0), target=made.pointer.read(), open_runs=(), now=made.world.clock.now())
    doomed = [each for each in rule.judge(inventory.take(made.bedrock, CUSTOMIZATION)) if each.removable]
    assert {each.made.name for each in doomed} == {f"{SLUG}-r1"}
    roll_back(made)
    roll_back(made)
    removal = remove_all(made.bedrock, doomed, made.pointer.read)
    assert [why for _, why in removal.left] == ["The pointer shows it since."] * 2
    assert made.left()[1] == names(1, 2, 3)


class Refusing:
    """A Bedrock that answers nothing."""

    def __getattr__(self, operation: str) -> Any:
        def refuse(**_request: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

        return refuse


def test_a_run_does_not_fail_for_what_could_not_be_retired(made: Account) -> None:
    generation = RunLock(made.control).acquire("r1", "arn:r1", made.world.clock.now())
    event = {
        "run": {
            "id": "r1", "execution_arn": "e", "state_machine_arn": "s", "started_at": "t", "lock_generation": generation
        },
        "config": {"keep": 3, "bake_minutes": 0, "provisioned": False},
    }  # fmt: skip
    told = made.retiring(Refusing()).retire(event)
    assert told["trouble"].startswith("ClientError: ")
    assert made.ledger.events[-1]["detail"]["trouble"] == told["trouble"]
    event["run"]["lock_generation"] = generation + 1
    with pytest.raises(LockLost):
        made.retiring(Refusing()).retire(event)


def test_what_is_still_being_made_stays(made: Account) -> None:
    now = made.world.clock.now()
    creating = Made(
        kind=Kind.DEPLOYMENT, arn="a", name="n", model_arn="m", status="Creating", created=now, run_id="gone"
    )
    rule = Retention(keep=3, grace=timedelta(0), target=None, open_runs=(), now=now)
    assert [each.standing for each in rule.judge([creating])] == [Standing.OPEN_RUN]


@pytest.mark.parametrize(
    ("place", "keep", "days", "standing"),
    [
        (0, 1, 1, Standing.ROLLBACK), (1, 3, 1, Standing.KEPT), (1, 2, 1, Standing.COMMITTED),
        (1, 2, -1, Standing.RETIRED), (None, 3, 1, Standing.COMMITTED), (None, 3, -1, Standing.ORPHAN),
    ],
)  # fmt: skip
def test_what_is_committed_is_not_retired_before_its_commitment_ends(
    place: int | None, keep: int, days: int, standing: Standing
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    history = tuple(Earlier(arn=f"d{each}", model_arn="m", run_id="r", moved_at=iso(now)) for each in range(3))
    target = Target(
        arn="live", model_arn="m", run_id="r", generation=1, moved_at=iso(now), previous="d0", previous_model_arn="m",
        history=history,
    )  # fmt: skip
    bought = Made(
        kind=Kind.PROVISIONED, arn="other" if place is None else f"d{place}", name="n", model_arn="m",
        status="InService", created=now, run_id="r", units=1, committed_until=now + timedelta(days=days),
    )  # fmt: skip
    rule = Retention(keep=keep, grace=timedelta(0), target=target, open_runs=(), now=now)
    assert [each.standing for each in rule.judge([bought])] == [standing]

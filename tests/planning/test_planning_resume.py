"""Which run can be resumed, what is told of one that cannot, and what the plan says of one that can."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.protocol.errors import InvalidRequest
from tests.planning.planning_world import CONFIG, World


@pytest.fixture
def world() -> World:
    return World()


def ended(world: World, name: str, status: str, **asked: Any) -> dict[str, Any]:
    planned = world.plan(name, **asked)
    _close(world, name, status)
    return planned


def _close(world: World, name: str, status: str) -> None:
    world.ledger.append(run_id=name, event_id="run_closed", type="run_closed", detail={"status": status})
    world.close(name, status)


def refusal(world: World, resume: str) -> str:
    with pytest.raises(InvalidRequest) as told:
        world.plan("again", resume=resume)
    return str(told.value)


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "REJECTED"])
def test_a_run_that_ended_before_its_goal_is_resumed(world: World, status: str) -> None:
    first = ended(world, "run-1", status)
    again = world.plan("run-2", resume="run-1")
    assert (again["plan"]["decision"], again["plan"]["resume"]) == ("RUN", "run-1")
    assert (first["run"]["resumes"], again["run"]["resumes"]) == ([], ["run-1"])


def test_what_the_resumed_run_resumed_itself_is_looked_at_too(world: World) -> None:
    ended(world, "run-1", "FAILED")
    ended(world, "run-2", "FAILED", resume="run-1")
    assert world.plan("run-3", resume="run-2")["run"]["resumes"] == ["run-2", "run-1"]


def test_a_chain_has_an_end(world: World) -> None:
    ended(world, "run-0", "FAILED")
    for number in range(1, 25):
        planned = ended(world, f"run-{number}", "FAILED", resume=f"run-{number - 1}")
    assert planned["run"]["resumes"] == [f"run-{number}" for number in range(23, 3, -1)]


def test_settings_may_be_others_by_now(world: World) -> None:
    ended(world, "run-1", "FAILED")
    other = {**CONFIG, "gate": {"criteria": []}}
    assert world.plan("run-2", config=other, resume="run-1")["run"]["resumes"] == ["run-1"]


def test_a_run_that_still_goes_cannot_be_resumed(world: World) -> None:
    world.plan("run-1")
    assert "run-1 is still going" in refusal(world, "run-1")


@pytest.mark.parametrize(("status", "word"), [("SUCCEEDED", "it succeeded"), ("SKIPPED", "was skipped")])
def test_where_there_is_nothing_to_resume_that_is_said(world: World, status: str, word: str) -> None:
    ended(world, "run-1", status)
    text = refusal(world, "run-1")
    assert word in text
    assert "nothing to resume" in text


def test_an_unknown_run_is_named(world: World) -> None:
    assert "there is no run nowhere of this customization" in refusal(world, "nowhere")


def test_a_run_that_ended_before_its_plan_was_ready_left_nothing(world: World) -> None:
    _close(world, "run-1", "FAILED")
    assert "ended before it had done anything" in refusal(world, "run-1")


def test_nothing_is_taken_on_the_word_of_a_record_that_was_changed(world: World) -> None:
    ended(world, "run-1", "FAILED")
    ended(world, "run-2", "FAILED", resume="run-1")
    item = next(each for each in world.ledger.store.items.values() if each["run_id"] == "run-1")
    item["detail"] = str(item["detail"]).replace("NOVA_LITE_2", "NOVA_PRO")
    assert "the record of run run-1 is not as it was written" in refusal(world, "run-2")


def test_a_run_of_another_customization_is_refused(world: World) -> None:
    ended(world, "run-1", "FAILED", config={**CONFIG, "customization": "theirs"})
    assert "another customization" in refusal(world, "run-1")


def test_a_resumed_run_is_kept_out_like_any_other(world: World) -> None:
    ended(world, "run-1", "FAILED")
    ended(world, "run-2", "SUCCEEDED")
    assert world.plan("run-3", resume="run-1")["plan"]["decision"] == "SKIP"

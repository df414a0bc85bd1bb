"""The evaluation set of a run: the rows are those of the set, less what is faulty or was trained on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from lambda_handlers.protocol.errors import EvaluationFailed
from tests.evaluation.evaluation_world import PLAN, SET, World, chat, lines, question


@pytest.fixture
def world() -> World:
    return World()


def rows_of(world: World, frozen: dict[str, Any]) -> list[str]:
    return [json.loads(line)["query"] for line in world.s3.objects[frozen["uri"]].splitlines()]


def test_a_set_is_written_where_the_container_looks_for_it(world: World) -> None:
    frozen = world.freeze(question("a?"), question("b?"))
    body = world.s3.objects["s3://prepared/runs/run-1/evaluation-sets/gen_qa/gen_qa.jsonl"]
    assert frozen["uri"] == "s3://prepared/runs/run-1/evaluation-sets/gen_qa/gen_qa.jsonl"
    assert (frozen["rows"], frozen["sha256"]) == (2, hashlib.sha256(body).hexdigest())
    assert [event["type"] for event in world.ledger.events] == ["evaluation_sets_frozen"]


def test_the_rows_are_those_of_the_version_that_the_plan_took_into_account(world: World) -> None:
    planned = lines(question("planned?"), question("twice?"))
    world.s3.objects[f"{SET}?v0"] = planned
    plan = {**PLAN, "evaluation_sets": {"gen_qa": {"uri": SET, "version_id": "v0", "bytes": len(planned)}}}
    assert rows_of(world, world.freeze(question("replaced?"), plan=plan)) == ["planned?", "twice?"]


def test_rows_that_production_was_trained_on_are_left_out_however_they_are_written(world: World) -> None:
    world.trained("run-0", "What is  IT?", "other?")
    world.trained("aside", "b?")
    world.promote("run-0")
    frozen = world.freeze(question("what is it?"), question("b?"))
    assert rows_of(world, frozen) == ["b?"]
    assert (frozen["left_out"], frozen["trained_by"]) == ({"faulty": 0, "trained_on": 1}, ["run-0"])


def test_a_run_before_the_base_run_counts_too(world: World) -> None:
    world.trained("first", "a?")
    world.trained("second", "b?", base_run="first")
    frozen = world.freeze(
        question("a?"), question("b?"), question("c?"), plan={**PLAN, "start": {"base_run": "second"}}
    )
    assert (rows_of(world, frozen), frozen["trained_by"]) == (["c?"], ["first", "second"])


def test_the_rows_of_a_model_that_is_evaluated_by_itself_are_left_out(world: World) -> None:
    world.trained("run-0", "a?")
    model = {"kind": "run", "model_path": "s3://escrow", "run_id": "run-0"}
    assert rows_of(world, world.freeze(question("a?"), question("b?"), plan={**PLAN, "model": model})) == ["b?"]


def test_the_rows_that_the_run_itself_trains_on_are_left_out(world: World) -> None:
    world.trained("run-1", "a?")
    frozen = world.freeze(question("a?"), question("b?"))
    assert (rows_of(world, frozen), frozen["trained_by"]) == (["b?"], ["run-1"])


def test_test_rows_that_training_has_too_are_left_out(world: World) -> None:
    world.trained("run-1", "a?", "d?")
    world.s3.objects["s3://prepared/runs/run-1/test.jsonl"] = lines(chat("a?", "A"), chat("b?", "B"))
    assert rows_of(world, world.freeze(task=HELD_OUT)) == ["b?"]


def test_a_training_row_that_asks_by_a_picture_alone_leaves_nothing_out(world: World) -> None:
    world.trained("run-0", "a?")
    world.promote("run-0")
    picture = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://prepared/a.png"}}}}
    row = {
        **chat("", "a cat"),
        "messages": [{"role": "user", "content": [picture]}, *chat("", "a cat")["messages"][1:]],
    }
    world.s3.objects["s3://prepared/runs/run-0/train.jsonl"] += lines(row)
    assert rows_of(world, world.freeze(question("a?"), question("b?"))) == ["b?"]


def test_a_set_of_which_nothing_is_left_fails_in_words(world: World) -> None:
    world.trained("run-0", "a?")
    world.promote("run-0")
    with pytest.raises(EvaluationFailed, match=r"no rows left of s3://.*: 1 were trained on by run-0\."):
        world.freeze(question("a?"))
    assert "s3://prepared/runs/run-1/evaluation-sets/gen_qa/gen_qa.jsonl" not in world.s3.objects


def test_faulty_rows_are_left_out_up_to_their_share(world: World) -> None:
    frozen = world.freeze(question("a?"), question("b?"), {"query": "c?"})
    assert (frozen["rows"], frozen["left_out"]["faulty"]) == (2, 1)
    with pytest.raises(EvaluationFailed, match=r"has 2 faulty rows of 3, .* share of 0\.5 .*; row 2 \(line 2\): "):
        world.freeze(question("a?"), {"query": "b?"}, {"query": "c?"})


HELD_OUT = {"held_out": True, "dataset_uri": None}


def test_test_rows_become_questions(world: World) -> None:
    world.s3.objects["s3://prepared/runs/run-1/test.jsonl"] = lines(chat("a?", "A"), chat("b?", "B", "c?", "C"))
    frozen = world.freeze(task=HELD_OUT)
    # A conversation of several questions is none for gen_qa.
    assert (rows_of(world, frozen), frozen["left_out"]["faulty"]) == (["a?"], 1)


def test_a_model_that_no_run_is_known_to_have_trained_has_no_test_rows(world: World) -> None:
    model = {"kind": "checkpoint", "model_path": "s3://escrow/step_4", "run_id": None}
    with pytest.raises(EvaluationFailed, match="no run is known to have trained s3://escrow/step_4"):
        world.freeze(task=HELD_OUT, plan={**PLAN, "model": model})
    world.s3.objects["s3://prepared/runs/run-0/test.jsonl"] = lines(chat("a?", "A"))
    world.trained("run-0")
    frozen = world.freeze(task=HELD_OUT, plan={**PLAN, "model": {**model, "run_id": "run-0"}})
    assert frozen["source_uri"] == "s3://prepared/runs/run-0/test.jsonl"

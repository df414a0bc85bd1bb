"""What holds of the gate for any scores."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.gate_support import decide

TASKS = ("mmlu", "gpqa", "ifeval")
MODELS = ("candidate", "production", "base")
SCORES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.7, 0.75, 1.0]))
LIMITS = st.one_of(st.floats(0, 0.5), st.sampled_from([0.0, 0.02, 0.05]))
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.95, 0.99, 0.9999])

CRITERIA = st.lists(
    st.one_of(
        st.fixed_dictionaries({"task": st.sampled_from(TASKS), "floor": SCORES}),
        st.fixed_dictionaries(
            {
                "kind": st.sampled_from(["not_worse_than_production", "better_than_base"]),
                "task": st.sampled_from(TASKS),
                "margin": LIMITS,
                "confidence": CONFIDENCES,
            }
        ),
        st.fixed_dictionaries(
            {"kind": st.just("minimum_samples"), "task": st.sampled_from(TASKS), "samples": st.integers(1, 60)}
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("general_ability"),
                "task": st.sampled_from(TASKS),
                "drop": LIMITS,
                "against": st.sampled_from(["base", "production"]),
            }
        ),
    ),
    min_size=1,
    max_size=4,
)
_ERRORS = st.one_of(st.none(), st.just(0.0), st.floats(0, 0.3))


@st.composite
def evaluations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return records of each task and model, some of them missing."""
    found = []
    for task in TASKS:
        samples = draw(st.sampled_from([None, 1, 10, 50, 2000]))
        for model in draw(st.sets(st.sampled_from(MODELS), min_size=1)):
            error = draw(_ERRORS)
            found.append(
                {
                    "task": task,
                    "model": model,
                    "metrics": {"accuracy": draw(SCORES)},
                    "stderr": {} if error is None else {"accuracy": error},
                    "samples": samples,
                }
            )
    return found


def passes(criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool) -> bool:
    decision = decide(criteria, records, has_production=has_production, evaluated=[(TASKS[0], None)])
    json.dumps(decision, allow_nan=False)
    return bool(decision["verdict"] == "PASSED")


MANY = settings(max_examples=100, deadline=None)


@MANY
@given(CRITERIA, evaluations(), st.booleans(), st.data())
def test_raising_a_score_never_turns_pass_into_fail(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool, data: st.DataObject
) -> None:
    better = copy.deepcopy(records)
    for each in better:
        if each["model"] == "candidate":
            each["metrics"]["accuracy"] = data.draw(st.floats(each["metrics"]["accuracy"], 1))
    assert passes(criteria, better, has_production) or not passes(criteria, records, has_production)


@MANY
@given(SCORES, SCORES, SCORES, st.integers(1, 3000), LIMITS, CONFIDENCES, st.booleans())
def test_raising_a_share_never_turns_pass_into_fail(
    one: float, two: float, other: float, samples: int, margin: float, confidence: float, better: bool
) -> None:
    kind = "better_than_base" if better else "not_worse_than_production"
    criteria = [{"kind": kind, "task": "mmlu", "margin": margin, "confidence": confidence}]

    def verdict(score: float) -> bool:
        scores = {"candidate": score, "production": other, "base": other}
        return passes(
            criteria,
            [{"task": "mmlu", "model": m, "metrics": {"accuracy": s}, "samples": samples} for m, s in scores.items()],
            True,
        )

    assert verdict(max(one, two)) or not verdict(min(one, two))


@MANY
@given(CRITERIA, evaluations(), st.booleans(), st.data())
def test_removing_a_result_never_turns_fail_into_pass(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool, data: st.DataObject
) -> None:
    gone = data.draw(st.integers(0, len(records) - 1))
    fewer = records[:gone] + records[gone + 1 :]
    assert passes(criteria, records, has_production) or not passes(criteria, fewer, has_production)
    emptied = [{**each, "metrics": {}} if number == gone else each for number, each in enumerate(records)]
    assert passes(criteria, records, has_production) or not passes(criteria, emptied, has_production)


@MANY
@given(CRITERIA, evaluations(), st.booleans(), st.data())
def test_the_order_changes_nothing(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records))
    turned = data.draw(st.permutations(criteria))
    assert passes(turned, shuffled, has_production) == passes(criteria, records, has_production)
    assert (
        decide(criteria, shuffled, has_production=has_production)
        == decide(criteria, records, has_production=has_production)
    )  # fmt: skip


@MANY
@given(CRITERIA, evaluations(), st.booleans(), st.data())
def test_asking_for_more_never_turns_fail_into_pass(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool, data: st.DataObject
) -> None:
    stricter = [dict(each) for each in criteria]
    for each in stricter:
        if each.get("kind") == "not_worse_than_production":
            each["margin"] = data.draw(st.floats(0, each["margin"]))
        elif each.get("kind") == "better_than_base":
            each["margin"] = data.draw(st.floats(each["margin"], 1))
        elif each.get("kind") == "minimum_samples":
            each["samples"] += data.draw(st.integers(0, 3000))
        elif each.get("kind") == "general_ability":
            each["drop"] = data.draw(st.floats(0, each["drop"]))
        else:
            each["floor"] = data.draw(st.floats(each["floor"], 2))
    assert passes(criteria, records, has_production) or not passes(stricter, records, has_production)


@MANY
@given(CRITERIA, evaluations(), st.booleans())
def test_leaving_out_a_criterion_never_turns_pass_into_fail(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool
) -> None:
    assert passes(criteria[:1], records, has_production) or not passes(criteria, records, has_production)


@MANY
@given(CRITERIA, evaluations(), st.booleans(), st.sampled_from(["nan", "inf", "-inf"]))
def test_a_score_that_is_no_number_never_passes(
    criteria: list[dict[str, Any]], records: list[dict[str, Any]], has_production: bool, broken: str
) -> None:
    for each in records:
        each["metrics"]["accuracy"] = float(broken)
    assert not passes([*criteria, {"task": "mmlu", "floor": 0}], records, has_production)


@MANY
@given(st.lists(st.floats(-1, 2, allow_nan=False), min_size=1, max_size=4), st.floats(0, 1))
def test_a_candidate_passes_exactly_when_every_score_reaches_its_floor(values: list[float], floor: float) -> None:
    criteria = [{"task": "mmlu", "subtask": str(number), "floor": floor} for number in range(len(values))]
    records = [
        {"task": "mmlu", "subtask": str(number), "model": "candidate", "metrics": {"accuracy": value}}
        for number, value in enumerate(values)
    ]
    assert (decide(criteria, records)["verdict"] == "PASSED") == all(value >= floor for value in values)

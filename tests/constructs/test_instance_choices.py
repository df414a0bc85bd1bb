"""Alternatives to the instances of a platform: what is refused, what is warned of, and what reaches the workflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Annotations, Match

from nova_constructs import InstanceChoice, TrainingJobs
from nova_constructs.app import FEATURE_FLAGS, props
from nova_constructs.customization import NovaCustomization
from nova_constructs.settings import SettingsError
from tests.constructs.conftest import _definition

P3 = "ml.p3.16xlarge"
P5 = {"instance_type": "ml.p5.48xlarge", "instance_count": 4}
Synthesize = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("alternatives", "message"),
    [
        ([{**P5, "instance_count": n} for n in range(5, 10)], "platform.alternatives: "),
        ([{"instance_type": P3}], "'instance_count' is a required property"),
        ([{**P5, "count": 1}], "'count' was unexpected"),
        ([{**P5, "instance_count": 0}], "0 is less than the minimum of 1"),
    ],
)
def test_a_settings_file_with_bad_alternatives_is_refused(
    synthesize: Synthesize, entry: dict[str, Any], alternatives: list[Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        synthesize({**entry, "platform": {**entry["platform"], "alternatives": alternatives}})


def test_alternatives_in_code_are_held_to_the_same_limits() -> None:
    alternatives = [InstanceChoice(instance_type=P3, instance_count=count) for count in range(5)]
    platform = TrainingJobs(instance_type=P3, instance_count=9, alternatives=alternatives)
    assert platform.problems() == [
        "alternatives has 5 entries: use at most 4",
        "alternatives has 0 x ml.p3.16xlarge: use an instance_count of 1 or more",
    ]


def test_alternatives_reach_the_functions_and_the_retries_of_their_states(
    synthesize: Synthesize, entry: dict[str, Any]
) -> None:
    other = {"instance_type": "ml.p5en.48xlarge", "instance_count": 8}
    platform = {**entry["platform"], "alternatives": [other]}
    template = synthesize({**entry, "platform": platform, "evaluation": [{"task": "mmlu"}]})
    states = _definition(template["Nova-Support"])["States"]
    train = states["Train"]
    assert train["Parameters"]["Payload"]["config"]["training"]["alternatives"] == [other]
    assert states["PlanRun"]["Parameters"]["config"]["training"]["alternatives"] == [other]
    [capacity] = [retry for retry in train["Retry"] if "CapacityUnavailable" in retry["ErrorEquals"]]
    assert capacity == {
        "ErrorEquals": ["CapacityUnavailable", "QuotaExceeded"],
        "IntervalSeconds": 30,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 7,
    }
    [branch] = states["Evaluate"]["Branches"]
    retries = branch["States"]["Evaluate-mmlu"]["Retry"]
    [alone] = [retry for retry in retries if "CapacityUnavailable" in retry["ErrorEquals"]]
    assert (alone["ErrorEquals"], alone["MaxAttempts"]) == (["CapacityUnavailable"], 3)


def test_an_undocumented_alternative_is_warned_of(entry: dict[str, Any]) -> None:
    alternatives = [{"instance_type": P3, "instance_count": 4}]
    stack = Stack(App(context=FEATURE_FLAGS, analytics_reporting=False), "Warned")
    given = {name: value for name, value in entry.items() if name != "name"}
    NovaCustomization(
        stack, "Support", **props({**given, "platform": {**entry["platform"], "alternatives": alternatives}})
    )
    [warned] = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("ml.p3.16xlarge"))
    assert "instances-training-0" in json.dumps(warned.entry.data)

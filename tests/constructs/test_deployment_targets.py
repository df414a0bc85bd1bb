"""Targets as they are given: what is refused at synth, what is told, what the functions read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack

from nova_constructs.checks import ConfigurationError
from nova_constructs.deployment_checks import deployment_problems
from nova_constructs.deployment_targets import (
    NoDeployment,
    OnDemand,
    ProvisionedThroughput,
    SmokePrompt,
    target_from_settings,
)
from nova_constructs.settings import SettingsError

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (OnDemand(mode="REPLACE"), "deployment.mode is 'REPLACE': use SWAP, UPDATE_IF_EXISTS, FAIL_IF_EXISTS"),
        (OnDemand(name="mine"), "deployment.name is given, but mode SWAP names"),
        (OnDemand(mode="UPDATE_IF_EXISTS", name="a--b"), "deployment.name is 'a--b'"),
        (OnDemand(mode="UPDATE_IF_EXISTS", name="-a"), "deployment.name is '-a'"),
        (OnDemand(mode="UPDATE_IF_EXISTS", name="a" * 64), "deployment.name is 'aaaa"),
        (OnDemand(smoke=[SmokePrompt(text="ok"), SmokePrompt(text=" ", matches="(")]), "deployment.smoke 2: text is"),
        (OnDemand(smoke=[SmokePrompt(text="ok", matches="(")]), "which is no regular expression"),
        (
            OnDemand(smoke=[SmokePrompt(text="?" * 1000)] * 3),
            "bytes as JSON: use at most 3000, fewer or shorter prompts",
        ),
        (OnDemand(smoke=[SmokePrompt(text="ok", max_tokens=0, within_seconds=0)]), "max_tokens is 0"),
        (
            OnDemand(model_key_arn="alias/models"),
            "deployment.model_key_arn is 'alias/models': use the ARN of a KMS key",
        ),
        (OnDemand(model_key_arn=KEY.replace("key/", "alias/")), "Amazon Bedrock takes no alias"),
        (OnDemand(model_key_arn=KEY.rpartition("/")[2]), "and no bare id"),
        (OnDemand(model_package_groups=["mine", "a--b-", "x/1"]), "deployment.model_package_groups has 'a--b-'"),
        (OnDemand(model_package_groups=["x/1"]), "deployment.model_package_groups has 'x/1'"),
        (ProvisionedThroughput(model_units=0), "deployment.model_units is 0: use 1 or more"),
        (ProvisionedThroughput(model_units=1, commitment="OneMonth"), "use ONE_MONTH or SIX_MONTHS"),
        (ProvisionedThroughput(model_units=1, usd_per_unit_hour=0), "usd_per_unit_hour is 0"),
    ],
)
def test_what_cannot_be_is_told_in_words(target: OnDemand, told: str) -> None:
    assert any(told in problem for problem in target.problems()), list(target.problems())


@pytest.mark.parametrize("name", ["a", "a-b_c", "A" * 63, "a" + "-b" * 31])
def test_names_that_bedrock_takes(name: str) -> None:
    assert list(OnDemand(mode="FAIL_IF_EXISTS", name=name).problems()) == []


def test_the_name_by_default_is_the_customizations() -> None:
    assert OnDemand(mode="UPDATE_IF_EXISTS").config("demo-1")["name"] == "demo-1"
    assert OnDemand(mode="UPDATE_IF_EXISTS", name="mine").config("demo-1")["name"] == "mine"
    assert OnDemand().config("demo-1")["name"] is None


def test_provisioned_throughput_tells_what_an_hour_costs() -> None:
    [(name, text)] = ProvisionedThroughput(model_units=2, usd_per_unit_hour=20).warnings()
    assert name == "provisioned-throughput"
    assert "2 model units costs 40.00 USD in every hour" in text
    assert "both are billed" in text
    [(_, text)] = ProvisionedThroughput(model_units=1, commitment="ONE_MONTH", mode="UPDATE_IF_EXISTS").warnings()
    assert "your price of a unit" in text
    assert "cannot be deleted before its commitment (ONE_MONTH) ends" in text
    assert "both are billed" not in text


def test_settings_become_targets() -> None:
    found = target_from_settings(
        {"target": "BEDROCK_PT", "model_units": 2, "smoke": [{"text": "?"}], "deployment_deadline_hours": 1}
    )
    assert isinstance(found, ProvisionedThroughput)
    assert (found.model_units, found.smoke, found.deployment_deadline.to_hours()) == (2, [SmokePrompt(text="?")], 1)
    assert isinstance(target_from_settings({"target": "NONE"}), NoDeployment)
    with pytest.raises(SettingsError, match=r"deployment\.model_units: missing"):
        target_from_settings({"target": "BEDROCK_PT"})
    with pytest.raises(SettingsError, match=r"deployment\.model_units: target BEDROCK_OD does not take it"):
        target_from_settings({"target": "BEDROCK_OD", "model_units": 1})


def test_full_rank_is_served_by_provisioned_throughput_alone(
    definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="only with provisioned throughput; use deployment target BEDROCK_PT"):
        definition_of({**entry, "method": "SFT_FULL"})
    served = {"target": "BEDROCK_PT", "model_units": 1}
    assert "DeployModel" in definition_of({**entry, "method": "SFT_FULL", "deployment": served})["States"]


@pytest.mark.parametrize(
    ("settings", "states"),
    [
        ({"target": "BEDROCK_OD", "mode": "FAIL_IF_EXISTS"}, {"ChooseDeployment", "DeployModel"}),
        (
            {"target": "BEDROCK_OD", "mode": "UPDATE_IF_EXISTS"},
            {"ChooseDeployment", "DeployModel", "DeployCandidate", "SmokeCandidate", "UpdateDeployment"},
        ),
        (
            {"target": "BEDROCK_PT", "model_units": 1, "mode": "UPDATE_IF_EXISTS"},
            {"ChooseDeployment", "DeployModel", "UpdateDeployment"},
        ),
    ],
)
def test_each_mode_has_the_states_it_needs(
    definition_of: Callable[..., dict[str, Any]], entry: dict[str, Any], settings: dict[str, Any], states: set[str]
) -> None:
    made = definition_of({**entry, "deployment": settings})["States"]
    every = {"ChooseDeployment", "DeployModel", "DeployCandidate", "SmokeCandidate", "UpdateDeployment"}
    assert every & set(made) == states
    action = made["DeploymentAction"]
    assert action["Default"] == "PromoteDeployment"
    ways = {choice["StringEquals"]: choice["Next"] for choice in action["Choices"]}
    assert ways["CREATE"] == "DeployModel"
    if "DeployCandidate" in states:
        chain = ["DeployCandidate", "SmokeCandidate", "UpdateDeployment", "RemoveCandidate", "PromoteDeployment"]
        assert ways["UPDATE"] == chain[0]
        assert [made[name]["Next"] for name in chain[:-1]] == chain[1:]


@pytest.mark.parametrize(("region", "problems"), [("eu-west-2", 1), ("us-east-1", 0), ("mars-1", 0)])
def test_a_region_without_on_demand_support_is_told_with_what_there_is(region: str, problems: int) -> None:
    stack = Stack(App(), "Nova", env=Environment(account="111122223333", region=region))
    told = list(deployment_problems(stack, OnDemand(), None))
    assert told == problems * [
        "Amazon Bedrock serves custom Nova models on demand in us-east-1, us-west-2, not in eu-west-2: use another "
        "Region or deployment target BEDROCK_PT"
    ]
    assert list(deployment_problems(stack, ProvisionedThroughput(model_units=1), None)) == []

"""A platform says what cannot work, and its role may do what its jobs need and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_handlers.catalog.instances import TABLES, has_local_storage
from nova_constructs import ConfigurationError

KEY = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
VPC = {"subnets": ["subnet-0a", "subnet-0b"], "security_groups": ["sg-0a"]}
P3 = "ml.p3.16xlarge"
P5 = {"instance_type": "ml.p5.48xlarge", "instance_count": 4}
Synthesize = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vpc": {"subnets": [], "security_groups": ["sg-1"]}}, "vpc.subnets has 0 ids: use 1 to 16"),
        ({"vpc": {"subnets": ["subnet-1"], "security_groups": ["sg-1"] * 6}}, "security_groups has 6 ids: use 1 to 5"),
        ({"vpc": {"subnets": ["vpc-1"], "security_groups": ["sg-1"]}}, "vpc.subnets names 'vpc-1': use an id such as"),
        ({"volume_key_arn": KEY}, "ml.p5.48xlarge keeps data on disks of its own"),
        ({"instance_type": P3, "volume_key_arn": "alias/mine"}, "volume_key_arn is 'alias/mine': use the ARN"),
        ({"environment": {"2FAST": "x"}}, "environment names '2FAST'"),
        ({"environment": {"A": "x" * 513}}, "environment variable A has 513 characters"),
        ({"environment": {f"A{n}": "" for n in range(101)}}, "environment has 101 variables"),
        ({"tags": {"aws:team": "x"}}, "tags names 'aws:team'"),
        ({"tags": {"nova-constructs:run": "x"}}, "tags names 'nova-constructs:run'"),
        ({"tags": {"team": "a;b"}}, "tags has 'team': 'a;b'"),
        ({"tags": {f"t{n}": "" for n in range(47)}}, "tags has 47 entries: use at most 46"),
        ({"keep_alive_minutes": 361}, "keep_alive is"),
        ({"alternatives": [P5 | {"instance_type": P3}] * 2}, "alternatives names 4 x ml.p3.16xlarge a second time"),
        ({"alternatives": [P5]}, "alternatives names 4 x ml.p5.48xlarge a second time"),
        (
            {"instance_type": P3, "volume_key_arn": KEY, "alternatives": [P5]},
            "volume_key_arn is given, but ml.p5.48xlarge keeps data on disks of its own",
        ),
    ],
)
def test_what_the_service_would_refuse_fails_at_synth(
    synthesize: Synthesize, entry: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, "platform": {**entry["platform"], **change}})
    assert str(caught.value).startswith("Nova-Support/Support cannot be synthesized:")
    assert len(caught.value.problems) == 1
    assert message in caught.value.problems[0]


def test_a_problem_of_an_evaluation_names_it(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    platform = {**entry["platform"], "instance_count": 1, "keep_alive_minutes": 400}
    with pytest.raises(ConfigurationError, match=r"evaluation 'mmlu': keep_alive is"):
        synthesize({**entry, "evaluation": [{"task": "mmlu", "platform": platform}]})


def test_documented_instance_types_have_disks_of_their_own() -> None:
    documented = {option.type for options in TABLES.values() for option in options}
    assert {name for name in documented if not has_local_storage(name)} == set()
    assert not any(has_local_storage(f"ml.{name}large") for name in ("p3.16x", "m5.", "c5n.18x", "r5.4x", "p2.x"))


def statements(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    policy = next(v for k, v in template["Resources"].items() if "ExecutionRole" in k and v["Type"].endswith("Policy"))
    return {found["Sid"]: found for found in policy["Properties"]["PolicyDocument"]["Statement"]}


def test_a_role_without_a_vpc_may_do_nothing_in_one(template: dict[str, Any]) -> None:
    assert not any("ec2:" in json.dumps(found) for found in statements(template).values())
    assert not {"EncryptVolumes", "CallRewardFunction"} & set(statements(template))


def test_the_role_makes_interfaces_in_the_named_subnets_only(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    made = statements(synthesize({**entry, "platform": {**entry["platform"], "vpc": VPC}})["Nova-Support"])
    create = json.dumps(made["CreateNetworkInterfaces"])
    assert all(f":*:{name}" in create for name in ("subnet/subnet-0a", "subnet/subnet-0b", "security-group/sg-0a"))
    [subnets] = made["UseNetworkInterfaces"]["Condition"]["ArnEquals"].values()
    assert ["subnet/subnet-0a" in json.dumps(subnets), len(subnets)] == [True, 2]
    assert set(made["SeeNetwork"]["Action"]) == {
        *("ec2:DeleteNetworkInterfacePermission", "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces"),
        *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    }


def test_the_role_may_call_the_reward_function_and_no_other(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    arn = "arn:aws:lambda:us-east-1:111122223333:function:score"
    made = statements(synthesize({**entry, "method": "RFT_LORA", "reward_function": arn})["Nova-Support"])
    assert made["CallRewardFunction"]["Action"] == "lambda:InvokeFunction"
    assert made["CallRewardFunction"]["Resource"] == arn


def test_the_role_grants_the_key_to_volumes_only(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    platform = {**entry["platform"], "instance_type": P3, "volume_key_arn": KEY}
    made = statements(synthesize({**entry, "platform": platform})["Nova-Support"])["EncryptVolumes"]
    assert (made["Action"], made["Resource"]) == ("kms:CreateGrant", KEY)
    assert made["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_evaluation_runs_in_the_vpc_of_training_unless_it_has_a_platform(
    synthesize: Synthesize, entry: dict[str, Any]
) -> None:
    own = {"type": "SMTJ", "instance_type": "ml.p5.48xlarge", "instance_count": 2}
    platform = {**entry["platform"], "vpc": VPC, "tags": {"team": "a"}, "encrypt_traffic": True}
    tasks = [{"task": "mmlu"}, {"task": "gen_qa", "dataset": "evaluation/gen_qa.jsonl", "platform": own}]
    template = synthesize({**entry, "platform": platform, "evaluation": tasks})["Nova-Support"]
    machine = next(r for r in template["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine")
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    states = json.loads("".join(part if isinstance(part, str) else "x" for part in parts))["States"]
    first, second = (next(iter(branch["States"].values())) for branch in states["Evaluate"]["Branches"])
    task = first["Parameters"]["Payload"]["task"]
    assert (task["vpc"], task["tags"], task["encrypt_traffic"]) == (VPC, {"team": "a"}, True)
    assert "vpc" not in second["Parameters"]["Payload"]["task"]

"""Every check of the SDK that this replaces is made, or written down as different; each mistake is caught in the plan.

The plan has no client that could create a job: what it refuses was never asked of a service.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.protocol.errors import WorkflowError
from tests.checks.checks_support import FUNCTION, KEY, ROLE, Caller, refusal
from tests.planning import planning_clusters
from tests.planning.planning_world import CONFIG, World

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "checks.md"
APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-ABC123"
SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/mine"

Seed = Callable[[World, dict[str, Any]], Mapping[str, Any] | None]
"""Make a mistake in the world or in the customization's configuration; return what the execution is asked besides."""


def training(**changes: Any) -> Seed:
    return lambda _world, config: config["training"].update(changes)


def overriding(**values: Any) -> Seed:
    return lambda _world, _config: {"overrides": values}


def evaluating(**task: Any) -> Seed:
    return lambda _world, config: config["evaluation"][0].update(task)


def reinforcing(world: World, config: dict[str, Any], arn: str | None = FUNCTION) -> None:
    config.update(method="RFT_LORA", overrides={})
    world.hub.apps = {}
    if arn:
        config["training"]["reward_function"] = arn


def without_role(world: World, _config: dict[str, Any]) -> None:
    world.iam.arn = ROLE.replace("demo-jobs", "other")


def untrusted(world: World, _config: dict[str, Any]) -> None:
    world.iam.trust = []


def refusing(action: str) -> Seed:
    def seed(world: World, _config: dict[str, Any]) -> None:
        decision = {"EvalDecision": "implicitDeny"}
        world.iam.decide = lambda asked, _resource, _context: decision if asked == action else {}

    return seed


def refusing_the_function(world: World, config: dict[str, Any]) -> None:
    reinforcing(world, config)
    refusing("lambda:InvokeFunction")(world, config)


def in_no_vpc(world: World, config: dict[str, Any]) -> None:
    config["training"]["vpc"] = {"subnets": ["subnet-x"], "security_groups": ["sg-a"]}


def without_quota(world: World, _config: dict[str, Any]) -> None:
    world.quotas.values = dict.fromkeys(world.quotas.values, 1.0)


def key_disabled(world: World, _config: dict[str, Any]) -> None:
    world.kms.metadata["KeyState"] = "Disabled"


def tracking(**named: str) -> Seed:
    return training(mlflow=named)


def stopped(world: World, config: dict[str, Any]) -> None:
    world.hub.servers = {SERVER: "Stopped"}
    config["training"]["mlflow"] = {"resource_arn": SERVER}


def on_hyperpod(**cluster: Any) -> Seed:
    def seed(world: World, config: dict[str, Any]) -> None:
        config.update(planning_clusters.config())
        there = planning_clusters.Cluster(**cluster)
        world.clients = {"reach_cluster": there.reach, "speak_with": there.speak}

    return seed


REWARD_ELSEWHERE = FUNCTION.replace("us-east-1", "us-west-2")
SEEDED: dict[str, list[tuple[Seed, str]]] = {
    "form of a Lambda ARN": [
        (lambda world, config: reinforcing(world, config, "score"), "The function 'score' has no ARN of a Lambda"),
    ],
    "form of the ARN of an MLflow tracking server": [
        (tracking(resource_arn=f"{SERVER}_x y"), "mlflow.resource_arn is"),
    ],
    "form of the ARN of an MLflow app": [
        (tracking(resource_arn=APP.replace("app-A", "app-a")), "mlflow.resource_arn is"),
    ],
    "MLflow server or app exists": [
        (tracking(resource_arn=SERVER), f"mlflow.resource_arn names {SERVER}, which does not exist."),
        (tracking(resource_arn=APP), f"mlflow.resource_arn names {APP}, which does not exist."),
        (tracking(), "No MLflow server or app is named, and this account has no usable app DefaultMLFlowApp"),
        (stopped, "which is Stopped: start it."),
    ],
    "execution role exists": [(without_role, f"The execution role {ROLE} does not exist.")],
    "execution role trusts SageMaker": [(untrusted, "cannot be taken by sagemaker.amazonaws.com")],
    "execution role: s3:GetObject, s3:PutObject, s3:ListBucket": [
        (refusing(action), f"{action} on arn:aws:s3:::") for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket")
    ],
    "execution role: KMS, registry, logs, network": [
        (refusing("kms:GenerateDataKey"), f"kms:GenerateDataKey on {KEY} is not allowed"),
        (refusing("ecr:BatchGetImage"), "ecr:BatchGetImage on arn:aws:ecr:"),
        (refusing("logs:PutLogEvents"), "logs:PutLogEvents on arn:aws:logs:"),
        (key_disabled, "is Disabled: enable it."),
        (in_no_vpc, "The subnet subnet-x does not exist in this account and Region."),
    ],
    "quota of instances": [(without_quota, "is 1, and the run needs 4 instances at once")],
    "RFT: a reward function is given": [
        (lambda world, config: reinforcing(world, config, None), "training: RFT_LORA needs a reward_function"),
        (training(reward_function=FUNCTION), "reward_function is given, which SFT_LORA does not use"),
    ],
    "RFT: function exists, is in the Region, may be called": [
        (
            lambda world, config: reinforcing(world, config, f"{FUNCTION}-x"),
            f"The function {FUNCTION}-x does not exist",
        ),
        (lambda world, config: reinforcing(world, config, REWARD_ELSEWHERE), "is in another Region than the jobs"),
        (refusing_the_function, f"lambda:InvokeFunction on {FUNCTION} is not allowed"),
    ],
    "evaluation: task": [(evaluating(task="mmlux"), "mmlux")],
    "evaluation: data with a benchmark": [
        (evaluating(dataset_uri="s3://incoming-bucket/datasets/a.jsonl"), "evaluation-mmlu: "),
    ],
    "evaluation: subtask of a task without": [(evaluating(task="gpqa", subtask="physics"), "physics")],
    "evaluation: unknown subtask": [(evaluating(subtask="anatomie"), "anatomie")],
    "evaluation: processor of another task": [(evaluating(processor={"function_arn": FUNCTION}), "processor")],
    "evaluation: ARN of the processor": [
        (evaluating(processor={"function_arn": "nope"}), "The function 'nope' has no ARN of a Lambda function"),
    ],
    "evaluation: reward function of another task": [(evaluating(reward_function=FUNCTION), "reward_function")],
    "evaluation: rft_eval without a reward function": [(evaluating(task="rft_eval"), "reward_function")],
    "evaluation: ARN of the reward function": [
        (evaluating(task="rft_eval", reward_function="nope"), "The function 'nope' has no ARN of a Lambda function"),
    ],
    "evaluation: data of one's own missing": [(evaluating(task="gen_qa"), "evaluation-gen_qa: ")],
    "recipe: instance type": [(training(instance_type="ml.g5.xlarge"), "ml.g5.xlarge")],
    "recipe: type": [(overriding(max_steps="many"), "max_steps: expects")],
    "recipe: enumeration": [(overriding(global_batch_size=33), "global_batch_size")],
    "recipe: minimum": [(overriding(max_steps=1), "max_steps")],
    "recipe: maximum": [(overriding(max_steps=10**9), "max_steps")],
    "recipe: unknown key": [(overriding(max_stps=5), "Did you mean max_steps?")],
    "recipe: protected key": [(overriding(model_type="x"), "model_type cannot be overridden")],
    "RFT on Nova 2 only": [
        (lambda _world, config: config.update(model="NOVA_PRO", method="RFT_LORA", overrides={}), "RFT_LORA"),
    ],
    "CPT on HyperPod only": [(lambda _world, config: config.update(method="CPT", overrides={}), "CPT")],
    "cluster is named and can be described": [
        (on_hyperpod(exists=False), "There is no HyperPod cluster hp"),
        (on_hyperpod(status="Failed"), "HyperPod cluster hp is Failed, not InService"),
    ],
    "cluster has the instance type": [(on_hyperpod(groups=()), "has no restricted instance group of ml.p5.48xlarge")],
    "cluster has enough instances": [
        (on_hyperpod(groups=(planning_clusters.group(3),)), "training: it needs 4 x ml.p5.48xlarge"),
    ],
    "data mixing": [
        (training(data_mixing={"customer_data_percent": 50, "nova": {"code": 100}}), "data_mixing works on HyperPod"),
    ],
    "judges by version": [(evaluating(task="llm_judge"), "llm_judge")],
}
"""By the name of the check in docs/checks.md: mistakes, each with words of the problem that tells of it."""
ELSEWHERE: dict[str, str] = {
    "name of a job": "tests/checks/test_checks_account.py::test_job_names_follow_the_service",
    "name of a namespace": "tests/constructs/test_hyperpod_settings.py::test_a_platform_says_what_cannot_work",
    "name of a cluster": "tests/constructs/test_hyperpod_settings.py::test_a_platform_says_what_cannot_work",
    "simulation may be asked": (
        "tests/checks/test_checks_account.py::test_a_role_that_may_not_be_looked_at_is_a_warning"
    ),
    "execution role may be read": (
        "tests/checks/test_checks_account.py::test_a_role_that_may_not_be_looked_at_is_a_warning"
    ),
    "execution role of another account": (
        "tests/constructs/test_execution_role.py::test_a_role_that_cannot_be_taken_is_refused"
    ),
    "evaluation: processor without a function": (
        "tests/constructs/test_execution_role.py::test_a_processor_that_the_container_would_refuse_is_refused"
    ),
    "evaluation: aggregation and lambda_type": (
        "tests/constructs/test_execution_role.py::test_a_processor_that_the_container_would_refuse_is_refused"
    ),
    "recipe: required value": (
        "tests/recipes/test_recipe_rendering.py::test_a_placeholder_without_value_or_default_is_a_problem"
    ),
    "recipe: a key of several sections": (
        "tests/recipes/test_recipe_rendering.py::test_a_key_in_several_places_asks_for_a_path"
    ),
    "checkpoint of the platform that reads it": (
        "tests/planning/test_planning_modes.py::test_an_address_that_no_checkpoint_has_or_one_of_another_platform_is_refused"
    ),
    "same model and method over iterations": (
        "tests/planning/test_planning_modes.py::test_a_run_of_another_model_rank_or_platform_is_no_base"
    ),
    "reasoning, tools and documents on Nova 2 only": (
        "tests/datasets/test_datasets_converse_tools.py::test_tools_are_for_nova_2_only_with_or_without_definitions"
    ),
}
"""Checks whose mistake is caught at synth or on rows of data, or leaves a warning, and the test that shows it."""
DIFFERENT = (
    "caller: s3:CreateBucket, s3:ListBucket",
    "caller: s3:GetObject on the data",
    "caller: s3:GetObject, s3:PutObject on the output",
    "caller: sagemaker:CreateTrainingJob, DescribeTrainingJob",
    "caller: reading IAM and iam:PassRole, by text",
    "caller: sagemaker:DescribeCluster, ListClusters",
    "caller: eks:DescribeCluster, ListAddons",
    "caller: bedrock:UpdateProvisionedModelThroughput",
    "execution role is a text",
    "recipe: keys that are not checked",
    "recipe: instance count",
    "checks can be turned off",
    "policy documented for callers",
)


def rows() -> dict[str, str]:
    """Return the table of the document: check and what is said of it."""
    text = DOCUMENT.read_text(encoding="utf-8").split("## The checks of the SDK it replaces")[1].split("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (.+) \|$", text, flags=re.MULTILINE)
    assert len(found) == len(dict(found)), "a check stands twice"
    return {name: said for name, said in found if name not in ("check", "---")}


def test_the_table_has_one_row_for_each_check_and_no_other() -> None:
    assert sorted(rows()) == sorted([*SEEDED, *ELSEWHERE, *DIFFERENT])


def test_each_row_says_where_the_check_is_or_why_it_is_not() -> None:
    for name, said in rows().items():
        kind, _, reason = said.partition(": ") if said.startswith("different") else (said[:4], "", "")
        assert kind == ("different" if name in DIFFERENT else "here"), name
        assert kind == "here" or len(reason) > 20, name


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_is_shown_elsewhere_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("check", "seed", "words"),
    [pytest.param(check, *mistake, id=check) for check, mistakes in SEEDED.items() for mistake in mistakes],
)
def test_a_seeded_mistake_is_caught_before_anything_is_taken(check: str, seed: Seed, words: str) -> None:
    world, config = World(), copy.deepcopy(CONFIG)
    asked = seed(world, config) or {}
    with pytest.raises(WorkflowError) as caught:
        world.plan(config=config, **asked)
    assert any(words in problem for problem in caught.value.problems), (check, caught.value.problems)
    assert (world.control.items, world.ledger.events) == ({}, [])
    assert not any(bucket == "artifacts-bucket" for bucket, _ in world.s3.objects)


def test_five_mistakes_of_different_kinds_are_five_problems() -> None:
    world, config = World(), copy.deepcopy(CONFIG)
    untrusted(world, config)
    without_quota(world, config)
    in_no_vpc(world, config)
    config["training"]["mlflow"] = {}
    with pytest.raises(WorkflowError) as caught:
        world.plan(config=config, overrides={"max_stps": 5})
    words = (
        "No MLflow server or app is named",
        "The subnet subnet-x does not exist",
        "cannot be taken by sagemaker.amazonaws.com",
        "max_stps is not a value of this recipe",
        "The quota ",
    )
    assert len(caught.value.problems) == len(words), caught.value.problems
    assert all(word in problem for word, problem in zip(words, caught.value.problems, strict=True))


def test_a_warning_is_no_problem_and_a_plan_without_mistakes_starts() -> None:
    world, config = World(), copy.deepcopy(CONFIG)
    world.hub.apps = {APP: ("DefaultMLFlowApp", "Created")}
    world.ec2.error = refusal("UnauthorizedOperation", "DescribeSubnets", 403)
    config["training"] |= {"mlflow": {"run": "mine"}, "vpc": {"subnets": ["subnet-a"], "security_groups": ["sg-a"]}}
    plan = world.plan(config=config)["plan"]
    assert plan["training"]["mlflow"] == {"resource_arn": APP, "experiment": "demo", "run": "mine"}
    [warning] = plan["warnings"]
    assert warning.startswith("The VPC of the jobs was not checked (subnet-a, sg-a)")


def test_where_a_run_tracks_does_not_make_it_another_recipe() -> None:
    found = []
    for run in ("run-1", "run-2"):
        world, config = World(), copy.deepcopy(CONFIG)
        world.hub.apps = {APP: ("DefaultMLFlowApp", "Created")}
        config["training"]["mlflow"] = {}
        world.plan(name=run, config=config)
        assert f"mlflow_run_name: {run}" in world.recipe(run).decode()
        found.append({name for name in world.control.items if name.startswith("fingerprint#")})
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_a_server_that_is_not_sagemakers_needs_a_recipe_that_can_name_it() -> None:
    world, config = World(), copy.deepcopy(CONFIG)
    vpc = {"subnets": ["subnet-a"], "security_groups": ["sg-a"]}
    config["training"] |= {"vpc": vpc, "mlflow": {"uri": "https://mlflow.example.com"}}
    plan = world.plan(config=config)["plan"]
    assert "mlflow_tracking_uri: https://mlflow.example.com" in world.recipe("run-1").decode()
    assert plan["training"]["mlflow"]["uri"] == "https://mlflow.example.com"
    assert "no function of this customization stands in that VPC" in plan["warnings"][0]
    reinforcing(world, config)
    with pytest.raises(WorkflowError, match="this recipe has no mlflow_tracking_uri"):
        world.plan(name="run-2", config=config)


def test_a_server_in_a_vpc_is_asked_once_from_there_and_stops_the_run_where_it_is_not_reached() -> None:
    world, config = World(), copy.deepcopy(CONFIG)
    vpc, uri = {"subnets": ["subnet-a"], "security_groups": ["sg-a"]}, "https://mlflow.example.com"
    world.tracking_probes = [{**vpc, "function": "probe"}]
    config["training"] |= {"vpc": vpc, "mlflow": {"uri": uri}}
    world.functions = reached = Caller({"status": 200})
    assert world.plan(config=config, dry_run=True)["plan"]["warnings"] == []
    assert reached.called == [("probe", {"uri": uri})]
    world.functions = Caller({"error": "timed out"})
    with pytest.raises(WorkflowError) as caught:
        world.plan(name="run-2", config=config)
    [problem] = caught.value.problems
    assert problem.startswith(f"The MLflow server {uri} is not reached from the VPC of the jobs (timed out).")

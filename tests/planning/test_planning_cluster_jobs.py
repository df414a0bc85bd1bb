"""A run on HyperPod is planned by the hub's recipe for it, and asks for what Kubernetes makes a job of."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination
from lambda_handlers.training import job
from tests.checks.checks_support import FUNCTION
from tests.planning.planning_clusters import REWARD, Cluster, config, hyperpod
from tests.planning.planning_world import CONFIG, World
from tests.planning.test_planning_modes import trained

MIXED = {"customer_data_percent": 60.0, "nova": {"code": 30.0, "general": 70.0}}


def world(cluster: Cluster | None = None) -> World:
    found, there = World(), cluster or Cluster()
    found.clients = {"reach_cluster": there.reach, "speak_with": there.speak}
    return found


def planned(of: World, settings: dict[str, Any], **asked: Any) -> dict[str, Any]:
    return of.plan(config=settings, **asked)["plan"]  # type: ignore[no-any-return]


def read(of: World, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(of.s3.objects[bucket, key])


def requests(of: World, settings: dict[str, Any], plan: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    event = {
        "run": {"id": "run-1"},
        "recipe": plan["training"],
        "train_uri": "s3://prepared-bucket/runs/run-1/train.jsonl",
        "config": settings,
        **more,
    }
    return job.requests(event, s3=of.s3, role_arn="", artifacts_bucket="artifacts-bucket", key_arn="")


def test_the_recipe_says_where_data_is_and_where_output_goes() -> None:
    of, settings = world(), config()
    plan = planned(of, settings)
    recipe = yaml.safe_load(of.recipe("run-1"))
    assert recipe["run"]["data_s3_path"] == "s3://prepared-bucket/runs/run-1/train.jsonl"
    assert recipe["run"]["output_s3_path"] == "s3://artifacts-bucket/runs/run-1/jobs"
    assert recipe["run"]["replicas"] == 4
    assert plan["training"]["platform"] == "SMHP"
    assert plan["training"]["payload_uri"] == "s3://artifacts-bucket/runs/run-1/training/recipe/payload.yaml"
    assert b"kind: PyTorchJob" in read(of, plan["training"]["payload_uri"])


def test_the_request_has_the_objects_of_the_hub_with_their_placeholders() -> None:
    of, settings = world(), config()
    plan = planned(of, settings)
    [request] = requests(of, settings, plan)
    assert [each["kind"] for each in request["payload"]] == ["ConfigMap", "PyTorchJob"]
    assert request["payload"][1]["metadata"]["name"] == "{{name}}"
    assert request["recipe"] == yaml.safe_load(of.recipe("run-1"))
    assert {name: request[name] for name in ("cluster_name", "namespace", "instance_type", "instance_count")} == {
        "cluster_name": "hp",
        "namespace": "kubeflow",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
    }
    assert request["max_seconds"] == 86400 + 7200 + 3600
    assert request["output_uri"] == "s3://artifacts-bucket/runs/run-1/jobs"


@pytest.mark.parametrize("name", ["payload_uri", "recipe_prefix_uri"])
def test_what_was_changed_after_planning_is_not_submitted(name: str) -> None:
    of, settings = world(), config()
    plan = planned(of, settings)
    uri = plan["training"][name] + ("" if name == "payload_uri" else "recipe.yaml")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    of.s3.objects[bucket, key] += b"# mine\n"
    with pytest.raises(RecipeInvalid, match="was changed after the run was planned"):
        requests(of, settings, plan)


def test_rows_for_validation_that_are_none_are_left_out() -> None:
    of, settings = world(), config(split={"validation": 0.1})
    plan = planned(of, settings)
    uri = "s3://prepared-bucket/runs/run-1/validation.jsonl"
    some, none = (requests(of, settings, plan, validation={"uri": uri, "rows": rows})[0] for rows in (3, 0))
    assert some["recipe"]["run"]["validation_data_s3_path"] == uri
    assert none["recipe"]["run"]["validation_data_s3_path"] == ""


@pytest.mark.parametrize("rows", [3, 0])
def test_rows_that_an_earlier_run_has_prepared_are_read_where_they_lie(rows: int) -> None:
    of, settings = world(), config(split={"validation": 0.1})
    plan = planned(of, settings)
    train, uri = (f"s3://prepared-bucket/runs/run-0/{part}.jsonl" for part in ("train", "validation"))
    [request] = requests(of, settings, plan, train_uri=train, validation={"uri": uri, "rows": rows})
    assert request["recipe"]["run"]["data_s3_path"] == train
    assert request["recipe"]["run"]["validation_data_s3_path"] == (uri if rows else "")


def test_a_recipe_without_a_place_for_validation_refuses_rows_for_it() -> None:
    with pytest.raises(RecipeInvalid, match="has no place for: give it validation 0"):
        planned(world(), config(model="NOVA_MICRO", split={"validation": 0.1}))


def test_a_dry_run_shows_what_would_be_created() -> None:
    of = world()
    plan = planned(of, config(), dry_run=True)
    report = json.loads(read(of, plan["report_uri"]))
    assert [(each["stage"], each["operation"], each["platform"]) for each in report["requests"][:2]] == [
        ("training", "CreatePyTorchJob", "SMHP"),
        ("evaluation-mmlu", "CreatePyTorchJob", "SMHP"),
    ]
    objects = list(yaml.safe_load_all(read(of, report["requests"][0]["objects_uri"])))
    assert [(each["kind"], each["metadata"]["name"]) for each in objects] == [
        ("ConfigMap", "training-config-planned"),
        ("PyTorchJob", "planned"),
    ]
    assert objects[1]["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 3
    assert b"{{" not in read(of, report["requests"][0]["objects_uri"])
    body = json.loads(read(of, report["requests"][1]["request_uri"]))
    assert body["recipe"]["run"]["output_s3_path"] == "s3://artifacts-bucket/runs/run-1/jobs"
    assert [each["kind"] for each in body["payload"]] == ["ConfigMap", "PyTorchJob"]


def test_the_cost_counts_time_that_a_job_does_not_wait() -> None:
    [training, _] = planned(world(), config())["cost"]["jobs"]
    assert (training["instance_count"], training["hours"]) == (4, 26)


def test_the_cost_of_reinforcement_counts_what_generates_and_serves() -> None:
    settings = config("RFT_LORA", {**hyperpod(2), "reward_function": REWARD})
    asked = planned(world(), settings, overrides={"generation_replicas": 4})["cost"]["jobs"][0]
    assert asked["instance_count"] == 2 + 4 + 1 + 6


def test_percentages_land_in_the_recipe_as_floats() -> None:
    of = world()
    planned(of, config(training={**hyperpod(), "data_mixing": MIXED}))
    section = yaml.safe_load(of.recipe("run-1"))["data_mixing"]
    assert section["sources"]["customer_data"] == {"percent": 60.0}
    shares = section["sources"]["nova_data"]
    assert {name: share for name, share in shares.items() if share} == {"code": 30.0, "general": 70.0}
    assert all(type(share) is float for share in shares.values())
    assert section["dataset_catalog"]


def test_customer_data_alone_is_possible() -> None:
    of = world()
    planned(of, config(training={**hyperpod(), "data_mixing": {"customer_data_percent": 100.0, "nova": {}}}))
    sources = yaml.safe_load(of.recipe("run-1"))["data_mixing"]["sources"]
    assert sources["customer_data"] == {"percent": 100.0}
    assert set(sources["nova_data"].values()) == {0.0}


@pytest.mark.parametrize(
    ("mixing", "message"),
    [
        (
            {"customer_data_percent": 60.0, "nova": {"cod": 100.0}},
            "names 'cod', which the recipe does not mix; did you",
        ),
        ({"customer_data_percent": 60.0, "nova": {"code": 99.0}}, "data_mixing.nova adds up to 99 (code 99)"),
        ({"customer_data_percent": 100.0, "nova": {"code": 1.0}}, "customer_percent is 100, and the Nova categories"),
        ({"customer_data_percent": 101.0, "nova": {"code": 100.0}}, "customer_percent is 101.0: use a number from 0"),
    ],
)
def test_percentages_that_cannot_be_are_told(mixing: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeInvalid) as caught:
        planned(world(), config(training={**hyperpod(), "data_mixing": mixing}))
    assert any(problem.startswith("training: data_mixing") and message in problem for problem in caught.value.problems)


@pytest.mark.parametrize("name", ["dataset_catalog", "nova_code_percent", "percent", "code"])
def test_overrides_do_not_change_the_mix(name: str) -> None:
    settings = config(training={**hyperpod(), "data_mixing": MIXED}, overrides={name: 1})
    with pytest.raises(RecipeInvalid, match=f"{name} cannot be overridden: it is the platform's data_mixing"):
        planned(world(), settings)


def test_an_own_recipe_brings_no_mix_of_its_own() -> None:
    own = {"data_mixing": {"sources": {"customer_data": {"percent": 50}}}}
    with pytest.raises(RecipeInvalid, match="cannot be set here: it is the platform's data_mixing"):
        planned(world(), config(), recipe=own)


def test_data_is_mixed_neither_on_training_jobs_nor_by_reinforcement() -> None:
    with pytest.raises(UnsupportedCombination, match="works on HyperPod"):
        planned(world(), {**CONFIG, "training": {**CONFIG["training"], "data_mixing": MIXED}})
    reinforced = {**hyperpod(2), "reward_function": REWARD, "data_mixing": MIXED}
    with pytest.raises(UnsupportedCombination, match="goes with CPT and SFT, not with RFT_LORA"):
        planned(world(), config("RFT_LORA", reinforced))


def test_without_the_subscription_nothing_trains_without_the_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    of = world()
    document = of.hub.describe_hub_content

    def public(**request: Any) -> Any:
        found = document(**request)
        parsed = json.loads(found["HubContentDocument"])
        entries = [each for each in parsed["RecipeCollection"] if not each["IsSubscriptionModel"]]
        return {**found, "HubContentDocument": json.dumps({"RecipeCollection": entries})}

    monkeypatch.setattr(of.hub, "describe_hub_content", public)
    with pytest.raises(UnsupportedCombination, match="Data mixing needs a Nova Forge subscription"):
        planned(of, config(training={**hyperpod(), "data_mixing": MIXED}))


def test_reinforcement_needs_a_function_that_hyperpod_calls() -> None:
    named = {**hyperpod(2), "reward_function": FUNCTION}
    with pytest.raises(InvalidRequest, match="calls only functions with SageMaker"):
        planned(world(), config("RFT_LORA", named))


@pytest.mark.parametrize("task", ["gen_qa", "rubric_llm_judge", "mmlu"])
def test_an_evaluation_reads_its_rows_where_the_recipe_says(task: str) -> None:
    of, own = world(), task != "mmlu"
    of.s3.put_object(Bucket="incoming-bucket", Key="evaluation/a.jsonl", Body=b"{}\n")
    asked = {"task": task, "dataset_uri": "s3://incoming-bucket/evaluation/a.jsonl" if own else None}
    settings = config(evaluation=[{**config()["evaluation"][0], **asked}])
    report = json.loads(read(of, planned(of, settings, dry_run=True)["report_uri"]))
    [found] = [each for each in report["requests"] if each["stage"].startswith("evaluation")]
    body = json.loads(read(of, found["request_uri"]))
    rows = f"s3://prepared-bucket/runs/run-1/evaluation-sets/{task}/"
    assert str(body["recipe"]["run"].get("data_s3_path") or "").startswith(rows if own else "")
    assert body["recipe"]["evaluation"]["task"] == task
    assert [each["kind"] for each in body["payload"]] == ["ConfigMap", "PyTorchJob"]


def test_recipes_by_subscription_are_read_where_the_account_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    of = world()
    document = of.hub.describe_hub_content
    point = "arn:aws:s3:us-east-1:555566667777:accesspoint/forge-{customer_id}"

    def theirs(**request: Any) -> Any:
        found = document(**request)
        text = found["HubContentDocument"]
        for entry in json.loads(text)["RecipeCollection"]:
            for uri in (entry.get("HpEksPayloadTemplateS3Uri"), entry.get("HpEksOverrideParamsS3Uri")):
                if uri and entry["IsSubscriptionModel"]:
                    bucket, _, key = uri.removeprefix("s3://").partition("/")
                    text = text.replace(uri, f"{point}/{key}")
                    moved = point.replace("{customer_id}", "123456789012")
                    of.s3.objects[moved, key] = of.s3.objects[bucket, key]
        return {**found, "HubContentDocument": text}

    monkeypatch.setattr(of.hub, "describe_hub_content", theirs)
    planned(of, config(training={**hyperpod(), "data_mixing": MIXED}))
    assert yaml.safe_load(of.recipe("run-1"))["data_mixing"]["sources"]["customer_data"] == {"percent": 60.0}


def test_production_of_another_platform_cannot_be_compared_with() -> None:
    of, settings = world(), config()
    compared = {**settings["evaluation"][0], "baseline": "production"}
    trained(of)
    pointer = {"item": "pointer", "arn": "arn:d", "model_arn": "arn:m", "run_id": "run-0"}
    of.control.put({**pointer, "generation": 1, "moved_at": "now"}, replacing=None)
    with pytest.raises(InvalidRequest, match=r"gate: it compares with production.*training jobs"):
        planned(of, {**settings, "baselines": [compared]})


@pytest.mark.parametrize("raw", [{}, {"mode": "evaluate", "model": "base"}])
def test_what_production_is_of_is_checked_before_any_job(raw: dict[str, Any]) -> None:
    of, settings = world(), config()
    compared = {**settings["evaluation"][0], "baseline": "production"}
    pointer = {"item": "pointer", "arn": "arn:d", "model_arn": "arn:m", "run_id": "run-7"}
    of.control.put({**pointer, "generation": 1, "moved_at": "now"}, replacing=None)
    with pytest.raises(InvalidRequest, match=r"gate: it compares with production: there is no run run-7"):
        planned(of, {**settings, "baselines": [compared]}, raw=raw)

"""The execution input is checked against its published schema, every problem at once."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.planning import schema
from lambda_handlers.planning.execution_input import ExecutionInput, published_schema
from lambda_handlers.planning.modes import MODES
from lambda_handlers.protocol.errors import InvalidRequest

URI = "s3://incoming-bucket/datasets/train.jsonl"


def problems(raw: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionInput.parse(raw)
    return caught.value.problems


def test_the_input_of_the_trigger_is_read() -> None:
    asked = ExecutionInput.parse({"dataset": {"uri": URI, "version_id": "v1"}})
    assert asked == ExecutionInput(dataset_uri=URI, dataset_version_id="v1")
    assert (asked.mode, asked.force, asked.overrides) == ("full", False, {})


def test_a_list_of_objects_and_what_started_the_run_are_read() -> None:
    trigger = {"name": "Data", "kind": "dataset", "id": "v1", "at": "2026-01-01T00:00:00Z", "count": 50}
    raw = {"dataset": {"objects_uri": "s3://artifacts/starts/1/objects.json"}, "trigger": trigger}
    asked = ExecutionInput.parse(raw)
    assert (asked.objects_uri, asked.dataset_uri) == ("s3://artifacts/starts/1/objects.json", "")
    assert asked.trigger == trigger
    assert problems({**raw, "trigger": {**trigger, "kind": "moon"}}) == (
        'trigger.kind: received "moon"; allowed: dataset, schedule, alarm, event, chain',
    )
    assert problems({"dataset": {"objects_uri": "here"}})[0].startswith('dataset.objects_uri: received "here"')


def test_the_short_form_and_every_other_key_are_read() -> None:
    asked = ExecutionInput.parse(
        {
            "mode": "full",
            "dataset": URI,
            "overrides": {"lr": 1e-5, "max_steps": 20},
            "hub_content_version": "1.0.20",
            "dry_run": False,
            "force": True,
            "requested_by": "me",
            "reason": "new data",
        }
    )
    assert asked == ExecutionInput(
        dataset_uri=URI,
        overrides={"lr": 1e-5, "max_steps": 20},
        hub_content_version="1.0.20",
        force=True,
        requested_by="me",
        reason="new data",
    )


def test_an_empty_version_is_no_version() -> None:
    assert ExecutionInput.parse({"dataset": {"uri": URI, "version_id": ""}}).dataset_version_id is None


def test_every_problem_is_told_at_once_with_key_value_and_what_is_allowed() -> None:
    found = problems({"datset": URI, "mode": "ful", "force": "yes", "hub_content_version": "latest"})
    assert found == (
        'datset: unknown key with value "s3://incoming-bucket/datasets/train.jsonl"; did you mean dataset?',
        'mode: received "ful"; allowed: full, prepare, train, evaluate, batch_inference, deploy; did you mean full?',
        'hub_content_version: received "latest"; '
        r"allowed: a text of the form ^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$(?!\n)",
        'force: received "yes"; allowed: true or false',
    )


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (5, "dataset: received 5; allowed: a text or an object"),
        ("train.jsonl", "allowed: the s3:// address of an object"),
        ("s3://bucket/", "allowed: the s3:// address of an object"),
        ("s3://Bucket/key", "allowed: the s3:// address of an object"),
        ({"version_id": "v"}, "dataset.uri: missing"),
        ({"uri": URI, "versionid": "v"}, "dataset.versionid: unknown key"),
        ({"uri": URI, "version_id": 5}, "dataset.version_id: received 5; allowed: a text"),
    ],
)
def test_a_dataset_that_is_no_object_is_refused(dataset: Any, words: str) -> None:
    [problem] = problems({"dataset": dataset})
    assert words in problem


def test_every_mode_of_the_schema_runs() -> None:
    assert list(MODES) == published_schema()["properties"]["mode"]["enum"]


def test_deploying_takes_a_checkpoint_or_a_run_and_no_data() -> None:
    assert ExecutionInput.parse({"mode": "deploy", "base_run": "r"}).base_run == "r"
    dataset, model = problems({"mode": "deploy", "dataset": URI, "model": "base"})
    modes = "full, prepare, train, batch_inference"
    assert dataset == f'dataset: mode "deploy" does not use it; remove the key, or use mode {modes}'
    assert model == 'model: mode "deploy" does not use it; remove the key, or use mode evaluate, batch_inference'


@pytest.mark.parametrize("mode", ["full", "train", "prepare"])
def test_every_mode_that_prepares_data_needs_a_dataset_and_takes_no_model_by_its_role(mode: str) -> None:
    verb = "prepare" if mode == "prepare" else "train on"
    assert problems({"mode": mode, "model": "base"}) == (
        f"dataset: missing; give the s3:// address of the data to {verb}",
        f'model: mode "{mode}" does not use it; remove the key, or use mode evaluate, batch_inference',
    )


def test_preparing_takes_nothing_that_is_about_training() -> None:
    asked = {"dataset": URI, "recipe": URI, "overrides": {"lr": 1}, "base_run": "r", "hub_content_version": "1.0.0"}
    assert problems({"mode": "prepare", **asked}) == tuple(
        f'{key}: mode "prepare" does not use it; remove the key, or use mode {modes}'
        for key, modes in (
            ("recipe", "full, train"),
            ("overrides", "full, train"),
            ("hub_content_version", "full, train, evaluate, batch_inference"),
            ("base_run", "full, train, evaluate, batch_inference, deploy"),
        )
    )


@pytest.mark.parametrize("mode", ["full", "train", "evaluate"])
def test_a_run_is_about_one_model(mode: str) -> None:
    asked = {"mode": mode, "model_path": URI, "base_run": "r"} | ({"dataset": URI} if mode != "evaluate" else {})
    assert problems(asked) == ("model_path and base_run: received 2 models; give one of them",)


def test_an_evaluation_needs_a_model_and_reads_no_dataset() -> None:
    dataset, model = problems({"mode": "evaluate", "dataset": URI})
    modes = "full, prepare, train, batch_inference"
    assert dataset == f'dataset: mode "evaluate" does not use it; remove the key, or use mode {modes}'
    assert model.startswith('model: missing; mode "evaluate" needs a model: give model_path')
    [misspelled] = problems({"mode": "evaluate", "modell": "base"})
    assert misspelled == 'modell: unknown key with value "base"; did you mean model?'


@pytest.mark.parametrize("given", [{"model_path": URI}, {"base_run": "run-1"}, {"model": "base"}])
def test_a_model_may_be_named_in_three_ways(given: dict[str, str]) -> None:
    asked = ExecutionInput.parse({"mode": "evaluate", **given})
    assert {key: getattr(asked, key) for key in ("model_path", "base_run", "model")} == {
        **dict.fromkeys(("model_path", "base_run", "model")),
        **given,
    }
    assert (asked.mode, asked.dataset_uri) == ("evaluate", "")


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_an_input_that_is_no_object_is_refused(raw: Any) -> None:
    assert problems(raw) == (f"input: received {json.dumps(raw)}; allowed: an object",)


@pytest.mark.parametrize("recipe", [URI, {}, {"run": {"name": "a"}}])
def test_a_recipe_is_an_address_or_the_recipe_itself(recipe: Any) -> None:
    assert ExecutionInput.parse({"dataset": URI, "recipe": recipe}).recipe == recipe


@pytest.mark.parametrize("recipe", [5, "recipe.yaml", "s3://bucket/folder/", []])
def test_a_recipe_that_is_neither_is_refused(recipe: Any) -> None:
    [problem] = problems({"dataset": URI, "recipe": recipe})
    assert problem.startswith(f"recipe: received {json.dumps(recipe)}; allowed: ")


def test_a_run_without_a_dataset_is_refused() -> None:
    assert problems({}) == ("dataset: missing; give the s3:// address of the data to train on",)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
TEXTS = st.sampled_from(
    [
        URI,
        URI + "\n",
        "s3://b/k",
        "s3://bucket/k",
        "s3://bucket/k/",
        "1.0.20",
        "1.0",
        "1.0.0\n",
        "run-1",
        "full",
        "Full",
        "x" * 2000,
        "",
    ]
)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4
)
DATASETS = st.fixed_dictionaries({}, optional={"uri": VALUES, "version_id": VALUES, "other": VALUES})
KEYS = sorted(published_schema()["properties"])
INPUTS = st.dictionaries(st.sampled_from([*KEYS, "other"]), VALUES | DATASETS, max_size=6) | VALUES


@given(raw=INPUTS)
def test_the_checker_agrees_with_json_schema(raw: Any) -> None:
    validator = jsonschema.Draft202012Validator(published_schema())
    assert (schema.problems(raw, published_schema()) == []) == validator.is_valid(raw)


def test_the_published_schema_is_a_schema_and_uses_only_known_keywords() -> None:
    jsonschema.Draft202012Validator.check_schema(published_schema())
    with pytest.raises(KeyError):
        schema.problems("x", {"format": "uri"})

"""Recipes of the user's own, read from where they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.protocol.errors import RecipeInvalid, TransientServiceError
from lambda_handlers.recipes import own_recipe
from lambda_handlers.recipes.own_document import MAX_BYTES
from tests.recipes.hub_support import client_error

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in pairwise("abcdefghijkl")
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join(['*' + before] * 9)}]\n" for before, name in pairwise("abcdefghijkl")
)


def _problem(content: str | bytes) -> str:
    with pytest.raises(RecipeInvalid) as raised:
        own_recipe.parse(content.encode() if isinstance(content, str) else content, "mine.yaml")
    return str(raised.value)


def test_a_recipe_is_read_as_its_author_means_it() -> None:
    text = "run: {name: 2026-06-01}\ntraining_config:\n  lr: 1e-5\n  betas: [0.9, 2.5E-3]\n  save: ${oc.select:a.b}\n"
    found = own_recipe.parse(b"\xef\xbb\xbf" + text.encode(), "mine.yaml")
    assert found.source == "mine.yaml"
    assert found.values == {
        "run": {"name": "2026-06-01"},
        "training_config": {"lr": 1e-05, "betas": [0.9, 0.0025], "save": "${oc.select:a.b}"},
    }


def test_modest_anchors_are_written_out() -> None:
    text = "base: &base {lr: 1.0, steps: 5}\none: {<<: *base, steps: 6}\ntwo: *base\n"
    assert own_recipe.parse(text.encode(), "x").values == {
        "base": {"lr": 1.0, "steps": 5},
        "one": {"lr": 1.0, "steps": 6},
        "two": {"lr": 1.0, "steps": 5},
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "mine.yaml is not one YAML document: while parsing"),
        ("a: 1\n---\nb: 2\n", "is not one YAML document"),
        ("a: !!python/object:os.system x\n", "could not determine a constructor"),
        ("a: !!bool perhaps\n", "is not one YAML document"),
        (f"a: {'9' * 5000}\n", "is not one YAML document"),
        (b"\xff\xfea", "is not text in UTF-8"),
        ("", "mine.yaml is empty; a recipe is a mapping"),
        ("- run\n", "mine.yaml is a list; a recipe is a mapping"),
        ("run", "mine.yaml is a single value; a recipe is a mapping"),
        (f"a: {'x' * MAX_BYTES}", f"mine.yaml is too large for a recipe: more than {MAX_BYTES} bytes."),
        (LAUGHS, "has anchors that make more than a billion values of it, at most 10000"),
        (MERGES, "has anchors that make more than a billion values of it, at most 10000"),
        ("a: &a [1, *a]\n", "has an anchor that contains itself, line 1"),
        ("[" * 30_000, "is nested too deeply for a recipe: at most 40 levels"),
        ("a: " + "[" * 50 + "]" * 50, "is nested too deeply for a recipe"),
        (
            "run:\n  name: a\n  replicas: 1\n  name: b\n",
            "- name stands twice in one section, in lines 2 and 4; keep one.",
        ),
        ("1: a\n", "the key 1 is not text; put it in quotes."),
        ("run: {on: a}\n", "the key True in run is not text"),
        ("a: {b: '{{learning_rate}}'}\n", "a.b has the placeholder {{learning_rate}}, which nothing fills"),
        ("a: s3://${env:BUCKET}/x\n", "a has the placeholder ${env:BUCKET}, which nothing fills"),
        ("a: [x, '{{ y }}']\n", "a has the placeholder {{ y }}"),
        ("a: {'{{x}}': 1}\n", "the key a.{{x}} has the placeholder {{x}}, which nothing fills"),
        ("a: .inf\n", "a is inf; a recipe has finite numbers."),
        ("a: !!binary aGk=\n", "a is a bytes; a recipe has text, numbers"),
        ("a: !!set {x}\n", "a is a set; a recipe has text, numbers"),
    ],
)
def test_what_is_no_recipe_is_refused_with_the_reason(content: str | bytes, message: str) -> None:
    assert message in _problem(content)


def test_all_duplicates_and_all_placeholders_come_together() -> None:
    assert _problem("a: 1\na: 2\nb: {c: 1, c: 2}\n").count("stands twice") == 2
    assert _problem("a: '{{x}}'\nb: '{{y}}'\n").count("placeholder") == 2


def test_an_object_is_a_recipe_too() -> None:
    assert own_recipe.from_mapping({"run": {"name": "x"}}).values == {"run": {"name": "x"}}
    for broken, message in (
        ({"a": "{{x}}"}, "placeholder"),
        ({"a": b"x"}, "values that a recipe cannot have"),
        ({"a": "x" * MAX_BYTES}, "too large"),
        ({"": 1}, "the key '' is not text"),
    ):
        with pytest.raises(RecipeInvalid, match=message):
            own_recipe.from_mapping(broken)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("run: {name: x}\n", encoding="utf-8")
    assert own_recipe.read_file(path) == own_recipe.OwnRecipe(values={"run": {"name": "x"}}, source=str(path))
    with pytest.raises(FileNotFoundError):
        own_recipe.read_file(tmp_path / "absent.yaml")


class _S3:
    def __init__(self, content: bytes = b"run: {name: x}\n", error: Exception | None = None) -> None:
        self.content, self.error = content, error
        self.requests: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        self.requests.append(request)
        if self.error:
            raise self.error
        self.body = io.BytesIO(self.content)
        return {"Body": self.body}


def test_an_address_is_read_from_s3_also_through_an_access_point() -> None:
    arn = "arn:aws:s3:us-east-1:111122223333:accesspoint/mine"
    s3 = _S3()
    assert own_recipe.resolve("s3://bucket/a/mine.yaml", s3).source == "s3://bucket/a/mine.yaml"
    assert own_recipe.resolve(f"{arn}/mine.yaml", s3).values == {"run": {"name": "x"}}
    assert own_recipe.resolve({"run": {}}, s3).source == "recipe"
    assert s3.requests == [{"Bucket": "bucket", "Key": "a/mine.yaml"}, {"Bucket": arn, "Key": "mine.yaml"}]


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        ("mine.yaml", None, "give the s3:// address of an object"),
        ("s3://bucket", None, "give the s3:// address of an object"),
        ("s3://b/k", client_error("NoSuchKey", 404), "The recipe s3://b/k does not exist."),
        ("s3://b/k", client_error("AccessDenied", 403), r"allow s3:GetObject on it \(and kms:Decrypt on its key\)"),
    ],
)
def test_an_address_that_cannot_be_read_says_why(uri: str, error: Exception | None, message: str) -> None:
    with pytest.raises(RecipeInvalid, match=message):
        own_recipe.resolve(uri, _S3(error=error))


def test_throttling_while_reading_is_transient() -> None:
    with pytest.raises(TransientServiceError):
        own_recipe.resolve("s3://b/k", _S3(error=client_error("SlowDown", 503)))


def test_no_more_of_an_object_is_read_than_a_recipe_may_have() -> None:
    s3 = _S3(b"a: " + b"x" * 10 * MAX_BYTES)
    with pytest.raises(RecipeInvalid, match="too large"):
        own_recipe.resolve("s3://b/k", s3)
    assert s3.body.tell() == MAX_BYTES + 1


@settings(deadline=None, max_examples=200)  # a busy machine is not a failure
@given(st.text(alphabet="ab:[]{}&*<-!?| '\"\n1.", max_size=40) | st.binary(max_size=40))
def test_any_bytes_are_a_recipe_or_refused(content: str | bytes) -> None:
    raw = content.encode() if isinstance(content, str) else content
    try:
        values = own_recipe.parse(raw, "x").values
    except RecipeInvalid:
        return
    assert values == yaml.safe_load(raw)

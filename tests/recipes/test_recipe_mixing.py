"""A recipe mixes what was asked for, or nothing trains by it."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import check_mixed, mixing_arguments, payload

MIXED: dict[str, Any] = {"customer_data_percent": 60.0, "nova": {"code": 100.0}}
SECTION = {"sources": {"customer_data": {"percent": 60.0}, "nova_data": {"code": 100.0, "general": 0.0}}}


def test_a_recipe_that_mixes_as_asked_is_taken() -> None:
    check_mixed({"data_mixing": SECTION}, MIXED)


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"data_mixing": None},
        {"data_mixing": {**SECTION, "sources": {"customer_data": {"percent": 50.0}, "nova_data": {"code": 100.0}}}},
        {"data_mixing": {**SECTION, "sources": {"customer_data": {"percent": 60.0}, "nova_data": {"general": 100.0}}}},
    ],
)
def test_a_recipe_without_a_place_for_the_mix_is_refused(recipe: dict[str, Any]) -> None:
    with pytest.raises(RecipeInvalid, match="has no place for what was asked"):
        check_mixed(recipe, MIXED)


def test_a_spec_without_percentages_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match="has no percentages to set; it has: max_steps"):
        mixing_arguments({"max_steps": {"type": "integer"}}, MIXED)


def test_objects_of_a_payload_keep_their_placeholders_quoted_or_not() -> None:
    text = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a-{{name}}\n  namespace: {{ namespace }}\n"
    [found] = payload.parse(text + "data:\n  n: '{{replicas}}'\n---\n")
    assert found["metadata"] == {"name": "a-{{name}}", "namespace": "{{namespace}}"}
    assert found["data"] == {"n": "{{replicas}}"}


@pytest.mark.parametrize("text", ["", "---\n- a\n", "a: [\n", "---\nkind: Pod\n"])
def test_what_is_no_payload_is_refused(text: str) -> None:
    with pytest.raises(RecipeInvalid, match="the payload"):
        payload.parse(text)

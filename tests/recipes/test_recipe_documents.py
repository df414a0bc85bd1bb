"""Recipes as YAML text."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.recipes import documents


def test_text_that_looks_like_a_number_stays_text_in_every_yaml_version() -> None:
    assert documents.dump({"name": "1e5", "id": "12"}) == "name: '1e5'\nid: '12'\n"
    assert documents.load("lr: 1e-5\nname: '1e5'\nlist: [+2.5E-3, x]\n") == {
        "lr": 1e-05,
        "name": "1e5",
        "list": [0.0025, "x"],
    }


@settings(deadline=None)  # a busy machine is not a failure
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_every_number_comes_back_from_yaml_as_it_was(number: float) -> None:
    found = yaml.safe_load(documents.dump({"value": number}))["value"]
    assert found == number
    assert type(found) is type(number)


@settings(deadline=None)  # a busy machine is not a failure
@given(st.text())
def test_every_text_comes_back_from_yaml_as_it_was(text: str) -> None:
    assert yaml.safe_load(documents.dump({"value": text})) == {"value": text}
    assert documents.load(documents.dump({"value": text})) == {"value": text}

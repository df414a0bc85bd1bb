"""The page about recipes says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from lambda_handlers.recipes import PROTECTED
from lambda_handlers.recipes.own_document import MAX_BYTES, MAX_DEPTH, MAX_VALUES
from nova_constructs.cli.recipe.render import render

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_protected_keys_and_their_reasons_are_listed() -> None:
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)) == dict(PROTECTED)


def test_limits_are_the_code_s() -> None:
    assert f"more than {MAX_VALUES:,} values" in PAGE
    assert f"beyond {MAX_DEPTH} levels, larger than {MAX_BYTES:,} bytes" in PAGE


def test_every_option_of_the_command_that_is_named_exists() -> None:
    named = set(re.findall(r"(--[a-z][a-z-]*)", PAGE))
    assert named <= {option for parameter in render.params for option in parameter.opts}
    assert {"--set", "--hub", "--recipe", "--task", "--json"} <= named

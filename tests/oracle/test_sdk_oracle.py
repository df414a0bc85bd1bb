"""The SageMaker SDK itself, asked for the job of every public recipe: ours differs only where it is written down.

`make oracle` makes the SDK's environment. ORACLE_PYTHON names the Python of another one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lambda_handlers.recipes import Recipe
from tests.oracle.live_cases import Case, body, cases, for_the_sdk, rendered
from tests.recipes.oracle_support import DOCUMENT, all_differences, channels, differences, members, sent, written_down
from tests.recipes.public_recipes import ON_TRAINING_JOBS

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("ORACLE_PYTHON") or str(ROOT / ".venv-oracle" / "bin" / "python")
CASES = cases()

pytestmark = pytest.mark.long


class Both(NamedTuple):
    """Our request and recipe, and the SDK's."""

    ours: Mapping[str, Any]
    recipe: Recipe
    theirs: Mapping[str, Any]
    uploaded: str


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    answers = asked({name: for_the_sdk(case) for name, case in CASES.items()}, tmp_path_factory.mktemp("home"))
    return {name: _both(case, answers[name]) for name, case in CASES.items()}


def _both(case: Case, answer: Mapping[str, Any]) -> Both:
    recipe = rendered(case)
    return Both(sent(body(case, recipe)), recipe, answer["request"], answer["recipe"])


def asked(wanted: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return what the SDK sends, from a process that knows nothing of this machine's settings and credentials."""
    assert Path(PYTHON).exists(), f"{PYTHON} does not exist; `make oracle` makes it and runs these tests"
    environment = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "AWS_ACCESS_KEY_ID": "dummy",
        "AWS_SECRET_ACCESS_KEY": "dummy",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # uploads as they are, not in chunks
    }
    command = [PYTHON, "-I", "-W", "ignore", str(Path(__file__).with_name("sdk_requests.py"))]
    ended = subprocess.run(
        command, input=json.dumps(wanted), env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return dict(json.loads(ended.stdout))


def test_every_recipe_of_training_jobs_is_asked_for() -> None:
    assert {case.recipe for case in CASES.values()} == set(ON_TRAINING_JOBS)


@pytest.mark.parametrize("recipe", ON_TRAINING_JOBS)
def test_the_requests_differ_only_where_it_is_written_down(recipe: str, found: dict[str, Both]) -> None:
    for name, both in _of(recipe, found):
        assert differences(both.ours, both.theirs) <= written_down(), name
        assert channels(both.ours) == channels(both.theirs), name


@pytest.mark.parametrize("recipe", ON_TRAINING_JOBS)
def test_the_recipe_is_the_one_that_the_sdk_uploads(recipe: str, found: dict[str, Both]) -> None:
    for name, both in _of(recipe, found):
        assert both.recipe.yaml_text == both.uploaded, name


def _of(recipe: str, found: Mapping[str, Both]) -> list[tuple[str, Both]]:
    return [(name, both) for name, both in found.items() if CASES[name].recipe == recipe]


def test_no_row_of_the_table_is_stale(found: dict[str, Both]) -> None:
    assert all_differences((both.ours, both.theirs) for both in found.values()) == written_down()


def test_the_figures_written_down_are_those_of_this_comparison(found: dict[str, Both]) -> None:
    figures = (
        f"{len(ON_TRAINING_JOBS)} recipes, {len(found)} requests, "
        f"{sum(members(both.theirs) for both in found.values())} members of the SDK's"
    )
    assert figures in " ".join(DOCUMENT.read_text(encoding="utf-8").split())

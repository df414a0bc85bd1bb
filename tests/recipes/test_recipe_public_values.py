"""Every public recipe that runs on training jobs, and continued pre-training: each leaf is the public value.

Expected values stand in public_recipes.yaml, which is of the public recipes and no output of ours. Left out, because
nothing here customizes by them: DPO (a method the workflow has not), distillation, and the recipes of other platforms.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambda_handlers.catalog import MODELS, combinations
from lambda_handlers.recipes import arguments_before_a_run, documents, render
from lambda_handlers.recipes.template import leaves
from tests.recipes import public_recipes
from tests.recipes.public_recipes import NAMES, PUBLIC

HERE = Path(__file__).resolve()
SHARED = HERE.parents[3] / "shared" / "reference"


@pytest.mark.parametrize("name", NAMES)
def test_every_leaf_is_the_public_default(name: str) -> None:
    row, found = PUBLIC["recipes"][name], public_recipes.found(name)
    assert found.entry.name == name
    arguments = arguments_before_a_run(
        model=MODELS[row["model"]], work=public_recipes.work(name), spec=found.template.spec
    )
    rendered = render(*found.template, arguments, {})
    ours = {leaf.dotted: leaf.literal for leaf in leaves(rendered.values)}
    assert {key: (type(value), value) for key, value in ours.items()} == {
        key: (type(value), value) for key, value in public_recipes.values(name).items()
    }
    assert yaml.safe_load(rendered.yaml_text) == rendered.values


@pytest.mark.parametrize("name", NAMES)
def test_the_container_is_that_of_the_public_list(name: str) -> None:
    assert public_recipes.found(name).entry.image_uri == public_recipes.image(name)


def test_the_reward_evaluation_is_the_one_that_the_sdk_uploads() -> None:
    theirs = json.loads((HERE.parent / "oracle" / "eval-rft.json").read_text(encoding="utf-8"))["recipe"]
    function = documents.load(theirs)["rl_env"]["reward_lambda_arn"]
    found = public_recipes.found("nova_lite_2_0_p5_48xl_gpu_rft_eval")
    assert render(*found.template, {"reward_lambda_arn": function}, {}).yaml_text == theirs


def test_continued_pre_training_is_refused_on_training_jobs() -> None:
    for name in MODELS:
        assert combinations.check(name, "CPT", "SMTJ") == ["CPT runs only on SageMaker HyperPod; use platform SMHP."]
        assert combinations.check(name, "CPT", "SMHP") == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="no reference beside this checkout")
def test_no_public_recipe_is_forgotten() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (SHARED / "nova-recipes.md").read_text(encoding="utf-8").splitlines()
        if ".yaml |" in line
    ]
    on_jobs = {Path(row[0]).stem for row in rows if row[3] != "-" and not {"DPO", "distill"} & set(row[0].split("/"))}
    without_image = {Path(row[0]).stem for row in rows if row[0].startswith("evaluation/")}
    pretraining = {Path(row[0]).stem for row in rows if "/CPT/" in row[0]}
    assert len(rows) == 56
    assert on_jobs | without_image | pretraining == set(NAMES)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no reference beside this checkout")
@pytest.mark.parametrize("family", PUBLIC["families"])
def test_the_families_kept_here_are_the_reference(family: str) -> None:
    text = (SHARED / "nova-recipes.md").read_text(encoding="utf-8")
    members = [name for name in NAMES if PUBLIC["recipes"][name]["family"] == family]
    lines = [line for line in text.splitlines() if any(line.partition(": ")[0].endswith(f"(`{m}`)") for m in members)]
    (theirs,) = [dict(re.findall(r"`([\w.]+)`=(.+?)(?=, `[\w.]+`=|$)", line)) for line in lines]
    ours = PUBLIC["families"][family]
    assert set(ours) == set(theirs)
    published = {key for key in ours if key.endswith(("max_steps", "save_steps"))}  # the hub's defaults, see the file
    for key in set(ours) - published:
        assert json.dumps(ours[key]) == json.dumps(_as_number(json.loads(theirs[key]))), key


def _as_number(value: Any) -> Any:
    number = documents.as_number(value) if isinstance(value, str) else None
    return value if number is None else number

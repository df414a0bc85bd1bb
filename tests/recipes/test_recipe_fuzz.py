"""Whatever a hub or an author writes: a recipe within its spec, or one of the named errors."""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers import catalog
from lambda_handlers.catalog import EvaluationTask, Platform, TrainingMethod
from lambda_handlers.protocol.errors import RecipeInvalid, UnsupportedCombination
from lambda_handlers.recipes import OwnRecipe, Recipe, hub, own_recipe, render
from lambda_handlers.recipes.arguments import arguments_before_a_run
from lambda_handlers.recipes.template import leaves
from tests.recipes.hub_support import FakeS3, FakeSageMaker

FUZZ = settings(deadline=None, max_examples=150)  # a busy machine is not a failure

WORK: list[tuple[str, TrainingMethod | EvaluationTask]] = [
    ("NOVA_LITE_2", catalog.method("SFT_LORA")),
    ("NOVA_LITE_2", catalog.method("RFT_FULL")),
    ("NOVA_MICRO", catalog.method("SFT_FULL")),
    ("NOVA_PRO", catalog.evaluation_task("mmlu")),
]
CHOICES = st.sampled_from(WORK)

# Text that one reader or another takes for something else.
ODD_TEXT = st.sampled_from(
    [
        *("", "1e-5", "2.0e-05", "1E5", "0x1F", "0o7", "017", "1_000", "12:30:45", ".inf", "2026-06-01"),
        *("yes", "~", "null", "=", "<<", "a: b", "# x", "- x", "\u2028", "\ufeff"),
        *("{{max_steps}}", "${oc.select:run.name}", "${run.none}"),
    ]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT | st.text(max_size=8) | st.integers(-3, 10**7)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def template_of(model: str, work: TrainingMethod | EvaluationTask) -> hub.RecipeTemplate:
    content = hub.fetch(FakeSageMaker(), catalog.model(model))
    return hub.load_template(FakeS3(), hub.select(content, work, Platform.SMTJ, None))


TEMPLATES = {(model, work.name): template_of(model, work) for model, work in WORK}


def rendered(
    choice: tuple[str, TrainingMethod | EvaluationTask],
    found: hub.RecipeTemplate,
    overrides: Mapping[str, Any],
    own: OwnRecipe | None = None,
) -> Recipe:
    model, work = choice
    arguments = arguments_before_a_run(model=catalog.model(model), work=work, spec=found.spec)
    return render(found.template, found.spec, arguments, overrides, own)


def assert_sound(recipe: Recipe, found: hub.RecipeTemplate) -> None:
    """Assert that the text is what the values are, for PyYAML's YAML 1.1, and that each value is within its spec."""
    assert same(yaml.safe_load(recipe.yaml_text), recipe.values)
    assert "{{" not in recipe.yaml_text
    values = {leaf.path: leaf.literal for leaf in leaves(recipe.values)}
    for leaf in leaves(found.template):
        entry = found.spec.get(leaf.placeholder or "")
        if entry and leaf.path in values:
            assert_within(values[leaf.path], entry)


def assert_within(value: Any, entry: Mapping[str, Any]) -> None:
    """Assert by a reading of the spec that shares nothing with the one tested."""
    if value == entry.get("default") and isinstance(value, bool) == isinstance(entry.get("default"), bool):
        return
    kinds = {"float": float, "integer": int, "int": int, "string": str, "boolean": bool}
    kind = kinds.get(str(entry.get("type")))
    assert kind is None or type(value) is kind, (value, entry)
    assert not entry.get("enum") or value in entry["enum"], (value, entry)
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert entry.get("min", -math.inf) <= value <= entry.get("max", math.inf), (value, entry)


def same(one: Any, other: Any) -> bool:
    """Tell whether two trees are the same, 1 and 1.0 and True apart."""
    if isinstance(one, dict) and isinstance(other, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def paths(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where everything in a tree is, sections too."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    return [above, *(path for key, value in items for path in paths(value, (*above, key)))]


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the tree with the value at a path."""
    if not path:
        return value
    tree = copy.copy(tree)
    tree[path[0]] = changed(tree[path[0]], path[1:], value)
    return tree


@FUZZ
@given(data=st.data(), choice=CHOICES)
def test_any_recipe_of_ones_own_is_rendered_within_its_spec_or_refused(
    data: st.DataObject, choice: tuple[str, TrainingMethod | EvaluationTask]
) -> None:
    found = TEMPLATES[choice[0], choice[1].name]
    own: Any = dict(rendered(choice, found, {}).values)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(own)[1:]))
        own = changed(own, path, data.draw(VALUES))
    if data.draw(st.booleans()):
        own = {**own, data.draw(ODD_TEXT): data.draw(VALUES)}
    try:
        recipe = rendered(choice, found, {}, own_recipe.from_mapping(own))
    except RecipeInvalid:
        return
    assert_sound(recipe, found)


@FUZZ
@given(data=st.data(), choice=CHOICES)
def test_any_override_is_rendered_within_its_spec_or_refused(
    data: st.DataObject, choice: tuple[str, TrainingMethod | EvaluationTask]
) -> None:
    found = TEMPLATES[choice[0], choice[1].name]
    known = sorted({name for leaf in leaves(found.template) for name in (leaf.key, leaf.placeholder or leaf.dotted)})
    overrides = data.draw(st.dictionaries(st.sampled_from(known) | ODD_TEXT, VALUES, min_size=1, max_size=3))
    try:
        recipe = rendered(choice, found, overrides)
    except RecipeInvalid:
        return
    assert_sound(recipe, found)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def found_in(document: object, choice: tuple[str, TrainingMethod | EvaluationTask]) -> hub.RecipeTemplate:
    content = hub.fetch(FakeSageMaker(document), catalog.model(choice[0]))
    for instance_type in ("ml.p5.48xlarge", None):
        chosen = hub.select(content, choice[1], Platform.SMTJ, instance_type)
    return hub.load_template(FakeS3(), chosen)


@FUZZ
@given(data=st.data(), choice=CHOICES)
def test_any_hub_document_gives_a_recipe_or_a_named_error(
    data: st.DataObject, choice: tuple[str, TrainingMethod | EvaluationTask]
) -> None:
    sagemaker = FakeSageMaker()
    content = sagemaker.describe_hub_content(HubContentName=catalog.model(choice[0]).hub_content_name)
    document = json.loads(content["HubContentDocument"])
    for _ in range(data.draw(st.integers(1, 3))):
        document = changed(document, data.draw(st.sampled_from(paths(document))), data.draw(JSON_VALUES))
        if not isinstance(document, dict):
            break
    try:
        found_in(json.dumps(document), choice)
    except (RecipeInvalid, UnsupportedCombination):
        return


@FUZZ
@given(data=st.data(), choice=CHOICES)
def test_any_template_and_spec_of_the_hub_give_a_recipe_or_a_named_error(
    data: st.DataObject, choice: tuple[str, TrainingMethod | EvaluationTask]
) -> None:
    template, spec = TEMPLATES[choice[0], choice[1].name]
    files: list[Any] = [dict(template), dict(spec)]
    for _ in range(data.draw(st.integers(1, 3))):
        which = data.draw(st.integers(0, 1))
        files[which] = changed(files[which], data.draw(st.sampled_from(paths(files[which]))), data.draw(JSON_VALUES))
    texts = [yaml.safe_dump(files[0], sort_keys=False), json.dumps(files[1])]
    try:
        found = load(*texts)
        recipe = rendered(choice, found, {})
    except (RecipeInvalid, UnsupportedCombination):
        return
    assert same(yaml.safe_load(recipe.yaml_text), recipe.values)


@FUZZ
@given(
    texts=st.tuples(
        *[st.text(alphabet="ab:[]{}&*<-!?| '\"\n1.e{}$", max_size=40) | st.text(max_size=20) | st.binary(max_size=20)]
        * 2
    )
)
def test_any_bytes_of_the_hub_s_files_give_a_template_or_a_named_error(texts: tuple[str | bytes, str | bytes]) -> None:
    try:
        found = load(*texts)
        render(found.template, found.spec, {}, {})
    except RecipeInvalid:
        return


def load(template: str | bytes, spec: str | bytes) -> hub.RecipeTemplate:
    entry = hub.HubRecipe(
        name="x",
        display_name="x",
        instance_types=(),
        image_uri="i",
        template_uri="s3://b/t.yaml",
        spec_uri="s3://b/s.json",
    )

    class S3:
        def get_object(self, **request: Any) -> Mapping[str, Any]:
            text = template if request["Key"] == "t.yaml" else spec
            return {"Body": io.BytesIO(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)}

    return hub.load_template(S3(), entry)

"""The recipes of the snapshot: one row each, with its hub metadata, template and override spec.

Names, instance types, replicas and versions are those of aws/sagemaker-hyperpod-recipes at commit 2631995. Live hub
content may differ: it is read at run time, and this snapshot only stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambda_handlers.catalog import MODELS, NovaModel, Platform
from lambda_handlers.recipes.hub_snapshot import parameters, recipe_values
from lambda_handlers.recipes.hub_snapshot.parameters import ParameterSet
from lambda_handlers.recipes.hub_snapshot.recipe_values import Tree

_G12, _G48 = ("ml.g5.12xlarge", "ml.g6.12xlarge"), ("ml.g5.48xlarge", "ml.g6.48xlarge")
_P5_P4D = ("ml.p5.48xlarge", "ml.p4d.24xlarge", "ml.p5en.48xlarge")
_P5 = ("ml.p5.48xlarge", "ml.p5en.48xlarge")
_SFT_REPLICAS: Mapping[str, tuple[int, ...]] = {
    "NOVA_MICRO": (2, 4, 8),
    "NOVA_LITE": (4, 8, 16),
    "NOVA_LITE_2": (4, 8, 16, 32),
    "NOVA_PRO": (6, 12, 24),
}
"""On HyperPod; on training jobs the hub has one count for each recipe."""
_NOVA_DATA: Mapping[str, float] = {"code": 30.0, "general": 70.0}
_MICRO_EVALUATION = ("ml.p5.48xlarge", "ml.g5.12xlarge", "ml.g5.24xlarge", "ml.g6.12xlarge", "ml.g6.24xlarge")
_EVALUATION_TYPES: Mapping[str, tuple[str, ...]] = {
    "NOVA_MICRO": _MICRO_EVALUATION,
    "NOVA_LITE": (*_MICRO_EVALUATION, "ml.g6.48xlarge"),
    "NOVA_LITE_2": ("ml.p5.48xlarge", "ml.p4d.24xlarge"),
    "NOVA_PRO": ("ml.p5.48xlarge",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecipe:
    """Hold one recipe: `technique` is SFT, RLVR, CPT or empty for evaluation; `version` names its files in S3."""

    model: NovaModel
    name: str
    display_name: str
    technique: str
    lora: bool
    instance_types: tuple[str, ...]
    version: str
    values: Tree
    parameters: ParameterSet
    platform: Platform = Platform.SMTJ
    by_subscription: bool = False

    @property
    def evaluates(self) -> bool:
        """Return whether this is an evaluation recipe."""
        return not self.technique

    def template(self) -> Tree:
        """Return the recipe with '{{parameter}}' in the places that parameters feed."""
        tree = _copy(self.values)
        for name in self.parameters.entries:
            for place in self.parameters.places.get(name, ()):
                _put(tree, place.split("."), f"{{{{{name}}}}}")
        return tree

    def spec(self) -> dict[str, Any]:
        """Return the override spec, with the recipe's own values as defaults where none is declared."""
        return {name: self._with_default(name, entry) for name, entry in self.parameters.entries.items()}

    def _with_default(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        if "default" in entry or (name == "reward_lambda_arn" and self.evaluates):
            return dict(entry)
        return {**entry, "default": _get(self.values, self.parameters.places[name][0].split("."))}


def _copy(tree: Tree) -> Tree:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _put(tree: Tree, path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = value


def _get(tree: Any, path: list[str]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def recipes() -> Iterator[SnapshotRecipe]:
    """Yield every recipe of the snapshot."""
    yield from _supervised_1()
    yield from _nova_2()
    yield from _pretraining()
    yield from _reinforcement_on_hyperpod()
    for model in MODELS.values():
        yield from _evaluations(model)


def hyperpod_variants() -> Iterator[SnapshotRecipe]:
    """Yield the recipes that are for training jobs and for HyperPod alike, as they are for HyperPod."""
    for recipe in recipes():
        if recipe.platform is Platform.SMHP or (recipe.technique == "RLVR"):
            continue
        if recipe.evaluates:
            yield _on_hyperpod(recipe)
        elif "ml.p5.48xlarge" in recipe.instance_types:
            yield _on_hyperpod(recipe, _SFT_REPLICAS[recipe.model.name])


def with_data_mixing() -> Iterator[SnapshotRecipe]:
    """Yield the recipes of a Nova Forge subscription: training on HyperPod with data of Nova's own mixed in.

    Their categories are those that the customization SDK documents, and the name of the catalog is the snapshot's own:
    what a subscription has is only seen with one.
    """
    for recipe in (*hyperpod_variants(), *_pretraining()):
        if recipe.technique in ("SFT", "CPT"):
            catalog = f"nova-{recipe.technique.lower()}-text"
            yield replace(
                recipe,
                name=f"{recipe.name}_text_with_datamix",
                display_name=f"{recipe.display_name} with Data Mixing",
                values=recipe_values.with_data_mixing(recipe.values, catalog, dict(_NOVA_DATA)),
                parameters=parameters.with_data_mixing(recipe.parameters, _NOVA_DATA),
                by_subscription=True,
            )


def _on_hyperpod(recipe: SnapshotRecipe, replicas: tuple[int, ...] = ()) -> SnapshotRecipe:
    default = max(recipe.values["run"]["replicas"], replicas[0]) if replicas else 0
    types = recipe.instance_types
    allowed = parameters.on_hyperpod(recipe.parameters, instance_types=types, replicas=replicas, default=default)
    return replace(recipe, platform=Platform.SMHP, parameters=allowed)


def _supervised_1() -> Iterator[SnapshotRecipe]:
    """Yield supervised fine-tuning of Nova 1, by model, LoRA, hardware, types, length, batch, epochs, nodes."""
    rows: tuple[tuple[str, bool, str, tuple[str, ...], int, int, int, int], ...] = (
        ("NOVA_MICRO", True, "g5_g6_12x", _G12, 8192, 64, 2, 1),
        ("NOVA_MICRO", True, "g5_g6_48x", _G48, 8192, 64, 2, 1),
        ("NOVA_MICRO", True, "p5_p4d", _P5_P4D, 32768, 64, 2, 2),
        ("NOVA_MICRO", False, "g5_g6_48x", _G48, 4096, 64, 2, 1),
        ("NOVA_MICRO", False, "p5_p4d", _P5_P4D, 32768, 16, 1, 2),
        ("NOVA_LITE", True, "g5_g6_12x", _G12, 8192, 64, 2, 1),
        ("NOVA_LITE", True, "g5_g6_48x", _G48, 8192, 64, 2, 1),
        ("NOVA_LITE", True, "p5_p4d", _P5_P4D, 32768, 64, 2, 4),
        ("NOVA_LITE", False, "p5_p4d", _P5_P4D, 32768, 16, 1, 4),
        ("NOVA_PRO", True, "p5_p4d", _P5_P4D, 32768, 32, 2, 6),
        ("NOVA_PRO", False, "p5", _P5, 32768, 16, 2, 6),
    )
    for name, lora, hardware, types, length, batch, epochs, replicas in rows:
        model, rank = MODELS[name], "lora_sft" if lora else "sft"
        yield SnapshotRecipe(
            model=model,
            name=f"{name.lower()}_1_0_{hardware}_gpu_{rank}",
            display_name=f"{_title(model)} {'LoRA ' if lora else ''}SFT on GPU",
            technique="SFT",
            lora=lora,
            instance_types=types,
            version="2.2.0" if hardware.startswith("g5") else "1.2.0",
            values=recipe_values.supervised_1(
                model, lora=lora, max_length=length, batch=batch, epochs=epochs, replicas=replicas
            ),
            parameters=parameters.supervised_1(lora=lora),
        )


def _nova_2() -> Iterator[SnapshotRecipe]:
    model = MODELS["NOVA_LITE_2"]
    for lora, rank, version in ((True, "lora_", "2.5.0"), (False, "", "2.4.0")):
        yield SnapshotRecipe(
            model=model,
            name=f"nova_lite_2_0_p5_gpu_{rank}sft",
            display_name=f"Nova Lite {'LoRA ' if lora else ''}SFT on P5 GPU",
            technique="SFT",
            lora=lora,
            instance_types=("ml.p5.48xlarge", "ml.p5en.48xlarge", "ml.p4d.24xlarge"),
            version=version,
            values=recipe_values.supervised_2(model, lora=lora, replicas=1 if lora else 4),
            parameters=parameters.supervised_2(lora=lora),
        )
        yield SnapshotRecipe(
            model=model,
            name=f"nova_lite_v2_smtj_p5_p5en_gpu_{rank}rft",
            display_name=f"Nova Lite V2 {'LoRA' if lora else 'Full Rank'} RLVR SMTJ training on GPU",
            technique="RLVR",
            lora=lora,
            instance_types=_P5,
            version="2.2.0",
            values=recipe_values.reinforcement_2(model, lora=lora),
            parameters=parameters.reinforcement_2(lora=lora),
        )


def _pretraining() -> Iterator[SnapshotRecipe]:
    rows: tuple[tuple[str, str, str, int, tuple[int, ...], str], ...] = (
        ("NOVA_MICRO", "nova_micro_1_0_p5x8", "GPU", 8, (2, 4, 8, 16, 32), "1.2.0"),
        ("NOVA_LITE", "nova_lite_1_0_p5x16", "GPU", 16, (4, 8, 16, 32), "1.2.0"),
        ("NOVA_PRO", "nova_pro_1_0_p5x24", "GPU", 24, (6, 12, 24), "1.2.0"),
        ("NOVA_LITE_2", "nova_lite_2_0_p5x8", "P5 GPU", 8, (4, 8, 16, 32), "2.2.0"),
    )
    for name, stem, hardware, replicas, allowed, version in rows:
        model = MODELS[name]
        make = recipe_values.pretraining_2 if model.version == 2 else recipe_values.pretraining_1
        yield SnapshotRecipe(
            model=model,
            name=f"{stem}_gpu_pretrain",
            display_name=f"{_title(model).removesuffix(' 2.0')} Pretrain on {hardware}",
            technique="CPT",
            lora=False,
            instance_types=("ml.p5.48xlarge",),
            version=version,
            values=make(model, replicas=replicas),
            parameters=parameters.on_hyperpod(
                parameters.pretraining(version=model.version),
                instance_types=("ml.p5.48xlarge",),
                replicas=allowed,
                default=replicas,
            ),
            platform=Platform.SMHP,
        )


def _reinforcement_on_hyperpod() -> Iterator[SnapshotRecipe]:
    model = MODELS["NOVA_LITE_2"]
    for lora, rank, title in ((True, "lora_", " (PEFT)"), (False, "", "")):
        allowed = parameters.reinforcement_2_hyperpod(lora=lora)
        yield SnapshotRecipe(
            model=model,
            name=f"nova_lite_2_0_p5_gpu_{rank}rft",
            display_name=f"Nova Lite RLVR Training{title}",
            technique="RLVR",
            lora=lora,
            instance_types=_P5,
            version="2.2.0",
            values=recipe_values.reinforcement_2_hyperpod(model, lora=lora, replicas=2),
            parameters=parameters.on_hyperpod(allowed, instance_types=_P5, replicas=(2, 4, 8, 16), default=2),
            platform=Platform.SMHP,
        )


def without_hub_entry() -> Iterator[SnapshotRecipe]:
    """Yield the public recipes that the hub has no entry for: judges, and evaluations by a reward function."""
    for model in MODELS.values():
        version = model.version
        kind = "Rubric LLM Judge" if version == 2 else "LLM Judge"
        yield _evaluation(model, kind, recipe_values.judge(model), parameters.judge(version=version))
        yield _evaluation(model, "RFT", recipe_values.reward(model), parameters.reward(version=version))


def _evaluations(model: NovaModel) -> Iterator[SnapshotRecipe]:
    version = model.version
    benchmark = parameters.benchmark(version=version)
    yield _evaluation(model, "General Text Benchmark", recipe_values.benchmark(model, task="mmlu"), benchmark)
    if model.multimodal:
        values = recipe_values.benchmark(model, task="mmmu")
        yield _evaluation(model, "General Multi-Modal Benchmark", values, benchmark)
    own = parameters.own_dataset(version=version)
    yield _evaluation(model, "Bring Your Own Dataset", recipe_values.own_dataset(model), own)


def _evaluation(model: NovaModel, kind: str, values: Tree, allowed: ParameterSet) -> SnapshotRecipe:
    stem = "nova_lite_2_0" if model.version == 2 else f"{model.name.lower()}_1_0"
    return SnapshotRecipe(
        model=model,
        name=f"{stem}_p5_48xl_gpu_{kind.lower().replace(' ', '_').replace('-', '_')}_eval",
        display_name=f"{_title(model)} {kind} Evaluation on P5",
        technique="",
        lora=False,
        instance_types=_EVALUATION_TYPES[model.name],
        version="2.3.0",
        values=values,
        parameters=allowed,
    )


def _title(model: NovaModel) -> str:
    return "Nova Lite 2.0" if model.version == 2 else model.name.replace("_", " ").title()

"""The instance tables are the seed's, row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambda_handlers.catalog import UnknownNameError, instances
from lambda_handlers.catalog.instances import TABLES, InstanceOption, Work
from lambda_handlers.catalog.methods import Technique
from lambda_handlers.catalog.platforms import Platform

SHARED = Path(__file__).resolve().parents[3] / "shared"  # reference material, where it lies beside the checkout

MODELS = {"Micro": "NOVA_MICRO", "Lite": "NOVA_LITE", "Lite 2.0": "NOVA_LITE_2", "Pro": "NOVA_PRO"}
RANKS = {"LoRA": (True,), "Full-Rank": (False,), "LoRA, Full-Rank": (True, False), "": (None,)}
G6 = "ml.g6.4xlarge, ml.g6.8xlarge, ml.g6.12xlarge, ml.g6.16xlarge, ml.g6.24xlarge, ml.g6.48xlarge"
MICRO_EVALUATION = f"ml.g5.4xlarge, ml.g5.8xlarge, ml.g5.12xlarge, ml.g5.16xlarge, ml.g5.24xlarge, {G6}, ml.p5.48xlarge"
LITE_EVALUATION = "ml.g5.12xlarge, ml.g5.24xlarge, ml.g6.12xlarge, ml.g6.24xlarge, ml.g6.48xlarge, ml.p5.48xlarge"
EVALUATION = (
    ("Micro", "", MICRO_EVALUATION),
    ("Lite", "", LITE_EVALUATION),
    ("Lite 2.0", "", "ml.p4d.24xlarge, ml.p5.48xlarge"),
    ("Pro", "", "ml.p5.48xlarge"),
)
MICRO_SMALL = "ml.g5.12xlarge (1), ml.g5.48xlarge (1), ml.g6.12xlarge (1), ml.g6.48xlarge (1)"
LITE_2 = "ml.p5.48xlarge (4, 8, 16), ml.p5en.48xlarge (4, 8, 16)"

ROWS: dict[tuple[str, str], tuple[tuple[str, str, str], ...]] = {
    ("SMTJ", "SFT"): (
        ("Micro", "LoRA", f"{MICRO_SMALL}, ml.p4d.24xlarge (2, 4), ml.p5.48xlarge (2, 4)"),
        ("Micro", "Full-Rank", "ml.g5.48xlarge (1), ml.g6.48xlarge (1), ml.p4d.24xlarge (2, 4), ml.p5.48xlarge (2, 4)"),
        ("Lite", "LoRA", f"{MICRO_SMALL}, ml.p4d.24xlarge (4, 8, 16), ml.p5.48xlarge (4, 8, 16)"),
        ("Lite", "Full-Rank", "ml.p4d.24xlarge (4, 8, 16), ml.p5.48xlarge (4, 8, 16)"),
        ("Lite 2.0", "LoRA, Full-Rank", LITE_2),
        ("Pro", "LoRA", "ml.p4d.24xlarge (6, 12, 24), ml.p5.48xlarge (6, 12, 48)"),
        ("Pro", "Full-Rank", "ml.p5.48xlarge (3, 6, 12, 24)"),
    ),
    ("SMTJ", "RFT"): (("Lite 2.0", "LoRA, Full-Rank", "ml.p5.48xlarge (4), ml.p5en.48xlarge (4)"),),
    ("SMTJ", "Evaluation"): EVALUATION,
    ("SMHP", "CPT"): (
        ("Micro", "", "ml.p5.48xlarge (2, 4, 8, 16, 32)"),
        ("Lite", "", "ml.p5.48xlarge (4, 8, 16, 32)"),
        ("Lite 2.0", "", "ml.p5.48xlarge (4, 8, 16, 32)"),
        ("Pro", "", "ml.p5.48xlarge (6, 12, 24)"),
    ),
    ("SMHP", "SFT"): (
        ("Micro", "LoRA, Full-Rank", "ml.p5.48xlarge (2, 4, 8)"),
        ("Lite", "LoRA, Full-Rank", "ml.p5.48xlarge (4, 8, 16)"),
        ("Lite 2.0", "LoRA, Full-Rank", LITE_2),
        ("Pro", "LoRA, Full-Rank", "ml.p5.48xlarge (6, 12, 48)"),
    ),
    ("SMHP", "RFT"): (("Lite 2.0", "LoRA, Full-Rank", "ml.p5.48xlarge (2, 4, 8, 16)"),),
    ("SMHP", "Evaluation"): EVALUATION,
}


def _options(cell: str) -> tuple[InstanceOption, ...]:
    found = re.findall(r"(ml\.[\w.]+)(?: \(([\d, ]+)\))?", cell)
    return tuple(
        InstanceOption(type=name, counts=tuple(map(int, counts.split(", "))) if counts else (1, 2, 4, 8, 16))
        for name, counts in found
    )


def _keyed(rows: dict[tuple[str, str], tuple[tuple[str, str, str], ...]]) -> dict[object, tuple[InstanceOption, ...]]:
    return {
        (Platform(where), Technique(work.upper()), MODELS[model], lora): _options(cell)
        for (where, work), table in rows.items()
        for model, rank, cell in table
        for lora in RANKS[rank]
    }


def _seed_rows(text: str) -> dict[tuple[str, str], tuple[tuple[str, str, str], ...]]:
    """Read the tables under '#### …RuntimeManager (…)' and '__SFT__' as (model, rank, options) rows."""
    where = work = ""
    rows: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            where, work = {"SMTJ": "SMTJ", "SMHP": "SMHP"}.get(line.strip("# ")[:4], ""), ""
        elif heading := re.fullmatch(r"__(\w+)__", line.strip()):
            work = heading[1]
        elif where and work and line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|\n").split("|")]
            if cells[0] in MODELS:
                rows.setdefault((where, work), []).append((cells[0], "" if len(cells) == 2 else cells[1], cells[-1]))
    return {key: tuple(table) for key, table in rows.items()}


def test_the_tables_hold_every_row_and_nothing_else() -> None:
    assert dict(TABLES) == _keyed(ROWS)
    assert len(TABLES) == 32


@pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="the seed document is not beside this checkout")
def test_the_rows_expected_here_are_those_of_the_seed_document() -> None:
    (seed,) = (SHARED / "seeds").glob("*.txt")
    assert _keyed(_seed_rows(seed.read_text(encoding="utf-8"))) == _keyed(ROWS)


def test_allowed_reads_the_row_of_the_method_and_platform() -> None:
    assert instances.allowed(Work.TRAINING, "nova_lite_2", "sft_lora", "smtj") == _options(LITE_2)
    assert instances.allowed(Work.TRAINING, "NOVA_MICRO", "SFT_FULL", "SMTJ")[0] == _options("ml.g5.48xlarge (1)")[0]
    assert instances.allowed(Work.TRAINING, "NOVA_LITE", "RFT_LORA", "SMTJ") == ()


def test_evaluation_reads_its_own_row_whatever_the_method() -> None:
    expected = _options("ml.p4d.24xlarge, ml.p5.48xlarge")
    assert instances.allowed(Work.EVALUATION, "NOVA_LITE_2", "SFT_LORA", "SMTJ") == expected
    assert instances.allowed(Work.TRAINING, "NOVA_LITE_2", "EVALUATION", "SMHP") == expected


def test_allowed_refuses_a_name_that_does_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean NOVA_LITE"):
        instances.allowed(Work.TRAINING, "NOVA_LIGHT", "SFT_LORA", "SMTJ")


def test_check_says_what_is_documented() -> None:
    def check(kind: str, count: int) -> list[str]:
        return instances.check(
            Work.TRAINING, "NOVA_LITE_2", "SFT_LORA", "SMTJ", instance_type=kind, instance_count=count
        )

    assert check("ml.p5.48xlarge", 4) == []
    assert check("ml.p5.48xlarge", 2) == [
        "2 x ml.p5.48xlarge is not documented for NOVA_LITE_2 training on SMTJ; documented counts: 4, 8, 16."
    ]
    assert check("ml.g5.12xlarge", 1) == [
        "ml.g5.12xlarge is not documented for NOVA_LITE_2 training on SMTJ; "
        "documented instance types: ml.p5.48xlarge, ml.p5en.48xlarge."
    ]

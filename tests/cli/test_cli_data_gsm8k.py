"""`nova data prepare` on a real dataset, for every kind of target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_support import Nova

GSM8K = Path(__file__).resolve().parents[3] / "shared" / "data" / "gsm8k" / "train.jsonl"
pytestmark = pytest.mark.skipif(not GSM8K.is_file(), reason="the dataset is not beside this checkout")

Take = Callable[[dict[str, Any]], str]


def spoken(row: dict[str, Any]) -> str:
    return str(row["messages"][-1]["content"][-1]["text"])


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str, Take]] = {
    "sft-1": (("NOVA_PRO", "SFT_LORA"), (), "train.jsonl", spoken),
    "sft-2": (("NOVA_LITE_2", "SFT_FULL"), (), "train.jsonl", spoken),
    "rft": (("NOVA_LITE_2", "RFT_LORA"), ("reference_answer=answer",), "train.jsonl",
            lambda row: row["reference_answer"]),
    "gen_qa": (("NOVA_LITE_2", "EVALUATION"), ("query=question,response=answer",), "gen_qa.jsonl",
               lambda row: row["response"]),
    "cpt": (("NOVA_LITE_2", "CPT"), ("text=answer",), "train.jsonl", lambda row: row["text"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_row_is_good_and_every_final_answer_survives(nova: Nova, tmp_path: Path, case: str) -> None:
    (model, method), columns, name, take = CASES[case]
    target = ("--model", model, "--method", method)
    mapped = [each for column in columns for each in ("--columns", column)]

    prepared = nova("data", "prepare", GSM8K, *target, *mapped, "--output", tmp_path, "--json")
    validated = nova("data", "validate", tmp_path / name, *target, "--json")

    given = [str(row["answer"]) for row in rows_of(GSM8K)]
    made = rows_of(tmp_path / name)
    rows = json.loads(prepared.out)["rows"]
    assert (prepared.code, validated.code) == (0, 0), prepared.out + validated.out
    assert rows["in"] == len(given) == sum(count for key, count in rows.items() if key != "in")
    assert json.loads(validated.out)["rows"] == {"in": rows["out"], "out": rows["out"]} | dict.fromkeys(
        ("rejected", "duplicate", "leaked", "over_limit"), 0
    )
    assert [take(row) for row in made] == given
    assert all("\n#### " in take(row) for row in made)

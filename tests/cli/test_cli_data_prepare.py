"""`nova data prepare` and `nova data validate` on small local files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_support import Nova

LITE = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA")
ROWS = [{"question": f"What is {n} + {n}?", "answer": f"It is {2 * n}."} for n in range(40)]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.jsonl", ROWS)


def test_every_good_row_is_written_and_counted(nova: Nova, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    ran = nova("data", "prepare", source, *LITE, "--output", out, "--json")

    told = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert told["rows"] == {"in": 40, "out": 40, "rejected": 0, "duplicate": 0, "leaked": 0, "over_limit": 0}
    assert (told["error"], told["cause"], told["status"]) == (None, None, "accepted")
    assert told["manifest_uri"] == str(out / "manifest.json")
    assert [row["messages"][0]["content"][0]["text"] for row in lines(out / "train.jsonl")] == [
        row["question"] for row in ROWS
    ]
    assert {path.name for path in out.iterdir()} == {"train.jsonl", "quarantine.jsonl", "manifest.json"}


def test_people_get_the_counts_and_where_the_files_are(nova: Nova, source: Path, tmp_path: Path) -> None:
    ran = nova("data", "prepare", source, *LITE, "--output", tmp_path / "out")

    first, second, *rest = ran.out.splitlines()
    assert first.split() == ["IN", "OUT", "REJECTED", "DUPLICATE", "LEAKED", "OVER", "LIMIT"]
    assert second.split() == ["40", "40", "0", "0", "0", "0"]
    assert str(tmp_path / "out" / "manifest.json") in rest
    assert (ran.code, ran.err) == (0, "")


def test_a_rejected_dataset_exits_1_with_the_counts_the_rules_and_the_cause(nova: Nova, tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [*ROWS, {"question": "Why?", "answer": "  "}, {"question": "Why?"}])
    command = ("data", "prepare", source, *LITE, "--output", tmp_path / "out")

    ran, told = nova(*command), json.loads(nova(*command, "--json").out)

    assert ran.code == 1
    assert "missing_text" in ran.out
    assert "row 41" in ran.out
    assert "2 of 42 rows (4.76%) were rejected" in ran.err
    assert told["error"] == "DatasetRejected"
    assert "2 of 42 rows" in told["cause"]
    assert told["rows"]["rejected"] == 2
    assert told["rules"] == {"missing_column": 1, "missing_text": 1}
    assert [row["row"] for row in lines(tmp_path / "out" / "quarantine.jsonl")] == [41, 42]


def test_the_ratio_decides_what_is_rejected(nova: Nova, tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [*ROWS, {"question": "Why?", "answer": ""}])

    ran = nova("data", "prepare", source, *LITE, "--output", tmp_path / "out", "--max-reject-ratio", "0.05", "--json")

    assert (ran.code, json.loads(ran.out)["rows"]["rejected"]) == (0, 1)


def test_columns_are_mapped_however_they_are_given(nova: Nova, tmp_path: Path) -> None:
    rows = [{"the, question": row["question"], "a=b": row["answer"], "s": "Be brief."} for row in ROWS]
    source = write(tmp_path / "rows.jsonl", rows)
    columns = ("--columns", '"question=the, question",answer=a=b', "--columns", "system=s")

    ran = nova("data", "prepare", source, *LITE, *columns, "--output", tmp_path / "out")

    assert ran.code == 0
    first = lines(tmp_path / "out" / "train.jsonl")[0]
    assert first["system"] == [{"text": "Be brief."}]
    assert first["messages"][1]["content"] == [{"text": "It is 0."}]


@pytest.mark.parametrize("shares", [["--split"], ["--split", "0.8,0.1,0.1"], ["--split=0.8,0.1,0.1"]])
def test_split_may_stand_before_the_input(nova: Nova, source: Path, tmp_path: Path, shares: list[str]) -> None:
    ran = nova("data", "prepare", *LITE, "--output", tmp_path / "out", *shares, source, "--json")

    assert ran.code == 0
    counts = {Path(each["uri"]).name: each["rows"] for each in json.loads(ran.out)["outputs"]}
    assert counts == {"train.jsonl": 32, "validation.jsonl": 4, "test.jsonl": 4, "quarantine.jsonl": 0}


def test_all_operations_leave_counts_that_add_up(nova: Nova, tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [*ROWS, *ROWS[:5], *({**row, "answer": "Else."} for row in ROWS)])
    asked = write(tmp_path / "asked.jsonl", [{"query": ROWS[7]["question"].upper(), "response": "14"}])
    operations = ("--split", "--dedupe", "--limit", 60, "--seed", 7, "--no-leak-with", asked)

    ran = nova("data", "prepare", source, *LITE, "--output", tmp_path / "out", *operations, "--json")

    told = json.loads(ran.out)
    rows = told["rows"]
    assert ran.code == 0
    assert rows["in"] == 85 == sum(count for name, count in rows.items() if name != "in")
    assert (rows["duplicate"], rows["over_limit"]) == (5, 20)
    assert rows["leaked"] >= 1
    trained = (tmp_path / "out" / "train.jsonl").read_text()
    assert ROWS[7]["question"] not in trained


def test_the_same_command_gives_the_same_bytes(nova: Nova, source: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        nova("data", "prepare", source, *LITE, "--output", tmp_path / out, "--split", "--seed", 3)

    for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_validate_takes_what_prepare_made_and_refuses_what_it_has_not(nova: Nova, source: Path, tmp_path: Path) -> None:
    nova("data", "prepare", source, *LITE, "--output", tmp_path / "out")

    made = nova("data", "validate", tmp_path / "out" / "train.jsonl", *LITE, "--json")
    raw = nova("data", "validate", source, *LITE, "--json")

    assert (made.code, json.loads(made.out)["rows"]["out"]) == (0, 40)
    assert (raw.code, json.loads(raw.out)["error"]) == (1, "DatasetRejected")
    assert json.loads(raw.out)["rows"]["rejected"] == 40


def test_validate_writes_nothing(nova: Nova, source: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))

    nova("data", "validate", source, *LITE)

    assert sorted(tmp_path.rglob("*")) == before


def test_convert_turns_chat_rows_around(nova: Nova, tmp_path: Path) -> None:
    chats = [
        {"messages": [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]}
        for row in ROWS
    ]
    source = write(tmp_path / "chats.jsonl", chats)

    there = nova("data", "convert", source, "--to", "CONVERSE", "--output", tmp_path / "c", "--json")
    back = nova("data", "convert", tmp_path / "c" / "converse.jsonl", "--to", "openai", "--output", tmp_path / "o")

    assert (there.code, back.code) == (0, 0), there.out + back.err
    assert lines(tmp_path / "c" / "converse.jsonl")[1]["messages"][0]["content"] == [{"text": "What is 1 + 1?"}]
    assert lines(tmp_path / "o" / "openai.jsonl") == chats

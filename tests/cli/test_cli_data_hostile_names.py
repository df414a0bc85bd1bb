"""Names of files and content of rows that are made to do harm: nothing of them commands the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_support import Nova

LITE = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA")
ROW = '{"question": "a", "answer": "b"}\n'
ESCAPE = "\x1b[2J\x1b]0;title\x07"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(ROW * 10)
    return tmp_path


def test_an_error_writes_no_control_characters_of_a_name(nova: Nova) -> None:
    ran = nova("data", "show", f"no{ESCAPE}where.jsonl")

    assert (ran.code, ran.out) == (2, "")
    assert "no\\x1b[2J\\x1b]0;title\\x07where.jsonl" in ran.err
    assert ran.err.replace("\n", "").isprintable()


def test_the_lines_of_an_error_stay_lines(nova: Nova) -> None:
    ran = nova("data", "prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", f"x{ESCAPE}")

    assert ran.err.splitlines()[1] == "  received: x\\x1b[2J\\x1b]0;title\\x07"


def test_the_table_of_files_writes_no_control_characters_of_a_name(nova: Nova) -> None:
    ran = nova("data", "prepare", "rows.jsonl", *LITE, "--output", f"out{ESCAPE}")

    assert ran.code == 0
    assert "out\\x1b[2J\\x1b]0;title\\x07/train.jsonl" in ran.out
    assert "out\\x1b[2J\\x1b]0;title\\x07/manifest.json" in ran.out
    assert ran.out.replace("\n", "").isprintable()


def test_a_rejection_writes_no_control_characters_of_a_row(nova: Nova, folder: Path) -> None:
    key = f"k{ESCAPE}"
    row = json.dumps({"messages": [], key: 1})[:-1] + f", {json.dumps(key)}: 2}}\n"
    (folder / f"bad{ESCAPE}.jsonl").write_text(row)

    ran = nova("data", "prepare", f"bad{ESCAPE}.jsonl", *LITE, "--output", "out")

    assert ran.code == 1
    assert "Error: the dataset is rejected" in ran.err
    assert "\\x1b[2J" in ran.err
    assert (ran.out + ran.err).replace("\n", "").isprintable()

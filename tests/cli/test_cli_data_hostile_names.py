"""Names of files and content of rows that are made to do harm: nothing of them commands the terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nova_constructs.cli.data import places
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


NOT_UTF8 = os.fsdecode(b"bad\xff")


@pytest.mark.parametrize("kind", ["file", "folder", "file in a folder"])
@pytest.mark.parametrize("command", ["prepare", "validate", "show", "convert"])
def test_an_input_whose_name_is_not_utf8_is_bad_input(nova: Nova, folder: Path, kind: str, command: str) -> None:
    given = f"{NOT_UTF8}.jsonl" if kind == "file" else NOT_UTF8 if kind == "folder" else "plain"
    place = folder / given
    if kind != "file":
        place.mkdir()
        place /= f"{NOT_UTF8}.jsonl" if kind == "file in a folder" else "rows.jsonl"
    place.write_text(ROW)
    options = {
        "prepare": (*LITE, "--output", "out"),
        "validate": LITE,
        "show": (),
        "convert": ("--to", "openai", "--output", "out"),
    }

    ran = nova("data", command, given, *options[command])
    told = nova("data", command, given, *options[command], "--json")

    assert (ran.code, told.code, ran.out) == (2, 2, "")
    assert "bad\\xff" in ran.err
    assert "is not UTF-8: rename" in ran.err
    assert json.loads(told.out)["error"] == "InvalidRequest"
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("rows.jsonl", "--output", NOT_UTF8),
        ("rows.jsonl", "--output", f"s3://bucket/{NOT_UTF8}"),
        (f"s3://bucket/{NOT_UTF8}.jsonl", "--output", "out"),
        ("rows.jsonl", "--output", "out", "--no-leak-with", f"{NOT_UTF8}.jsonl"),
    ],
    ids=["output", "output on S3", "input on S3", "evaluation set"],
)
def test_any_other_place_whose_name_is_not_utf8_is_bad_input(
    nova: Nova, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(places, "client", lambda _service: None)
    (folder / f"{NOT_UTF8}.jsonl").write_text(ROW)

    ran = nova("data", "prepare", *LITE, *options)

    assert (ran.code, ran.out) == (2, "")
    assert "is not UTF-8: rename" in ran.err
    assert not (folder / "out").exists()
    assert not (folder / NOT_UTF8).exists()


@pytest.mark.parametrize(
    ("option", "name"), [("--columns=question={}", "columns"), ("--system-prompt={}", "system_prompt")]
)
def test_an_option_that_is_not_utf8_is_bad_input(nova: Nova, folder: Path, option: str, name: str) -> None:
    ran = nova("data", "prepare", "rows.jsonl", *LITE, "--output", "out", option.format(NOT_UTF8), "--json")

    assert ran.code == 2
    assert f'{name} holds "bad\\xff", which is not UTF-8' in json.loads(ran.out)["cause"]
    assert not (folder / "out").exists()

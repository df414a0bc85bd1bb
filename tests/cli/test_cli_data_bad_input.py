"""What `nova data` refuses: the exit code, the reason, and with --json exactly one object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_support import Nova

LITE = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA")
ROW = '{"question": "a", "answer": "b"}\n'


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text(ROW * 10)
    return path


CASES = [
    (["prepare", *LITE, "--output", "out"], "Missing argument 'INPUT...'"),
    (["prepare", "rows.jsonl", "--output", "out"], "Missing option '--model'"),
    (["prepare", "rows.jsonl", *LITE], "Missing option '--output'"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--colums", "a=b"], "No such option '--colums'"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--max-reject-ratio", "2"], "0<=x<=1"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--max-reject-ratio", "nan"], "0<=x<=1"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--max-reject-ratio", "inf"], "0<=x<=1"),
    (["validate", "rows.jsonl", *LITE, "--max-reject-ratio", "-NaN"], "0<=x<=1"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--limit", "0"], "x>=1"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", "question"], "--columns cannot be read"),
    (
        ["prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", "question=a\nanswer=b"],
        "--columns cannot be read",
    ),
    (
        ["prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", "question=a\ranswer=b"],
        "--columns cannot be read",
    ),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", "question=a,question=b"], "gives question twice"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--columns", "qestion=a"], "'question'"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--split", "0.8,0.2"], "--split needs three shares"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--split", "80/10/10"], "--split needs three shares"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--split=a,b,c"], "--split needs three shares"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--split", "0.8,0.1,0.2"], "add up to 1.1, not 1"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--split-by", "content"], "--split-by goes with --split"),
    (["prepare", "rows.jsonl", *LITE, "--output", "out", "--no-leak"], "--no-leak has nothing to compare"),
    (["prepare", "rows.jsonl", "--model", "NOVA_LITE2", "--method", "SFT_LORA", "--output", "out"], "NOVA_LITE_2"),
    (["prepare", "rows.jsonl", "--model", "NOVA_PRO", "--method", "SFT_LORE", "--output", "out"], "SFT_LORA"),
    (["prepare", "rows.jsonl", *LITE, "--eval-task", "gen_qa", "--output", "out"], "EVALUATION"),
    (["prepare", "nowhere.jsonl", *LITE, "--output", "out"], "nowhere.jsonl"),
    (["prepare", "rows.txt", *LITE, "--output", "out"], "rows.txt"),
    (["validate", "nowhere.jsonl", *LITE], "nowhere.jsonl"),
    (["convert", "rows.jsonl", "--to", "opnai", "--output", "out"], "openai"),
    (["show", "nowhere.jsonl"], "nowhere.jsonl"),
    (["show", "rows.jsonl", "-n", "0"], "x>=1"),
]


@pytest.mark.parametrize(("command", "reason"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_bad_input_exits_2_and_says_why(nova: Nova, source: Path, command: list[str], reason: str) -> None:
    (source.parent / "rows.txt").write_text(ROW)

    ran, as_json = nova("data", *command), nova("data", *command, "--json")

    assert (ran.code, ran.out) == (2, "")
    assert reason in ran.err
    told = json.loads(as_json.out)
    assert as_json.code == 2
    assert told["error"] == "InvalidRequest"
    assert reason in told["cause"]
    assert not (source.parent / "out").exists()


def test_names_that_do_not_go_together_are_bad_input(nova: Nova, source: Path) -> None:
    command = ("data", "prepare", source, "--model", "NOVA_PRO", "--method", "RFT_LORA", "--output", "out", "--json")

    ran = nova(*command)

    assert (ran.code, json.loads(ran.out)["error"]) == (2, "UnsupportedCombination")


@pytest.mark.parametrize(("model", "method"), [("nova_lite_2", "sft_lora"), ("Nova-Lite-2", "SFT-lora")])
def test_names_are_taken_in_any_case(nova: Nova, source: Path, model: str, method: str) -> None:
    ran = nova("data", "prepare", source, "--model", model, "--method", method, "--output", "out", "--json")

    told = json.loads(ran.out)
    assert (ran.code, told["model"], told["method"]) == (0, "NOVA_LITE_2", "SFT_LORA")


def test_broken_content_exits_1_with_one_object(nova: Nova, source: Path) -> None:
    Path("broken.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00\x00")
    Path("empty.jsonl").write_bytes(b"")

    for name in ("broken.jsonl.gz", "empty.jsonl"):
        for command in (("prepare", name, *LITE, "--output", "out"), ("validate", name, *LITE), ("show", name)):
            ran, told = nova("data", *command), nova("data", *command, "--json")
            assert (ran.code, told.code) == (1, 1), command
            assert name in ran.err
            assert json.loads(told.out)["error"] == "DatasetRejected"
            assert name in json.loads(told.out)["cause"]


def test_an_output_that_cannot_be_a_folder_is_bad_input(nova: Nova, source: Path) -> None:
    Path("out").write_text("a file where the folder should be")

    ran = nova("data", "prepare", source, *LITE, "--output", "out", "--json")

    assert (ran.code, json.loads(ran.out)["error"]) == (2, "InvalidRequest")
    assert Path("out").read_text() == "a file where the folder should be"

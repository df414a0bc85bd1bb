"""`nova data show`, the bar, and what the commands import."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nova_constructs.cli.data import bar
from tests.cli.cli_support import Nova


def test_rows_are_shown_as_they_stand_with_their_numbers(nova: Nova, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"b": 1,  "a": "é"}\n\nnot json\n{"c": 3}\n', encoding="utf-8")

    ran = nova("data", "show", path, "-n", 2)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == ['1  {"b": 1,  "a": "é"}', "2  not json"]


def test_json_is_one_object_with_the_place_of_each_row(nova: Nova, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "é"}\n\nnot json\n', encoding="utf-8")

    told = json.loads(nova("data", "show", path, "--json").out)

    place = {"source": str(path)}
    assert told == {
        "error": None,
        "cause": None,
        "rows": [
            {"row": 1, "line": 1, "offset": 0, **place, "value": {"a": "é"}},
            {"row": 2, "line": 3, "offset": 13, **place, "text": "not json"},
        ],
    }


def test_csv_rows_are_shown_by_column_also_packed(nova: Nova, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b'q,a\r\n"Why, then?","one\r\ntwo"\r\nragged\r\nx,y\r\n'))

    rows = json.loads(nova("data", "show", path, "--json").out)["rows"]

    assert rows[0]["value"] == {"q": "Why, then?", "a": "one\r\ntwo"}
    assert rows[1]["fault"]["code"] == "ragged_row"
    assert rows[2]["value"] == {"q": "x", "a": "y"}


def test_what_a_row_holds_cannot_command_the_terminal(nova: Nova, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\x1b[31mred\x07\n")

    assert nova("data", "show", path).out == "1  \\x1b[31mred\\x07\n"


_LOADED = """
import sys
from nova_constructs.cli.root import run
code = run({arguments!r})
heavy = ("boto3", "botocore", "aws_cdk", "jsii", "moto", "jsonschema")
print(code, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def converse(number: int) -> str:
    turns = [{"role": role, "content": [{"text": f"{role} {number}"}]} for role in ("user", "assistant")]
    return json.dumps({"schemaVersion": "bedrock-conversation-2024", "messages": turns}) + "\n"


@pytest.mark.parametrize("command", ["prepare", "validate", "convert", "show"])
def test_local_work_loads_neither_boto3_nor_the_cdk(tmp_path: Path, command: str) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(map(converse, range(20))))
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"query": "Where?", "response": "Here."}\n')
    target = ["--model", "NOVA_LITE_2", "--method", "SFT_LORA"]
    operations = ["--split", "--dedupe", "--no-leak-with", str(asked)]
    options = {
        "prepare": [*target, "--output", str(tmp_path / "out"), *operations],
        "validate": target,
        "convert": ["--to", "openai", "--output", str(tmp_path / "out")],
        "show": [],
    }[command]
    code = _LOADED.format(arguments=["data", command, str(source), *options])

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stderr.splitlines()[-1] == "0 []"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(bar, "_PATIENCE", 0)

    with bar.progress_bar("Preparing") as report:
        assert report is not None
        report(50_000_000, 100_000_000)

    assert "Preparing" in terminal.getvalue()
    assert "50" in terminal.getvalue()


def test_short_work_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    with bar.progress_bar("Preparing") as report:
        assert report is not None
        report(1, 2)

    assert terminal.getvalue() == ""


def test_a_pipe_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())

    with bar.progress_bar("Preparing") as report:
        assert report is None

"""The folder that takes outputs: what is there already, what another run does, and what is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.datasets.files import prepare_files
from lambda_handlers.datasets.output_folder import OutputFolder
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.datasets.work_folder import MARKER, PREFIX, work_folder
from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest

SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA")
OURS = ["manifest.json", "quarantine.jsonl", "train.jsonl"]


def source(folder: Path, name: str = "in.jsonl", count: int = 9) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"question": f"q{number}", "answer": "a"}) for number in range(count))
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return str(folder / name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from lambda_handlers.datasets.work_folder import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (next(out.glob(f"{PREFIX}*")) / "half").exists()
    prepare_files(source(tmp_path), out, SFT)
    assert names(out) == OURS


def test_hidden_folders_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = [out / ".partial" / "mine", out / f"{PREFIX}mine" / "mine", out / f"{PREFIX}own" / MARKER]
    for path in mine:
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    prepare_files(source(tmp_path), out, SFT)
    assert all(path.read_text() == "mine" for path in mine)


def test_a_run_leaves_the_work_of_another_that_is_alive(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with OutputFolder(out, ["train.jsonl"], inputs=[]) as other:
        sink = other.sink("train.jsonl")
        sink.write(b"x\n")
        prepare_files(source(tmp_path), out, SFT)
        sink.close()
        assert len(list(out.glob(f"{PREFIX}*"))) == 1
    assert names(out) == OURS


def test_a_work_folder_goes_whatever_happens(tmp_path: Path) -> None:
    def work() -> None:
        with work_folder(tmp_path) as folder:
            (folder / "half").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert names(tmp_path) == []


NOT_OUTPUTS: list[Any] = [3, None, {}, [], [3], [{}], [{"uri": 3}]]
MANIFEST = {
    "schema_version": "1",
    "status": "accepted",
    **dict.fromkeys(("rejection", "model", "method", "eval_task", "form", "columns", "operations", "max_reject_ratio")),
    **dict.fromkeys(("rows", "inputs", "evaluation_sets", "rules", "first_reasons", "errors", "warnings")),
    "outputs": [{"uri": "train.jsonl"}],
}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in MANIFEST.items() if name != key}


@pytest.mark.parametrize(
    "foreign",
    [
        "{",
        "[]",
        "[" * 100_000,
        json.dumps({"outputs": [{"uri": "train.jsonl"}]}),
        json.dumps({"outputs": [{"uri": "train.jsonl"}], "schema_version": "1"}),
        *(json.dumps(without(key)) for key in ("rows", "status", "outputs")),
        *(json.dumps({**MANIFEST, "schema_version": version}) for version in (1, "2", True, None)),
        *(json.dumps({**MANIFEST, "outputs": value}) for value in NOT_OUTPUTS),
    ],
)
def test_a_folder_is_only_ours_by_its_manifest(tmp_path: Path, foreign: str) -> None:
    (tmp_path / "manifest.json").write_text(foreign)
    with pytest.raises(InvalidRequest, match=r"manifest\.json is not an output"):
        OutputFolder(tmp_path, ["train.jsonl"], inputs=[])


def test_only_what_a_preparation_can_make_is_taken_for_an_earlier_output(tmp_path: Path) -> None:
    source(tmp_path, "notes.jsonl")
    listed = ["notes.jsonl", "../train.jsonl", "test.jsonl", "manifest.json", ".", "..", ""]
    (tmp_path / "manifest.json").write_text(json.dumps({**MANIFEST, "outputs": [{"uri": uri} for uri in listed]}))
    (tmp_path / "test.jsonl").write_text("ours")
    prepare_files(source(tmp_path / "in"), tmp_path, SFT)
    assert names(tmp_path) == ["in", "manifest.json", "notes.jsonl", *OURS[1:]]


def test_everything_is_looked_at_before_anything_is_moved(tmp_path: Path) -> None:
    given, out = source(tmp_path), tmp_path / "out"
    prepare_files(given, out, Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=Operations(split=Split())))
    (out / "test.jsonl").unlink()
    (out / "test.jsonl").mkdir()
    before = (out / "train.jsonl").read_bytes()
    with pytest.raises(InvalidRequest, match=r"test\.jsonl is a folder"):
        prepare_files(given, out, SFT)
    assert (out / "train.jsonl").read_bytes() == before


def test_what_came_into_the_way_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    given, out = source(tmp_path), tmp_path / "out"

    def progress(done: int, total: int) -> None:
        (out / "train.jsonl").write_text("mine")

    with pytest.raises(InvalidRequest, match=r"train\.jsonl is not an output of an earlier preparation"):
        prepare_files(given, out, SFT, progress=progress)
    assert [names(out), (out / "train.jsonl").read_text()] == [["train.jsonl"], "mine"]


@pytest.mark.parametrize("name", OURS)
def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(tmp_path / "not-mounted")
    with pytest.raises(InvalidRequest, match=f"{name} is not an output of an earlier preparation"):
        prepare_files(source(tmp_path), out, SFT)
    assert (out / name).is_symlink()


def test_a_failure_leaves_no_folders_that_were_made_for_it(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("")
    (tmp_path / "mine").mkdir()
    with pytest.raises(DatasetRejected):
        prepare_files(str(tmp_path / "in.jsonl"), tmp_path / "mine" / "a" / "b" / "out", SFT)
    assert [names(tmp_path), names(tmp_path / "mine")] == [["in.jsonl", "mine"], []]


def test_a_folder_that_cannot_be_made_leaves_none_that_could(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written: File name too long"):
        prepare_files(source(tmp_path), tmp_path / "a" / "b" / ("x" * 300), SFT)
    assert names(tmp_path) == ["in.jsonl"]


def test_a_folder_that_holds_a_preparation_is_no_input(tmp_path: Path) -> None:
    prepare_files(source(tmp_path), tmp_path / "out", SFT)
    with pytest.raises(InvalidRequest, match=r"out holds a preparation, .*one of its files, train\.jsonl for instance"):
        prepare_files(str(tmp_path / "out"), tmp_path / "again", SFT)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    with pytest.raises(InvalidRequest, match="holds data of several kinds"):
        prepare_files(str(tmp_path / "out"), tmp_path / "again", SFT)


@pytest.mark.parametrize("evaluation", [False, True])
def test_the_output_folder_is_no_input_folder(tmp_path: Path, evaluation: bool) -> None:
    given, sets = [source(tmp_path), source(tmp_path / "in")], []
    folder = str(tmp_path / "in" / ".." / "in")
    if evaluation:
        sets.append(folder)
    else:
        given[1] = folder
    operations = Operations(no_leak=evaluation)
    preparation = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=operations)
    with pytest.raises(InvalidRequest, match=r"the output folder .*in is an input folder as well"):
        prepare_files(given, tmp_path / "in", preparation, evaluation_sets=sets)
    assert names(tmp_path / "in") == ["in.jsonl"]

"""Local files in, a folder out: all outputs at once, ours replaced, nothing else touched."""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lambda_handlers.datasets import files, local_shards, output_folder
from lambda_handlers.datasets.files import prepare_files, validate_files
from lambda_handlers.datasets.forms.form import Form, RowSettings, RowTransform
from lambda_handlers.datasets.forms.registry import conversion_form, form_of
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.protocol.errors import DataPreparationFailed, DatasetRejected, InvalidRequest

SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA")
SPLIT = Operations(split=Split())


def rows(count: int, *, start: int = 0) -> bytes:
    return b"".join(b'{"question": "q%d", "answer": "a"}\n' % number for number in range(start, start + count))


def source(folder: Path, content: bytes, name: str = "in.jsonl") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


def with_operations(operations: Operations, **options: Any) -> Preparation:
    return Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=operations, **options)


def test_good_rows_the_quarantine_and_the_manifest_are_written(tmp_path: Path) -> None:
    given = source(tmp_path, rows(99) + b"x\n")
    prepared = prepare_files(given, tmp_path / "out", SFT)
    found = contents(tmp_path / "out")
    assert set(found) == {"train.jsonl", "quarantine.jsonl", "manifest.json"}
    assert manifest(tmp_path / "out") == prepared.manifest.as_dict()
    assert manifest(tmp_path / "out")["inputs"] == [
        {
            "uri": given,
            "version_id": None,
            "sha256": hashlib.sha256(rows(99) + b"x\n").hexdigest(),
            "bytes": len(rows(99)) + 2,
        }
    ]
    assert manifest(tmp_path / "out")["outputs"] == [
        {
            "uri": str(tmp_path / "out" / name),
            "sha256": hashlib.sha256(found[name]).hexdigest(),
            "bytes": len(found[name]),
            "rows": count,
        }
        for name, count in (("train.jsonl", 99), ("quarantine.jsonl", 1))
    ]
    assert json.loads(found["quarantine.jsonl"])["row"] == 100


def test_a_path_stands_in_the_manifest_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path, rows(9))
    monkeypatch.chdir(tmp_path)
    prepare_files("in.jsonl", Path("out"), SFT)
    found = manifest(Path("out"))
    assert found["inputs"][0]["uri"] == "in.jsonl"
    assert found["outputs"][0]["uri"] == "out/train.jsonl"
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


def test_a_split_makes_three_files_with_exact_counts(tmp_path: Path) -> None:
    prepare_files(source(tmp_path, rows(50)), tmp_path / "out", with_operations(SPLIT))
    outputs = manifest(tmp_path / "out")["outputs"]
    assert [(Path(each["uri"]).name, each["rows"]) for each in outputs] == [
        ("train.jsonl", 40),
        ("validation.jsonl", 5),
        ("test.jsonl", 5),
        ("quarantine.jsonl", 0),
    ]
    found = contents(tmp_path / "out")
    lines = [found[name].splitlines() for name in ("train.jsonl", "validation.jsonl", "test.jsonl")]
    assert len({line for part in lines for line in part}) == 50
    assert all(part == sorted(part, key=lambda line: int(line.split(b'"q')[1].split(b'"')[0])) for part in lines)


def test_evaluation_data_is_called_what_the_container_expects(tmp_path: Path) -> None:
    data = b'{"query": "q", "response": "r"}\n' * 3
    prepare_files(source(tmp_path, data), tmp_path / "out", Preparation(model="NOVA_PRO", method="EVALUATION"))
    assert set(contents(tmp_path / "out")) == {"gen_qa.jsonl", "quarantine.jsonl", "manifest.json"}


def test_a_conversion_has_a_form_of_its_own(tmp_path: Path) -> None:
    chat = b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
    prepared = prepare_files(source(tmp_path, chat), tmp_path / "out", SFT, form=conversion_form("converse"))
    assert set(contents(tmp_path / "out")) == {"converse.jsonl", "quarantine.jsonl", "manifest.json"}
    assert prepared.manifest.form == "converse"


def test_several_files_and_folders_are_one_dataset_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    source(folder, rows(2, start=10) + b"bad\n", "b.jsonl")
    source(folder, rows(2), "a.jsonl")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b"\n" + rows(2, start=20) + b"worse\n"))
    prepare_files([str(folder), str(tmp_path / "c.jsonl.gz")], tmp_path / "out", SFT, max_reject_ratio=0.5)
    found = contents(tmp_path / "out")
    asked = [json.loads(line)["messages"][0]["content"][0]["text"] for line in found["train.jsonl"].splitlines()]
    assert asked == ["q0", "q1", "q10", "q11", "q20", "q21"]
    assert [
        (row["row"], row["line"], Path(row["source"]).name)
        for row in map(json.loads, found["quarantine.jsonl"].splitlines())
    ] == [
        (5, 3, "b.jsonl"),
        (8, 4, "c.jsonl.gz"),
    ]
    assert len(manifest(tmp_path / "out")["inputs"]) == 3


def test_a_rejected_dataset_leaves_its_files_to_be_looked_at(tmp_path: Path) -> None:
    given = source(tmp_path, rows(9) + b"x\n")
    with pytest.raises(DatasetRejected, match=r"1 of 10 rows .*Manifest: .*out.manifest.json"):
        prepare_files(given, tmp_path / "out", SFT)
    assert manifest(tmp_path / "out")["status"] == "rejected"
    assert set(contents(tmp_path / "out")) == {"train.jsonl", "quarantine.jsonl", "manifest.json"}
    assert prepare_files(given, tmp_path / "out", SFT, raise_rejected=False).manifest.rejection


def test_equal_runs_make_equal_bytes(tmp_path: Path) -> None:
    given = source(tmp_path, rows(50) * 2)
    everything = with_operations(Operations(split=Split(), dedupe=True, no_leak=True, limit=40))
    found = []
    for _ in range(2):
        prepare_files(given, tmp_path / "out", everything)
        found.append(contents(tmp_path / "out"))
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_earlier_outputs_of_ours_are_replaced_or_removed_and_a_strangers_file_is_left(tmp_path: Path) -> None:
    given, out = source(tmp_path, rows(50)), tmp_path / "out"
    prepare_files(given, out, with_operations(SPLIT))
    (out / "notes.txt").write_text("mine")
    prepare_files(given, out, SFT)
    assert set(contents(out)) == {"train.jsonl", "quarantine.jsonl", "manifest.json", "notes.txt"}
    assert len(contents(out)["train.jsonl"].splitlines()) == 50


@pytest.mark.parametrize("name", ["train.jsonl", "validation.jsonl", "quarantine.jsonl", "manifest.json"])
def test_a_file_that_is_not_ours_is_never_replaced(tmp_path: Path, name: str) -> None:
    given, out = source(tmp_path, rows(50)), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(InvalidRequest, match=f"{name} is not an output of an earlier preparation"):
        prepare_files(given, out, with_operations(SPLIT))
    assert contents(out) == {name: b"mine"}


def test_the_output_folder_may_be_that_of_the_input(tmp_path: Path) -> None:
    given = source(tmp_path, rows(9))
    prepare_files(given, tmp_path, SFT)
    first = contents(tmp_path)
    prepare_files(given, tmp_path, SFT)
    assert contents(tmp_path) == first
    assert first["in.jsonl"] == rows(9)


def test_an_output_never_replaces_an_input(tmp_path: Path) -> None:
    prepare_files(source(tmp_path, rows(50)), tmp_path / "out", with_operations(SPLIT))
    before = contents(tmp_path / "out")
    for name in ("train.jsonl", "validation.jsonl"):  # the second would be removed
        with pytest.raises(InvalidRequest, match=f"the output {name} in .* would replace the input"):
            prepare_files(str(tmp_path / "out" / name), tmp_path / "out", SFT)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("operations", [Operations(), SPLIT])
@pytest.mark.parametrize("existed", [True, False])
def test_a_crash_leaves_earlier_outputs_and_no_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operations: Operations, existed: bool
) -> None:
    given, out = source(tmp_path, rows(50)), tmp_path / "out"
    if existed:
        prepare_files(given, out, SFT)
    before = contents(out) if existed else None

    def crash(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.outcome, "conclude", crash)
    with pytest.raises(KeyboardInterrupt):
        prepare_files(given, out, with_operations(operations))
    assert (contents(out) if out.exists() else None) == before


def test_a_file_that_changes_while_it_is_read_leaves_no_output(tmp_path: Path) -> None:
    given = source(tmp_path, rows(100_000))

    def progress(done: int, total: int) -> None:
        with Path(given).open("ab") as file:
            file.write(b"more\n")

    with pytest.raises(DataPreparationFailed, match=r"in.jsonl changed"):
        prepare_files(given, tmp_path / "out", SFT, progress=progress)
    assert not (tmp_path / "out").exists()


def test_the_manifest_is_moved_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        moved.append(Path(target).name)
        return replace(self, target)

    monkeypatch.setattr(output_folder.Path, "replace", noted)
    prepare_files(source(tmp_path, rows(20)), tmp_path / "out", with_operations(SPLIT))
    places = [name for name in moved if not name.startswith("scratch") and (tmp_path / "out" / name).exists()]
    assert places[-5:] == ["train.jsonl", "validation.jsonl", "test.jsonl", "quarantine.jsonl", "manifest.json"]


def test_training_rows_that_ask_what_an_evaluation_set_asks_are_left_out(tmp_path: Path) -> None:
    gen_qa = source(tmp_path, b'{"query": "Q1", "response": "r"}\n', "gen_qa.jsonl")
    chat = (
        b'{"messages": [{"role": "user", "content": "q 2"}, {"role": "assistant", "content": "no"}, '
        b'{"role": "user", "content": [{"text": "x"}]}]}\n'
    )
    judge = b'{"prompt": " q3 "}\n{"ask": "q4"}\n{"text": "q5"}\n{"question": "q6"}\n'
    other = source(tmp_path, chat + judge, "other.jsonl")
    preparation = with_operations(Operations(no_leak=True), columns={"question": "ask"})
    data = rows(9).replace(b'"question"', b'"ask"') + b'{"ask": "q 2\\nX", "answer": "a"}\n'
    prepared = prepare_files(source(tmp_path, data), tmp_path / "out", preparation, evaluation_sets=[gen_qa, other])
    asked = [json.loads(line) for line in contents(tmp_path / "out")["train.jsonl"].splitlines()]
    assert [row["messages"][0]["content"][0]["text"] for row in asked] == ["q0", "q2", "q7", "q8"]
    assert prepared.manifest.rows.leaked == 6
    assert [each["uri"] for each in manifest(tmp_path / "out")["evaluation_sets"]] == [gen_qa, other]


def test_an_evaluation_row_that_asks_nothing_is_named(tmp_path: Path) -> None:
    broken = source(tmp_path, b'{"query": "q"}\n\n{"answer": "a"}\n', "gen_qa.jsonl")
    with pytest.raises(InvalidRequest, match=r"row 2 \(line 3\) of the evaluation set .*gen_qa.jsonl does not tell"):
        prepare_files(
            source(tmp_path, rows(9)),
            tmp_path / "out",
            with_operations(Operations(no_leak=True)),
            evaluation_sets=[broken],
        )
    assert not (tmp_path / "out").exists()


def test_progress_is_told_up_to_the_last_byte(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    given = [source(tmp_path, rows(60_000)), source(tmp_path, rows(10), "b.jsonl")]
    prepare_files(given, tmp_path / "out", SFT, progress=lambda done, total: told.append((done, total)))
    total = sum(Path(each).stat().st_size for each in given)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) >= 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preparation": with_operations(Operations(limit=0))}, "limit is 0"),
        ({"preparation": with_operations(Operations(split=Split(train=0.5)))}, "add up to 0.7, not 1"),
        ({"processes": 0}, "processes is 0: give 1 or more"),
        ({"inputs": ["in.jsonl", "./in.jsonl"]}, "is given twice"),
        ({"inputs": "missing.jsonl"}, "missing.jsonl cannot be read"),
        ({"output": Path("in.jsonl")}, "the output folder in.jsonl cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    source(tmp_path, rows(9))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match=words):
        prepare_files(**{"inputs": "in.jsonl", "output": Path("out"), "preparation": SFT, **options})
    assert os.listdir(tmp_path) == ["in.jsonl"]  # noqa: PTH208


def test_validation_writes_nothing_and_tells_the_same(tmp_path: Path) -> None:
    given = source(tmp_path, rows(9) + b"x\n")
    told = validate_files(given, SFT, max_reject_ratio=0.1).manifest.as_dict()
    assert list(tmp_path.iterdir()) == [Path(given)]
    prepare_files(given, tmp_path / "out", SFT, max_reject_ratio=0.1)
    assert {**manifest(tmp_path / "out"), "outputs": []} == told
    with pytest.raises(DatasetRejected, match="1 of 10 rows"):
        validate_files(given, SFT)
    assert validate_files(given, SFT, raise_rejected=False).manifest.rejection
    with pytest.raises(InvalidRequest, match="go with preparing, not validating"):
        validate_files(given, with_operations(SPLIT))


def test_rows_that_have_to_be_of_the_form_already_are_told_from_those_that_could_be_made(tmp_path: Path) -> None:
    given = source(tmp_path, rows(9))
    as_is = Preparation(model="NOVA_LITE_2", method="SFT_LORA", as_is=True)
    assert validate_files(given, as_is, raise_rejected=False).manifest.rows.rejected == 9
    prepare_files(given, tmp_path / "out", SFT)
    assert validate_files(str(tmp_path / "out" / "train.jsonl"), as_is).manifest.rows.rejected == 0


def test_a_process_that_dies_fails_the_preparation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = form_of(SFT)
    dying = replace(form, make=_Dying(form))
    monkeypatch.setattr(local_shards.in_processes, "__kwdefaults__", {"shard_bytes": 100_000})
    with pytest.raises(DataPreparationFailed, match="ended abruptly"):
        prepare_files(source(tmp_path, rows(200_000)), tmp_path / "out", SFT, processes=2, form=dying)
    assert not (tmp_path / "out").exists()


def test_a_signal_while_the_processes_start_leaves_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Thread.start

    def interrupted(thread: Thread) -> None:
        if type(thread).__name__ == "_ExecutorManagerThread":
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_files(source(tmp_path, rows(9)), tmp_path / "out", SFT, processes=2)
    assert not multiprocessing.active_children()
    assert not (tmp_path / "out").exists()


class _Dying:
    """Makes transforms, but ends any process other than this one."""

    def __init__(self, form: Form) -> None:
        self._make, self._process = form.make, os.getpid()

    def __call__(self, settings: RowSettings) -> RowTransform:
        if os.getpid() != self._process:
            os._exit(9)
        return self._make(settings)

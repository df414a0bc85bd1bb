"""What holds for any data: the six counts add up, and shards, one pass and several processes make the same bytes."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets import local_shards
from lambda_handlers.datasets.files import prepare_files, validate_files
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.protocol.errors import DatasetRejected

FORMS = {
    "sft": Preparation(model="NOVA_LITE_2", method="SFT_LORA", max_row_bytes=400),
    "sft_1": Preparation(model="NOVA_MICRO", method="SFT_FULL", max_row_bytes=400, system_prompt="be brief"),
    "rft": Preparation(model="NOVA_LITE_2", method="RFT_LORA", max_row_bytes=400),
    "gen_qa": Preparation(model="NOVA_PRO", method="EVALUATION", max_row_bytes=400),
    "cpt": Preparation(model="NOVA_LITE", method="CPT", max_row_bytes=400),
}
TEXTS = ("x", "y", " X\\n", "ä", "\\u00e4", "User: x", "", "\\ud800", "q1", "q2", "q3")


def flat(question: str, answer: str) -> str:
    return (
        f'{{"question": "{question}", "answer": "{answer}", "query": "{question}", "response": "{answer}", '
        f'"text": "{question}{answer}"}}'
    )


def chat(question: str, answer: str) -> str:
    return (
        f'{{"messages": [{{"role": "user", "content": "{question}"}}, {{"role": "assistant", "content": "{answer}"}}]}}'
    )


def converse(question: str, answer: str) -> str:
    return (
        '{"schemaVersion": "bedrock-conversation-2024", "messages": ['
        f'{{"role": "user", "content": [{{"text": "{question}"}}]}}, '
        f'{{"role": "assistant", "content": [{{"text": "{answer}"}}]}}]}}'
    )


PAIRS = st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS))
ROW = st.one_of(
    st.builds(lambda make, pair: make(*pair).encode(), st.sampled_from([flat, chat, converse]), PAIRS),
    st.sampled_from([b"", b"  \r", b"not json", b"\xff\xfe", b"[]", b"x" * 500, b'{"question": "x"}', b'{"a": NaN}']),
    st.binary(max_size=20),
)
DATA = st.builds(
    lambda rows, bom, end: (
        (b"\xef\xbb\xbf" if bom else b"") + b'{"question": "x", "answer": "y"}\n' + b"\n".join(rows) + end
    ),
    st.lists(ROW, max_size=25),
    st.booleans(),
    st.sampled_from([b"", b"\n", b"\r\n", b"\n\n"]),
)
SPLITS = st.builds(
    lambda shares, by: Split(train=shares[0], validation=shares[1], test=shares[2], by=by),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.6, 0.0, 0.4)]),
    st.sampled_from(["rows", "content"]),
)
OPERATIONS = st.builds(
    Operations,
    split=st.none() | SPLITS,
    seed=st.integers(0, 3),
    dedupe=st.booleans(),
    limit=st.none() | st.integers(1, 20),
    no_leak=st.booleans(),
)


class Later(Future[Any]):
    """Says that it is done only once it has been waited for."""

    def done(self) -> bool:
        return False


class InThisProcess:
    """Stands for a pool: does the work at once, so that a thousand shards cost no thousand processes.

    Two of three pieces of work are finished only when they are waited for.
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        self.submitted = 0

    def submit(self, work: Any, task: Any) -> Future[Any]:
        self.submitted += 1
        done: Future[Any] = Later() if self.submitted % 3 else Future()
        try:
            done.set_result(work(task))
        except Exception as error:
            done.set_exception(error)
        return done

    def shutdown(self, **_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


def prepared(folder: Path, *inputs: str, shard_bytes: int | None = None, **options: Any) -> dict[str, bytes] | str:
    """Return the bytes of every output; the sentence where the data cannot be read."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        if shard_bytes:
            patch.setattr(local_shards, "ProcessPoolExecutor", InThisProcess)
            patch.setattr(local_shards.in_processes, "__kwdefaults__", {"shard_bytes": shard_bytes})
            patch.setattr("lambda_handlers.datasets.shards.MOST_SHARDS", 10**6)
            options["processes"] = 2
        try:
            prepare_files(list(inputs), out, raise_rejected=False, **options)
        except DatasetRejected as rejection:
            return rejection.message
    return {path.name: path.read_bytes() for path in out.iterdir()}


def checked_counts(found: dict[str, bytes], data: bytes) -> None:
    manifest = json.loads(found["manifest.json"])
    counts = manifest["rows"]
    assert counts.pop("in") == sum(counts.values())
    assert sum(counts.values()) == sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    rows = {Path(output["uri"]).name: output["rows"] for output in manifest["outputs"]}
    assert rows == {name: len(found[name].splitlines()) for name in rows}
    assert rows.pop("quarantine.jsonl") == counts["rejected"]
    assert sum(rows.values()) == counts["out"]


def possible(operations: Operations, evaluation: list[str]) -> bool:
    return not operations.no_leak or bool(evaluation) or bool(operations.split and operations.split.test)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    data=DATA,
    more=st.none() | DATA,
    name=st.sampled_from(sorted(FORMS)),
    operations=OPERATIONS,
    with_evaluation=st.booleans(),
    shard_bytes=st.integers(20, 400),
)
def test_the_counts_add_up_and_shards_and_one_pass_make_the_same_bytes(
    folder: Path,
    data: bytes,
    more: bytes | None,
    name: str,
    operations: Operations,
    with_evaluation: bool,
    shard_bytes: int,
) -> None:
    form = FORMS[name]
    inputs = []
    for number, content in enumerate([data] if more is None else [data, more]):
        (folder / f"in{number}.jsonl").write_bytes(content)
        inputs.append(str(folder / f"in{number}.jsonl"))
    (folder / "set.jsonl").write_bytes(b'{"query": "Q1"}\n{"messages": [{"role": "user", "content": "x"}]}\n')
    evaluation = [str(folder / "set.jsonl")] if with_evaluation and operations.no_leak else []
    if not possible(operations, evaluation):
        operations = Operations()
    options: dict[str, Any] = {
        "preparation": Preparation(
            model=form.model,
            method=form.method,
            system_prompt=form.system_prompt,
            max_row_bytes=form.max_row_bytes,
            operations=operations,
        ),
        "evaluation_sets": evaluation,
    }
    once = prepared(folder, *inputs, **options)
    assert prepared(folder, *inputs, shard_bytes=shard_bytes, **options) == once
    assert isinstance(once, dict)
    checked_counts(once, b"\n".join([data, (more or b"").removeprefix(b"\xef\xbb\xbf")]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=DATA, name=st.sampled_from(sorted(FORMS)))
def test_preparing_what_was_prepared_changes_nothing(folder: Path, data: bytes, name: str) -> None:
    source = folder / "in.jsonl"
    source.write_bytes(data)
    form = FORMS[name]
    output = "gen_qa.jsonl" if name == "gen_qa" else "train.jsonl"
    first = prepared(folder, str(source), preparation=form)
    assert isinstance(first, dict)
    if not first[output]:
        return
    source.write_bytes(first[output])
    again = prepared(folder, str(source), preparation=form)
    assert isinstance(again, dict)
    assert again[output] == first[output]
    assert again["quarantine.jsonl"] == b""
    as_is = Preparation(model=form.model, method=form.method, as_is=True)
    assert validate_files(str(source), as_is, raise_rejected=False).manifest.rows.rejected == 0


def test_data_that_cannot_be_cut_makes_the_same_bytes_in_shards(tmp_path: Path) -> None:
    table = "question,answer\n" + "".join(f'"q\n{number % 30}",a\n' for number in range(50)) + "ragged\n"
    lines = "\n".join([flat(f"q{number % 40}", "a") for number in range(50)] + ["bad"])
    (tmp_path / "a.csv").write_text(table)
    (tmp_path / "b.jsonl").write_text(lines)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    (tmp_path / "d.json").write_text(json.dumps([json.loads(flat(f"j{number}", "a")) for number in range(5)]))
    inputs = [str(tmp_path / name) for name in ("a.csv", "b.jsonl", "c.jsonl.gz", "d.json")]
    for operations in (Operations(), Operations(split=Split(), dedupe=True, no_leak=True)):
        preparation = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=operations)
        once = prepared(tmp_path, *inputs, preparation=preparation)
        assert prepared(tmp_path, *inputs, preparation=preparation, shard_bytes=300) == once
        assert isinstance(once, dict)
        assert json.loads(once["manifest.json"])["rows"]["in"] == 51 + 51 + 51 + 5
        rejected = [json.loads(line) for line in once["quarantine.jsonl"].splitlines()]
        assert [(row["row"], row["line"]) for row in rejected] == [(51, 102), (102, 51), (153, 51)]


def test_a_file_without_rows_is_refused_in_shards_as_in_one_pass(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(flat("x", "y"))
    (tmp_path / "b.jsonl").write_bytes(b" \n" * 500)
    inputs, preparation = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")], FORMS["sft"]
    once = prepared(tmp_path, *inputs, preparation=preparation)
    assert "b.jsonl holds no rows" in str(once)
    assert prepared(tmp_path, *inputs, preparation=preparation, shard_bytes=100) == once


def test_two_processes_make_the_bytes_of_one(tmp_path: Path) -> None:
    """With real processes, once: everything else is tested with shards in this one."""
    rows = [converse(f"q{number % 900}", "a" * 4000) for number in range(5_000)] + ["bad"] * 7
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(rows[n * 17 % len(rows)] for n in range(len(rows))))
    assert source.stat().st_size > 2 * local_shards.SHARD_BYTES
    operations = Operations(split=Split(), dedupe=True, no_leak=True)
    preparation = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=operations)
    one, two = (prepared(tmp_path, str(source), preparation=preparation, processes=count) for count in (1, 2))
    assert one == two
    assert isinstance(one, dict)
    assert json.loads(one["manifest.json"])["rows"]["duplicate"] == 4_100
    assert len(one["quarantine.jsonl"].splitlines()) == 7

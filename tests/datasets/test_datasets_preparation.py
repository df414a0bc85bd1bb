"""Every row is counted once, and what happened is in the manifest."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.files import prepare_file
from lambda_handlers.datasets.forms import converse
from lambda_handlers.datasets.forms.columns import Columns
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import RowCounts
from lambda_handlers.datasets.passes.single import Preparation, Prepared, Source, prepare
from lambda_handlers.datasets.writers import LineWriter
from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest


class MemorySink:
    uri = "memory"

    def __init__(self) -> None:
        self.content = b""
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        self.content += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.content.split(b"\n") if line]


def run(data: bytes, nova: converse.NovaVersion = 2, **options: Any) -> tuple[Prepared, MemorySink, MemorySink]:
    good, bad = MemorySink(), MemorySink()
    prepared = prepare(
        Source(uri="s3://b/k", chunks=[data], version_id="v1"),
        Preparation(model="NOVA_LITE_2", nova=nova, **options),
        output=LineWriter(good),
        quarantine=LineWriter(bad),
    )
    return prepared, good, bad


ROWS = st.sampled_from(
    [
        b'{"question": "x", "answer": "y"}',
        b'{"question": "x"}',
        b'{"question": "User: x", "answer": "y"}',
        b"not json",
        b"",
        b"  \r",
        b"\xff\xfe",
        b'{"question": "x", "answer": "y", "system": "s"}\r',
        b"x" * 300,
    ]
)


@given(
    data=st.binary() | st.lists(ROWS | st.binary(max_size=20)).map(b"\n".join),
    chunk=st.integers(1, 50),
    nova=st.sampled_from([1, 2]),
)
def test_the_six_counts_add_up_for_any_bytes(data: bytes, chunk: int, nova: converse.NovaVersion) -> None:
    good, bad = MemorySink(), MemorySink()
    prepared = prepare(
        Source(uri="s3://b/k", chunks=[data[start : start + chunk] for start in range(0, len(data), chunk)]),
        Preparation(model="NOVA_LITE_2", nova=nova, max_row_bytes=200),
        output=LineWriter(good),
        quarantine=LineWriter(bad),
    )
    counts = prepared.manifest.rows.as_dict()
    body = data.removeprefix(b"\xef\xbb\xbf")
    assert counts.pop("in") == sum(counts.values()) == sum(bool(line.strip()) for line in body.split(b"\n"))
    assert (counts["out"], counts["rejected"]) == (len(good.rows()), len(bad.rows()))
    assert prepared.manifest.inputs[0].sha256 == hashlib.sha256(data).hexdigest()
    assert prepared.manifest.outputs[0].sha256 == hashlib.sha256(good.content).hexdigest()
    assert prepared.manifest.outputs[1].bytes == len(bad.content)
    assert all(converse.faults(row, nova) == [] for row in good.rows())
    assert run(good.content, nova)[1].content == good.content


def test_counts_that_do_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        RowCounts(rows_in=3, out=1, rejected=1)


def test_a_rejected_row_can_be_found_and_repaired() -> None:
    data = b'{"question": "x", "answer": "y"}\n\n{"question": "x"}\n\xff\n'
    prepared, _, bad = run(data)
    first, second = bad.rows()
    assert first == {
        "row": 2,
        "line": 3,
        "source": "s3://b/k",
        "offset": 34,
        "bytes": 17,
        "codes": ["missing_column"],
        "messages": ['the column "answer" is absent'],
        "original": '{"question": "x"}',
    }
    assert base64.b64decode(second["original_base64"]) == b"\xff"
    assert prepared.manifest.rules == {"missing_column": 1, "invalid_utf8": 1}
    assert prepared.first_reasons == (
        'row 2: the column "answer" is absent [missing_column]',
        "row 3: byte 1 of the line is not UTF-8 [invalid_utf8]",
    )


def test_originals_over_a_mebibyte_are_kept_by_hash() -> None:
    row = b'{"question": "' + b"x" * 1024 * 1024 + b'"}'
    _, _, bad = run(row + b"\n" + b"y" * 200 + b"\n", max_row_bytes=2 * 1024 * 1024)
    assert bad.rows()[0]["original"] is None
    assert bad.rows()[0]["original_sha256"] == hashlib.sha256(row).hexdigest()


def test_a_row_beyond_the_limit_is_one_quarantined_row() -> None:
    prepared, good, bad = run(b"z" * 500 + b'\n{"question": "x", "answer": "y"}', max_row_bytes=100)
    assert bad.rows()[0]["codes"] == ["row_too_large"]
    assert bad.rows()[0]["bytes"] == 500
    assert len(good.rows()) == 1
    assert prepared.manifest.rows.as_dict()["in"] == 2


def test_a_column_absent_from_every_row_is_one_error_with_the_nearest_name() -> None:
    prepared, _, _ = run(b'{"Question": "x", "answr": "y"}\n' * 3)
    assert prepared.manifest.errors == [
        "no row has the column 'question' (for question); columns there: Question, answr; the nearest is 'Question'",
        "no row has the column 'answer' (for answer); columns there: Question, answr; the nearest is 'answr'",
    ]
    with pytest.raises(DatasetRejected, match=r"no row has the column 'answer'.*Manifest: s3://p/m") as caught:
        outcome.check(prepared, max_reject_ratio=1.0, manifest_uri="s3://p/m")
    assert len(caught.value.problems) == 2


def test_a_column_absent_from_some_rows_is_a_fault_of_those_rows() -> None:
    prepared, _, _ = run(b'{"question": "x", "answer": "y"}\n{"question": "x"}\n')
    assert prepared.manifest.errors == []
    assert prepared.manifest.rules == {"missing_column": 1}


def test_a_mapped_optional_column_that_no_row_has_is_an_error() -> None:
    prepared, _, _ = run(b'{"question": "x", "answer": "y", "sys": "z"}\n', columns=Columns.parse({"system": "syst"}))
    assert prepared.manifest.errors == [
        "no row has the column 'syst' (for system); columns there: answer, question, sys; the nearest is 'sys'"
    ]


def test_parts_that_only_some_rows_have_are_warned_of() -> None:
    prepared, _, _ = run(
        b'{"question": "x", "answer": "y", "system": "s"}\n' + b'{"question": "x", "answer": "y"}\n' * 9
    )
    assert prepared.manifest.warnings == ["1 of 10 rows have a system prompt, the others have none"]


def test_the_documented_number_of_rows_is_warned_of() -> None:
    prepared, _, _ = run(b'{"question": "x", "answer": "y"}\n' * 7)
    assert prepared.manifest.warnings == ["7 rows are fewer than the documented minimum of 8"]


@pytest.mark.parametrize(
    ("data", "ratio", "words"),
    [
        (b"", 1.0, "the dataset has no rows"),
        (b"\n \n", 1.0, "the dataset has no rows"),
        (b"x\n", 1.0, r"1 of 1 rows \(100.00%\) were rejected; the limit is 100.00%"),
        (b'{"question": "x", "answer": "y"}\nx\n', 0.49, r"First reasons: row 2: the line is not JSON"),
    ],
)
def test_a_dataset_that_cannot_train_is_rejected_with_reasons(data: bytes, ratio: float, words: str) -> None:
    with pytest.raises(DatasetRejected, match=words):
        outcome.check(run(data)[0], max_reject_ratio=ratio, manifest_uri="m")


def test_a_reject_ratio_at_the_limit_passes() -> None:
    data = b'{"question": "x", "answer": "y"}\n' * 99 + b"x\n"
    outcome.check(run(data)[0], max_reject_ratio=0.01, manifest_uri="m")


def test_a_source_that_breaks_leaves_no_output() -> None:
    def broken() -> Any:
        yield b'{"question": "x", "answer": "y"}\n'
        raise OSError("gone")

    good, bad = MemorySink(), MemorySink()
    with pytest.raises(OSError, match="gone"):
        prepare(
            Source(uri="u", chunks=broken()),
            Preparation(model="NOVA_LITE_2", nova=2),
            output=LineWriter(good),
            quarantine=LineWriter(bad),
        )
    assert (good.aborted, bad.aborted, good.closed) == (True, True, False)


def test_a_local_file_is_prepared_twice_to_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"question": "x", "answer": "y"}\nx\n')
    contents = []
    for _ in range(2):
        prepare_file(source, tmp_path / "out", Preparation(model="NOVA_LITE_2", nova=2))
        contents.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"train.jsonl", "quarantine.jsonl", "manifest.json"}
    assert json.loads(contents[0]["manifest.json"])["rows"]["in"] == 2


@pytest.mark.parametrize("name", ["", "missing.jsonl"])
def test_a_path_that_is_no_readable_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        prepare_file(tmp_path / name, tmp_path / "out", Preparation(model="NOVA_LITE_2", nova=2))


def test_an_unknown_column_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'question'"):
        Columns.parse({"questoin": "q"})

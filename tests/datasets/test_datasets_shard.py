"""Pass one: every row is counted once, and a rejected one can be found and repaired."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import pytest

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.form import RowSettings, RowTransform
from lambda_handlers.datasets.forms.sft import CONVERSE
from lambda_handlers.datasets.passes.index import HASH, NO_PROMPT, IndexWriter, normalized, prompt_hash
from lambda_handlers.datasets.passes.shard import transform_shard
from lambda_handlers.datasets.passes.summary import FIRST, Place, ShardSummary
from lambda_handlers.datasets.reading.json_lines import json_lines
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from lambda_handlers.datasets.writers import LineWriter, all_or_none
from tests.datasets.passes_support import MemorySink

GOOD = b'{"question": "x", "answer": "y"}'


def shard(
    rows: Iterable[Line], transform: RowTransform | None = None, *, index: MemorySink | None = None, **bases: int
) -> tuple[ShardSummary, MemorySink, MemorySink]:
    good, bad = MemorySink(), MemorySink()
    writers = LineWriter(good), LineWriter(bad)
    hashes = IndexWriter(index, prompts=True) if index else None
    with all_or_none(*writers, *([hashes] if hashes else [])):
        summary = transform_shard(
            rows,
            transform or CONVERSE.make(RowSettings()),
            source="s3://b/k",
            accepted=writers[0],
            quarantine=writers[1],
            index=hashes,
            **bases,
        )
    return summary, good, bad


def test_a_rejected_row_can_be_found_and_repaired() -> None:
    summary, good, bad = shard(json_lines([GOOD + b'\n\n{"question": "x"}\n\xff\n']))
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
    assert (summary.rows, summary.accepted, summary.rejected, len(good.rows())) == (3, 1, 2, 1)
    assert summary.rules == {"missing_column": 1, "invalid_utf8": 1}
    assert [(reason.place.row, reason.place.line, reason.code) for reason in summary.reasons] == [
        (2, 3, "missing_column"),
        (3, 4, "invalid_utf8"),
    ]


def test_rows_are_numbered_from_what_comes_before_the_shard() -> None:
    summary, _, bad = shard(json_lines([b"x\n"]), first_row=10, first_line=20)
    assert (bad.rows()[0]["row"], bad.rows()[0]["line"]) == (11, 21)
    assert summary.reasons[0].place == Place(row=1, line=1, source="s3://b/k")


def test_originals_over_a_mebibyte_are_kept_by_hash() -> None:
    row = b'{"question": "' + b"x" * 1024 * 1024 + b'"}'
    _, _, bad = shard(json_lines([row + b"\n"]))
    assert bad.rows()[0]["original"] is None
    assert bad.rows()[0]["original_sha256"] == hashlib.sha256(row).hexdigest()


def test_a_row_beyond_the_limit_is_one_quarantined_row() -> None:
    summary, good, bad = shard(json_lines([b"z" * 500 + b"\n" + GOOD], max_row_bytes=100))
    assert bad.rows()[0]["codes"] == ["row_too_large"]
    assert (bad.rows()[0]["bytes"], bad.rows()[0]["original"]) == (500, None)
    assert bad.rows()[0]["original_sha256"] == hashlib.sha256(b"z" * 500).hexdigest()
    assert (summary.rows, len(good.rows())) == (2, 1)


def test_rows_of_a_table_are_made_from_their_columns_and_kept_as_they_stand() -> None:
    broken = Damaged(fault=Fault("ragged_row", "row 3 has 3 fields"), size=5, sha256="s", raw=b"a,b,c")
    good = Record(raw=b"x,y", values={"question": "x", "answer": "y"})
    bad = Record(raw=b"x,", values={"question": "x", "answer": ""})
    summary, made, rejected = shard([(2, 16, good), (3, 20, bad), (4, 23, broken)])
    assert made.rows()[0]["messages"][0]["content"] == [{"text": "x"}]
    assert [(row["original"], row["codes"], row["bytes"]) for row in rejected.rows()] == [
        ("x,", ["missing_text"], 2),
        ("a,b,c", ["ragged_row"], 5),
    ]
    assert summary.rejected == 2


def test_the_first_rows_with_and_without_a_part_are_remembered() -> None:
    system = b'{"question": "x", "answer": "y", "system": "s"}'
    summary, _, _ = shard(json_lines([b"\n".join([GOOD, system, GOOD] * 10)]))
    bit = 1 + CONVERSE.features.index("system")
    there, absent = summary.having(bit, there=True), summary.having(bit, there=False)
    assert (there.count, absent.count) == (10, 20)
    assert [place.row for place in there.first] == [2, 5, 8, 11, 14]
    assert [place.row for place in absent.first] == [1, 3, 4, 6, 7]
    assert len(there.first) == FIRST


def test_the_index_has_the_hash_of_each_good_line_and_of_what_it_asks() -> None:
    index = MemorySink()
    _, good, _ = shard(json_lines([GOOD + b"\nx\n" + GOOD.replace(b'"x"', b'" X\\n"')]), index=index)
    first, second = good.content.splitlines()
    hashes = [index.content[start : start + HASH] for start in range(0, len(index.content), HASH)]
    assert len(hashes) == 4
    assert hashes[0] == hashlib.blake2b(first, digest_size=HASH).digest()
    assert hashes[2] == hashlib.blake2b(second, digest_size=HASH).digest()
    assert hashes[1] == hashes[3] == prompt_hash("x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What  is\tit?\n", "what is IT?"),
        ("ﬁne Straße", "FINE STRASSE"),
        ("\uff11\uff12\u00a0km", "12 km"),
        ("É", "e\u0301"),
        ("What\u200b is 1?", "what is 1?"),
        ("\ufeffWh\u00adat is\u2060 1\u200d?", "what is 1?"),
        ("caf\u200be\u200c\u0301", "CAF\u00c9"),
    ],
)
def test_prompts_are_compared_without_case_width_and_white_space(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)
    assert prompt_hash(one) == prompt_hash(other)


@pytest.mark.parametrize("text", [chr(code) for code in range(128)])
def test_ascii_is_normalized_like_any_other_text(text: str) -> None:
    assert f"{normalized('a' + text + 'B')} é" == normalized("a" + text + "B é")


def test_a_row_that_asks_nothing_is_like_no_other() -> None:
    assert prompt_hash(" \n\u200b") == prompt_hash(" \n") == NO_PROMPT != prompt_hash("x")


def test_a_source_that_breaks_leaves_no_output() -> None:
    def broken() -> Any:
        yield 1, 0, GOOD
        raise OSError("gone")

    good, bad = MemorySink(), MemorySink()
    writers = LineWriter(good), LineWriter(bad)
    with pytest.raises(OSError, match="gone"), all_or_none(*writers):
        transform_shard(broken(), CONVERSE.make(RowSettings()), source="u", accepted=writers[0], quarantine=writers[1])
    assert (good.aborted, bad.aborted, good.closed) == (True, True, False)

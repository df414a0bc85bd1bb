"""As many rows come back as were asked, in their order, or nothing is written and the row is named."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.inference import results
from lambda_handlers.protocol.errors import EvaluationFailed
from tests.inference.inference_support import OUTPUT, PLACE, RESULTS, line, lines, read, read_folder
from tests.training.training_support import FOLDER, URI, MemoryS3, archive, link

ROWS = [line(query=f"question {n}", answer=f"answer {n}") for n in range(25)]


def refused(files: Any, rows: int, s3: MemoryS3 | None = None) -> str:
    store = s3 or MemoryS3()
    with pytest.raises(EvaluationFailed) as found:
        read(files, rows, store)
    assert set(store.objects) == {URI}
    return str(found.value)


def test_rows_come_back_in_their_order() -> None:
    record, found, ledger = read({PLACE: lines(*ROWS), "run/eval_results/results_1.json": b"{}"}, 25)
    assert [row["query"] for row in found] == [f"question {n}" for n in range(25)]
    assert (record["rows"], record["results_uri"], record["raw_uri"]) == (25, RESULTS, URI)
    [event] = ledger.events
    assert (event["type"], event["event_id"]) == ("batch_inference_read", "batch-inference-read")
    assert event["detail"] == record


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=20))
def test_whatever_is_said_comes_back_as_many_rows(texts: list[tuple[str, str, str]]) -> None:
    made = [line(query=query, answer=answer, gold=gold) for query, answer, gold in texts]
    _, found, _ = read({PLACE: lines(*made)}, len(made))
    assert [(row["query"], row["inference_response"], row["gold_response"]) for row in found] == texts


def test_a_last_line_need_not_end() -> None:
    record, _, _ = read({PLACE: lines(*ROWS).rstrip(b"\n")}, 25)
    assert record["rows"] == 25


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lines(*ROWS[:24]), "has 24 answers to 25 rows: row 25 is missing"),
        (lines(*ROWS, ROWS[0]), "has more lines than the 25 rows that were asked"),
        (lines(*ROWS[:3]) + b"\n" + lines(*ROWS[3:]), "row 4 cannot be read: it is not JSON"),
        (lines(*ROWS[:3]) + b"{}\n" + lines(*ROWS[4:]), "row 4 cannot be read: it has no prompt"),
        (lines(*ROWS)[:-20], "row 25 cannot be read: it is not JSON"),
        (b"", "has 0 answers to 25 rows: row 1 is missing"),
    ],
)
def test_a_row_that_is_missing_or_broken_is_named(content: bytes, why: str) -> None:
    assert why in refused({PLACE: content}, 25)


def test_a_line_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_LINE", 1000)
    long = line(answer="x" * 1000)
    assert "row 2 cannot be read: it has more than 1000 bytes" in refused({PLACE: lines(ROWS[0], long)}, 2)


def test_no_answers_and_two_files_of_them_are_told_of() -> None:
    assert f"{URI} has no inference_output.jsonl" in refused({"run/results_1.json": b"{}"}, 1)
    two = {PLACE: lines(ROWS[0]), f"other/{PLACE}": lines(ROWS[1])}
    assert "two files of answers" in refused(two, 2)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (archive({PLACE: lines(ROWS[0])}, link("a", "/etc/passwd")), "a link to '/etc/passwd'"),
        (archive({f"../../{PLACE}": lines(ROWS[0])}), "outside of the output"),
        (archive({PLACE: lines(ROWS[0]), "/etc/x": b""}), "outside of the output"),
        (archive({PLACE: lines(ROWS[0]), "noise": random.Random(1).randbytes(10_000)})[:-500], "not a whole tar.gz"),
        (b"no archive", "not a whole tar.gz"),
    ],
)
def test_a_hostile_or_broken_archive_leaves_nothing(content: bytes, why: str) -> None:
    message = refused(content, 1)
    assert message.startswith("The batch inference left no usable output: ")
    assert why in message


PLACE_HP = "eval-result/inference_output.jsonl"


def test_the_answers_of_a_hyperpod_job_lie_in_its_folder() -> None:
    record, found, _ = read_folder({PLACE_HP: lines(*ROWS), "eval-result/results_1.json": b"{}"}, 25)
    assert [row["query"] for row in found] == [f"question {n}" for n in range(25)]
    assert (record["raw_uri"], record["results_uri"]) == (FOLDER, RESULTS)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, f"left no usable output: {FOLDER} is empty"),
        ({"manifest.json": b"{}"}, f"{FOLDER} has no inference_output.jsonl"),
        ({PLACE_HP: b""}, "has 0 answers to 2 rows: row 1 is missing"),
        ({PLACE_HP: b"{}\n"}, "row 1 cannot be read: it has no prompt"),
        ({PLACE_HP: lines(*ROWS[:3])}, "has more lines than the 2 rows"),
        ({PLACE_HP: lines(*ROWS[:2]), "other/inference_output.jsonl": b""}, "two files of answers"),
        ({PLACE_HP: lines(*ROWS[:2]), "../x": b""}, "outside of the output"),
    ],
)
def test_the_folder_of_a_hyperpod_job_gets_the_care_of_an_archive(files: dict[str, bytes], why: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        read_folder(files, 2)
    assert why in caught.value.message


class Uploads(MemoryS3):
    """Take multipart uploads, which a large result needs."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self.given_up = 0

    def create_multipart_upload(self, **_: Any) -> Any:
        return {"UploadId": "u"}

    def upload_part(self, **request: Any) -> Any:
        self.parts.append(request["Body"])
        return {"ETag": "e"}

    def complete_multipart_upload(self, **request: Any) -> None:
        self.objects[f"s3://{request['Bucket']}/{request['Key']}"] = b"".join(self.parts)

    def abort_multipart_upload(self, **_: Any) -> None:
        self.given_up += 1


def test_large_results_are_sent_in_parts_and_given_up_where_a_row_is_broken() -> None:
    made = [line(query=f"{n}", answer="x" * 1_000_000) for n in range(20)]
    s3 = Uploads()
    _, found, _ = read({PLACE: lines(*made)}, 20, s3)
    assert [row["query"] for row in found] == [str(n) for n in range(20)]
    assert (len(s3.parts) > 1, max(map(len, s3.parts)) <= 8 * 1024**2, s3.given_up) == (True, True, 0)
    s3 = Uploads()
    assert "row 21 is missing" in refused({PLACE: lines(*made)}, 21, s3)
    assert (s3.given_up, RESULTS in s3.objects) == (1, False)


def test_the_digest_is_that_of_the_object() -> None:
    import hashlib

    s3 = MemoryS3()
    record, _, _ = read({PLACE: lines(*ROWS)}, 25, s3)
    assert record["results_sha256"] == hashlib.sha256(s3.objects[f"{OUTPUT}inference_results.jsonl"]).hexdigest()
    assert json.loads(s3.objects[RESULTS].splitlines()[0])["query"] == "question 0"

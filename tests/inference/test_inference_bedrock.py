"""Rows to records of Amazon Bedrock and back: the same rows, in their order, or nothing and the rows are named."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.inference import bedrock_job, bedrock_results
from lambda_handlers.inference.bedrock_records import RecordError, answered, record
from lambda_handlers.inference.conversion import BrokenLineError
from lambda_handlers.protocol.errors import DatasetRejected, EvaluationFailed
from tests.inference.inference_support import OUTPUT, RESULTS, lines
from tests.training.training_support import RUN, MemoryS3, Recorder

ROWS_URI = "s3://prepared/runs/run-1/batch-inference/gen_qa.jsonl"
JOB = "s3://artifacts-bucket/runs/run-1/jobs/abc/"
PLACES = {"role_arn": "r", "artifacts_bucket": "artifacts-bucket", "key_arn": "k"}
RECORDS = bedrock_job.records_uri("artifacts-bucket", "run-1")
MANY = [{"query": f"q{n}", "response": f"r{n}"} for n in range(100)]


def event(count: int) -> dict[str, Any]:
    return {
        "run": RUN,
        "submitted": {"output_uri": JOB, "job": {"name": "job-1"}},
        "inference": {"model_id": "m", "timeout_hours": 24, "overrides": {"max_new_tokens": 7}},
        "data": {"train": {"uri": ROWS_URI, "sha256": "0" * 64, "rows": count}},
        "output_uri": OUTPUT,
        "model_path": "nova-lite-2/prod",
    }


def sent(rows: list[dict[str, Any]]) -> tuple[MemoryS3, list[dict[str, Any]]]:
    s3 = MemoryS3({ROWS_URI: lines(*rows)})
    bedrock_job.prepare(event(len(rows)), s3=s3, **PLACES)
    return s3, [json.loads(each) for each in s3.objects[RECORDS].split(b"\n") if each]


def out(text: str, given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "modelOutput": {"output": {"message": {"content": [{"text": text}]}}}}


def read(s3: MemoryS3, answers: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    s3.objects[f"{JOB}records.jsonl.out"] = lines(*answers)
    bedrock_results.read_results(event(count), s3=s3, ledger=Recorder())
    return [json.loads(each) for each in s3.objects[RESULTS].split(b"\n") if each]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), min_size=100, max_size=110), st.randoms())
def test_whatever_is_said_comes_back_in_its_order(
    texts: list[tuple[str, str, str, str]], chance: random.Random
) -> None:
    rows = [{"query": query, "response": gold, "system": system} for query, gold, system, _ in texts]
    s3, records = sent(rows)
    assert [each["modelInput"]["messages"][0]["content"][0]["text"] for each in records] == [t[0] for t in texts]
    answers = [out(text[3], given) for text, given in zip(texts, records, strict=True)]
    chance.shuffle(answers)
    found = read(s3, answers, len(rows))
    assert [(f["query"], f["gold_response"], f["system"], f["inference_response"]) for f in found] == texts


def test_the_request_names_records_and_place() -> None:
    s3 = MemoryS3({ROWS_URI: lines(*MANY)})
    request = bedrock_job.prepare(event(100), s3=s3, **PLACES)
    assert request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"] == RECORDS
    assert request["outputDataConfig"]["s3OutputDataConfig"] == {
        "s3Uri": "s3://artifacts-bucket/runs/run-1/jobs/",
        "s3EncryptionKeyId": "k",
    }
    first = json.loads(s3.objects[RECORDS].split(b"\n")[0])
    asked = {"messages": [{"role": "user", "content": [{"text": "q0"}]}], "inferenceConfig": {"maxTokens": 7}}
    assert first == {"recordId": "000000001", "modelInput": asked}


@pytest.mark.parametrize("count", [99, 50_001])
def test_too_few_and_too_many_rows_are_refused_before_anything_is_written(count: int) -> None:
    s3 = MemoryS3()
    with pytest.raises(DatasetRejected, match=f"takes 100 to 50000 rows, and there are {count}; use through"):
        bedrock_job.prepare(event(count), s3=s3, **PLACES)
    assert s3.objects == {}


def test_a_row_with_images_is_named() -> None:
    rows = [*MANY[:41], {**MANY[41], "images": [{"data": "data:image/png;base64,AAAA"}]}, *MANY[42:]]
    with pytest.raises(DatasetRejected, match="cannot ask row 42: it has images"):
        sent(rows)


def test_a_file_may_not_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bedrock_job, "MOST_BYTES", 500)
    with pytest.raises(DatasetRejected, match="takes up to 500 bytes"):
        sent(MANY)


def _broken(answers: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    if kind == "missing":
        return answers[:-2]
    if kind == "twice":
        return [*answers, answers[3]]
    if kind == "never":
        return [*answers, {**answers[3], "recordId": "000000101"}]
    if kind == "unknown":
        return [*answers, {**answers[3], "recordId": "elsewhere"}]
    return [{**answers[4], "modelOutput": None, "error": {"errorMessage": "no"}}, *answers[:4], *answers[5:]]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "row 99: it has no answer; row 100: it has no answer"),
        ("twice", "it answers row 4, which was asked once"),
        ("never", "it answers row 101, which was asked never"),
        ("unknown", "its recordId is 'elsewhere'"),
        ("error", "row 5: no."),
    ],
)
def test_rows_without_an_answer_are_named_and_nothing_is_written(kind: str, why: str) -> None:
    s3, records = sent(MANY)
    with pytest.raises(EvaluationFailed, match=why):
        read(s3, _broken([out("a", given) for given in records], kind), 100)
    assert RESULTS not in s3.objects


def test_of_many_rows_without_an_answer_the_first_are_named() -> None:
    s3, _ = sent(MANY)
    with pytest.raises(EvaluationFailed, match=r"row 10: it has no answer; and 90 more\.$"):
        read(s3, [], 100)


def test_a_job_that_left_nothing_has_failed() -> None:
    s3, _ = sent(MANY)
    with pytest.raises(EvaluationFailed, match=r"left no answers: .*records\.jsonl\.out does not exist"):
        bedrock_results.read_results(event(100), s3=s3, ledger=Recorder())


def test_lines_that_are_no_answers() -> None:
    for line in (b"{", b"[]", b"{}", b'{"recordId": 1}'):
        with pytest.raises(BrokenLineError):
            answered(line)
    with pytest.raises(RecordError, match="no message"):
        answered(b'{"recordId": "000000001", "modelOutput": {}}')
    assert answered(json.dumps(out("a", json.loads(record(3, MANY[0], {})))).encode()) == (3, "a")

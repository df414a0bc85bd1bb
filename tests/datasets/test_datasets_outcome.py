"""What the manifest says of a preparation, and when a dataset is rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.registry import form_of, settings_of
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared, RowCounts
from lambda_handlers.datasets.passes.shard import transform_shard
from lambda_handlers.datasets.passes.summary import ShardSummary, merge
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.datasets.reading.json_lines import json_lines
from lambda_handlers.datasets.writers import LineWriter
from lambda_handlers.protocol.errors import DatasetRejected
from tests.datasets.passes_support import MemorySink

GOOD = b'{"question": "x", "answer": "y"}\n'
WITH_SYSTEM = b'{"question": "x", "answer": "y", "system": "s"}\n'


def media(kind: str, suffix: str) -> bytes:
    source = {"s3Location": {"uri": f"s3://b/k.{suffix}", "bucketOwner": "123456789012"}}
    item = {kind: {"format": suffix, "source": source}}
    user = {"role": "user", "content": [item, {"text": "x"}]}
    answer = {"role": "assistant", "content": [{"text": "y"}]}
    row = {"schemaVersion": "bedrock-conversation-2024", "messages": [user, answer]}
    return json.dumps(row).encode() + b"\n"


def pass_one(form: Form, preparation: Preparation, data: bytes, source: str) -> ShardSummary:
    return transform_shard(
        json_lines([data], max_row_bytes=preparation.max_row_bytes),
        form.make(settings_of(preparation)),
        source=source,
        accepted=LineWriter(MemorySink()),
        quarantine=LineWriter(MemorySink()),
    )


def run(
    *sources: bytes, max_reject_ratio: float = 1.0, assigned: Any = None, minimum: bool = False, **options: Any
) -> Prepared:
    preparation = Preparation(**{"model": "NOVA_LITE_2", "method": "SFT_LORA", **options})
    form = form_of(preparation)
    shards = [pass_one(form, preparation, data, f"s3://b/{number}") for number, data in enumerate(sources)]
    return outcome.conclude(
        preparation,
        form,
        merge(shards),
        assigned=assigned,
        inputs=(),
        outputs=(),
        max_reject_ratio=max_reject_ratio,
        with_minimum=minimum,
    )


def test_counts_that_do_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        RowCounts(rows_in=3, out=1, rejected=1)


def test_the_manifest_says_what_was_asked_and_what_came_of_it() -> None:
    assigned = {"train": 2, "validation": 1, "test": 1, "duplicate": 3, "leaked": 2, "over_limit": 1}
    found = run(
        GOOD * 10 + b"x\n",
        assigned=assigned,
        operations=Operations(split=Split(), dedupe=True, seed=7),
        columns={"system": "s"},
        max_reject_ratio=0.2,
    ).manifest.as_dict()
    assert found["rows"] == {"in": 11, "out": 4, "rejected": 1, "duplicate": 3, "leaked": 2, "over_limit": 1}
    assert found["operations"] == {
        "split": {"train": 0.8, "validation": 0.1, "test": 0.1, "by": "rows"},
        "seed": 7,
        "dedupe": True,
        "limit": None,
        "no_leak": False,
    }
    assert (found["model"], found["method"], found["eval_task"], found["form"]) == (
        "NOVA_LITE_2",
        "SFT_LORA",
        None,
        "converse",
    )
    assert (found["columns"]["question"], found["columns"]["system"]) == ("question", "s")
    assert (found["max_reject_ratio"], found["rules"]) == (0.2, {"not_json": 1})
    assert found["status"] == "rejected"  # no row has the column s
    assert run(GOOD).manifest.as_dict()["status"] == "accepted"


def test_a_column_absent_from_every_row_is_one_error_with_the_nearest_name() -> None:
    prepared = run(b'{"Question": "x", "answr": "y"}\n' * 3)
    assert prepared.manifest.errors == [
        "no row has the column 'question' (for question); columns there: Question, answr; the nearest is 'Question'",
        "no row has the column 'answer' (for answer); columns there: Question, answr; the nearest is 'answr'",
    ]
    with pytest.raises(DatasetRejected, match=r"no row has the column 'answer'.*Manifest: s3://p/m") as caught:
        outcome.check(prepared, manifest_uri="s3://p/m")
    assert len(caught.value.problems) == 2


def test_a_column_absent_from_some_rows_is_a_fault_of_those_rows() -> None:
    prepared = run(GOOD + b'{"question": "x"}\n')
    assert prepared.manifest.errors == []
    assert prepared.manifest.rules == {"missing_column": 1}


def test_a_flat_row_among_rows_of_another_form_is_a_fault_of_that_row() -> None:
    [converse] = [media("image", "png")]
    prepared = run(converse * 5 + b'{"qestion": "x"}\n')
    assert prepared.manifest.errors == []
    assert prepared.manifest.rules == {"missing_column": 1}


def test_a_mapped_optional_column_that_no_row_has_is_an_error() -> None:
    prepared = run(b'{"question": "x", "answer": "y", "sys": "z"}\n', columns={"system": "syst"})
    assert prepared.manifest.errors == [
        "no row has the column 'syst' (for system); columns there: answer, question, sys; the nearest is 'sys'"
    ]


def test_a_part_that_only_some_rows_have_rejects_the_dataset_with_both_counts_and_the_first_rows() -> None:
    prepared = run(GOOD * 2 + b"x\n" + WITH_SYSTEM * 9)
    assert prepared.manifest.rows.out == 11  # none is dropped
    assert prepared.manifest.errors == [
        "9 of 11 good rows have system and 2 have none; either all rows of a dataset have it or none has. "
        "First with system: row 4, row 5, row 6; first without: row 1, row 2"
    ]
    with pytest.raises(DatasetRejected, match="9 of 11 good rows have system"):
        outcome.check(prepared)


def test_rows_of_several_sources_are_named_by_their_line_there() -> None:
    [error] = run(GOOD * 2, b"\n" + WITH_SYSTEM).manifest.errors
    assert "First with system: row 3 (line 2 of s3://b/1); first without: row 1 (line 1 of s3://b/0), row 2" in error
    assert run(GOOD, b"x\n").first_reasons[0].startswith("row 2 (line 1 of s3://b/1): the line is not JSON")


@pytest.mark.parametrize("rows", [GOOD * 9, WITH_SYSTEM * 9, media("document", "pdf") * 9])
def test_a_part_that_all_rows_have_or_none_is_fine(rows: bytes) -> None:
    assert run(rows).manifest.errors == []


def test_a_system_prompt_given_to_rows_without_one_makes_them_alike() -> None:
    assert run(GOOD + WITH_SYSTEM, system_prompt="be brief").manifest.errors == []


def test_more_than_one_kind_of_media_rejects_the_dataset() -> None:
    errors = run(media("image", "png") * 2 + media("document", "pdf")).manifest.errors
    assert len(errors) == 3  # the image is in some rows, so is the document, and there are two kinds
    assert errors[2] == (
        "a dataset has text only, or text with one kind of media, but 2 rows have image, first row 1, row 2; "
        "1 rows have document, first row 3"
    )


def test_the_documented_number_of_rows_is_warned_of_and_demanded_by_the_workflow() -> None:
    assert run(GOOD * 7, model="NOVA_LITE").manifest.warnings[0] == (
        "7 rows are fewer than the minimum of 8 (documented for fine-tuning)"
    )
    assert run(GOOD * 8, model="NOVA_LITE").manifest.warnings == []
    outcome.check(run(GOOD * 7))
    outcome.check(run(GOOD * 8, minimum=True))
    with pytest.raises(DatasetRejected, match="7 rows are fewer than the minimum of 8"):
        outcome.check(run(GOOD * 7, minimum=True))


def test_the_rows_to_train_on_are_what_is_counted() -> None:
    assigned = {"train": 7, "validation": 1, "test": 2, "duplicate": 0, "leaked": 0, "over_limit": 0}
    with pytest.raises(DatasetRejected, match="7 rows are fewer"):
        outcome.check(run(GOOD * 10, minimum=True, assigned=assigned))


def test_reasoning_for_a_model_that_does_not_train_on_it_is_warned_of() -> None:
    row = b'{"question": "x", "answer": "y", "reasoning_text": "z"}\n'
    columns = {"reasoning_text": "reasoning_text"}
    ignored = "reasoning_text is mapped, but Nova 1 models do not train on reasoning: the column is ignored"
    assert run(row * 9, model="NOVA_LITE", columns=columns).manifest.warnings == [ignored]
    assert ignored not in run(row * 9, columns=columns).manifest.warnings


@pytest.mark.parametrize(
    ("data", "ratio", "words"),
    [
        (b"", 1.0, "the dataset has no rows"),
        (b"\n \n", 1.0, "the dataset has no rows"),
        (b"x\n", 1.0, r"1 of 1 rows \(100.00%\) were rejected; the limit is 100.00%"),
        (GOOD + b"x\n", 0.49, r"First reasons: row 2: the line is not JSON"),
    ],
)
def test_a_dataset_that_cannot_train_is_rejected_with_reasons(data: bytes, ratio: float, words: str) -> None:
    with pytest.raises(DatasetRejected, match=words):
        outcome.check(run(data, max_reject_ratio=ratio))


def test_a_reject_ratio_at_the_limit_passes() -> None:
    outcome.check(run(GOOD * 99 + b"x\n", max_reject_ratio=0.01))
    with pytest.raises(DatasetRejected, match=r"2 of 100 rows \(2.00%\) were rejected; the limit is 1.00%"):
        outcome.check(run(GOOD * 98 + b"x\n" * 2, max_reject_ratio=0.01))


def test_a_dataset_without_a_row_left_to_train_on_is_rejected() -> None:
    assigned = {"train": 0, "validation": 0, "test": 1, "duplicate": 0, "leaked": 1, "over_limit": 0}
    with pytest.raises(DatasetRejected, match="no row is left to train on"):
        outcome.check(run(GOOD * 2, assigned=assigned))

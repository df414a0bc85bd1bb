"""Scores are read from the container's archive; what is missing or no number fails the evaluation."""

from __future__ import annotations

import json
import tarfile
import zlib
from typing import Any

import pytest

from lambda_handlers.catalog import Platform
from lambda_handlers.evaluation import results
from lambda_handlers.evaluation.output import read_output, scores_in
from lambda_handlers.evaluation.results_file import Measured, Scores, parse_scores
from lambda_handlers.protocol.errors import EvaluationFailed
from lambda_handlers.training.job_output import JobOutput
from tests.training.training_support import RUN, URI, MemoryS3, Recorder, archive, giant_header, link

ARCHIVE = JobOutput(uri=URI, platform=Platform.SMTJ)
SCORES = {"accuracy": 0.71, "accuracy_stderr": 0.01}


def document(**entries: Any) -> bytes:
    return json.dumps({"config_general": {}, "results": entries, "versions": {}}).encode()


def scores(content: bytes, task: str = "mmlu") -> Measured:
    return parse_scores(content, task, "place").whole


def in_archive(files: dict[str, bytes], task: str = "mmlu", *special: tarfile.TarInfo) -> Scores:
    return scores_in(read_output(MemoryS3({URI: archive(files, *special)}), ARCHIVE, task), ARCHIVE, task)


def read(files: dict[str, bytes], **more: Any) -> tuple[dict[str, Any], MemoryS3, Recorder]:
    """Read the archive of the mmlu evaluation, with `task` and `set` of the payload as given."""
    s3, ledger = MemoryS3({URI: archive(files)}), Recorder()
    job = {"stage": "evaluation-mmlu", "kind": "TrainingJob", "name": "job-1", "arn": "arn:job"}
    event = {
        "run": RUN,
        "task": {"task": "mmlu", "subtask": None, **more.pop("task", {})},
        "submitted": {"output_uri": URI, "job": job},
        "subject": {"model": "candidate", "model_path": "s3://escrow/step_4"},
        "config": {"model": "NOVA_LITE_2"},
        **more,
    }
    return results.read_evaluation(event, s3=s3, artifacts_bucket="artifacts", ledger=ledger), s3, ledger


@pytest.mark.parametrize("folder", ["demo/eval_results/", "eval-result/", "./demo/eval_results/", ""])
def test_scores_are_found_whatever_the_folder_is_called(folder: str) -> None:
    name = f"{folder}results_2026-01-01T00-00-00.json"
    record, s3, ledger = read({name: document(all=SCORES)})
    assert record == {
        "task": "mmlu",
        "subtask": None,
        "model": "candidate",
        "metrics": {"accuracy": 0.71},
        "stderr": {"accuracy": 0.01},
        "samples": None,
        "subtasks": {},
        "dataset_sha256": None,
        "results_uri": f"{URI}#{name.removeprefix('./')}",
        "raw_uri": URI,
        "job": {"stage": "evaluation-mmlu", "kind": "TrainingJob", "name": "job-1", "arn": "arn:job"},
    }
    [event] = ledger.events
    assert (event["type"], event["event_id"], event["detail"]) == ("evaluation_read", "evaluation-mmlu-read", record)
    [kept] = [content for uri, content in s3.objects.items() if uri.startswith("s3://artifacts/evaluations/")]
    assert json.loads(kept) == record


def subtasks(**counts: int) -> bytes:
    names = {f"custom|mmlu_zs_cot:{name}|0": count for name, count in counts.items()}
    entries = {**dict.fromkeys(names, SCORES), "all": SCORES}
    configured = {name: {"effective_num_docs": count} for name, count in names.items()}
    return json.dumps({"results": entries, "config_tasks": configured}).encode()


def test_subtasks_and_samples_are_in_the_record() -> None:
    record, _, _ = read({"x/results_1.json": subtasks(anatomy=135, astronomy=152)})
    assert record["samples"] == 287
    one = {"metrics": {"accuracy": 0.71}, "stderr": {"accuracy": 0.01}}
    assert record["subtasks"] == {"anatomy": {**one, "samples": 135}, "astronomy": {**one, "samples": 152}}


@pytest.mark.parametrize(
    "key", ["custom|mmlu:anatomy|0", "custom|mmlu_anatomy_zs_cot|0", "custom|mmlu_zs_cot_anatomy|0"]
)
def test_a_subtask_is_known_however_it_is_joined_to_its_task(key: str) -> None:
    found = parse_scores(document(**{key: SCORES, "custom|mmlu_zs_cot|0": SCORES}), "mmlu", "place")
    assert set(found.subtasks) == {"anatomy"}


def test_the_scores_of_another_subtask_do_not_count() -> None:
    with pytest.raises(EvaluationFailed, match="nor one entry for mmlu"):
        parse_scores(subtasks(anatomy=135), "mmlu", "place", "astronomy")


def test_no_sample_fails_the_evaluation() -> None:
    with pytest.raises(EvaluationFailed, match="mmlu rests on no sample"):
        read({"results_1.json": subtasks(anatomy=0)})


FROZEN = {"uri": "s3://prepared/runs/run-1/evaluation-sets/gen_qa/gen_qa.jsonl", "sha256": "ab" * 32, "rows": 3}


def answers(rows: int) -> dict[str, bytes]:
    return {"x/results_1.json": document(all={"f1": 0.5}), "x/inference_output.jsonl": b"{}\n" * rows}


def test_every_row_of_the_set_has_to_be_answered() -> None:
    record, _, _ = read(answers(3), task={"task": "gen_qa"}, set=FROZEN)
    assert (record["samples"], record["dataset_sha256"]) == (3, "ab" * 32)
    for rows, words in ((2, "has 2 answers to 3 rows"), (0, "rests on no sample")):
        with pytest.raises(EvaluationFailed, match=words):
            read(answers(rows), task={"task": "gen_qa"}, set=FROZEN)


@pytest.mark.parametrize("task", ["gen_qa", "llm_judge", "rft_eval"])
def test_an_evaluation_on_fewer_samples_than_rows_is_partial(task: str) -> None:
    def counted(samples: int) -> dict[str, bytes]:
        configured = {"all": {"effective_num_docs": samples}}
        return {"results_1.json": json.dumps({"results": {"all": {"s": 0.5}}, "config_tasks": configured}).encode()}

    assert read(counted(3), task={"task": task}, set=FROZEN)[0]["samples"] == 3
    with pytest.raises(EvaluationFailed, match=f"{task} is partial: it has 2 answers to 3 rows"):
        read(counted(2), task={"task": task}, set=FROZEN)


def test_a_judge_may_leave_several_lines_for_a_row_but_not_fewer() -> None:
    judge = {"task": "llm_judge"}
    assert read(answers(6), task=judge, set=FROZEN)[0]["samples"] == 3
    with pytest.raises(EvaluationFailed, match="llm_judge is partial"):
        read(answers(2), task=judge, set=FROZEN)


def test_results_in_parts_tell_nothing_of_the_whole() -> None:
    with pytest.raises(EvaluationFailed, match=r"results_2\.json lacks anatomy, which results_1\.json has"):
        in_archive({"results_1.json": subtasks(anatomy=1), "results_2.json": subtasks(astronomy=1)})


def test_records_for_tensorboard_are_copied_where_asked() -> None:
    files = {"results_1.json": document(all=SCORES), "demo/tensorboard_results/eval/events.out": b"record"}
    record, s3, _ = read(files, task={"tensorboard": True})
    assert record["tensorboard_uri"] == "s3://artifacts/runs/run-1/evaluation-mmlu/tensorboard/"
    assert s3.objects[f"{record['tensorboard_uri']}eval/events.out"] == b"record"
    assert not [uri for uri in read(files)[1].objects if "tensorboard" in uri]


def test_nothing_is_copied_of_an_archive_that_is_refused_further_on() -> None:
    first = {"tensorboard_results/events.out": b"record", "results_1.json": document(all=SCORES), "../x": b""}
    s3 = MemoryS3({URI: archive(first)})
    event = {
        "run": RUN,
        "task": {"task": "mmlu", "subtask": None, "tensorboard": True},
        "submitted": {"output_uri": URI, "job": {"kind": "TrainingJob"}},
        "config": {"model": "NOVA_LITE_2"},
    }
    with pytest.raises(EvaluationFailed, match="outside of the output"):
        results.read_evaluation(event, s3=s3, artifacts_bucket="artifacts", ledger=Recorder())
    assert list(s3.objects) == [URI]


def member(name: str, kind: bytes) -> tarfile.TarInfo:
    return link(name, "/etc/passwd", kind)


def bomb() -> bytes:
    """Return an archive of a megabyte whose one file has a gigabyte."""
    info = tarfile.TarInfo("x/inference_output.jsonl")
    info.size = 10 * 1024**3
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(info.tobuf()), *(packer.compress(bytes(1024**2)) for _ in range(8)), packer.flush()]
    return b"".join(parts)


GOOD = {"x/results_1.json": document(all=SCORES)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive({"../results_1.json": GOOD["x/results_1.json"]}), r"holds '\.\./results_1\.json', which is outside"),
        (archive({"/x/results_1.json": GOOD["x/results_1.json"]}), "which is outside of the output"),
        (archive(GOOD, member("x/soft", tarfile.SYMTYPE)), r"holds 'x/soft', which is a link to '/etc/passwd'"),
        (archive(GOOD, member("x/hard", tarfile.LNKTYPE)), "which is a link to"),
        (archive(GOOD, member("x/disk", tarfile.BLKTYPE)), "which is a device or a pipe"),
        (archive(GOOD, member("x/tty", tarfile.CHRTYPE)), "which is a device or a pipe"),
        (archive(GOOD, member("x/pipe", tarfile.FIFOTYPE)), "which is a device or a pipe"),
        (archive({"x/results_1.json": b" " * (17 * 1024**2)}), "of 17825792 bytes; at most 16777216 are read"),
        (bomb(), "is larger than 8589934592 bytes"),
        (giant_header(), "an extended header has 4294967296 bytes"),
        (archive(GOOD)[:-9], "is not a whole tar.gz archive: it is cut off"),
        (b"<html>", "is not a whole tar.gz archive"),
    ],
    ids=[
        "parent",
        "root",
        "soft link",
        "hard link",
        "disk",
        "terminal",
        "pipe",
        "large member",
        "bomb",
        "giant header",
        "cut off",
        "no archive",
    ],
)
def test_a_hostile_archive_fails_the_evaluation_and_writes_nothing(content: bytes, words: str) -> None:
    s3, ledger = MemoryS3({URI: content}), Recorder()
    event = {
        "run": RUN,
        "task": {"task": "mmlu", "tensorboard": True},
        "submitted": {"output_uri": URI, "job": {"kind": "TrainingJob"}},
    }
    event |= {"subject": {"model_path": "s3://escrow/step_4"}, "config": {"model": "NOVA_LITE_2"}}
    with pytest.raises(EvaluationFailed, match=words):
        results.read_evaluation(event, s3=s3, artifacts_bucket="artifacts", ledger=ledger)
    assert list(s3.objects) == [URI]
    assert ledger.events == []


def test_the_newest_results_count() -> None:
    files = {
        "a/results_2026-01-02.json": document(all={"accuracy": 0.9}),
        "b/results_2026-01-01.json": document(all={"accuracy": 0.1}),
    }
    assert in_archive(files).whole.metrics == {"accuracy": 0.9}


def test_all_comes_before_the_entry_of_the_task() -> None:
    content = document(**{"custom|mmlu_zs_cot|0": {"accuracy": 0.1}, "all": SCORES})
    assert scores(content).metrics == {"accuracy": 0.71}


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ("mmlu", "custom|mmlu_zs_cot|0"),
        ("gen_qa", "custom|gen_qa_gen_qa|0"),
        ("mmlu", "custom|mmlu:anatomy|0"),
        ("mmlu", "mmlu"),
    ],
)
def test_without_all_the_entry_of_the_task_counts(task: str, key: str) -> None:
    content = document(**{key: SCORES, "custom|other|0": {"accuracy": 0.1}, "all": {}})
    assert scores(content, task).metrics == {"accuracy": 0.71}


def test_the_scores_of_another_task_do_not_count() -> None:
    with pytest.raises(
        EvaluationFailed, match=r'neither "all" nor one entry for mmlu; entries: custom\|mmlu_pro_zs_cot'
    ):
        scores(document(**{"custom|mmlu_pro_zs_cot|0": SCORES}))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1" + 400 * "0", '"0.7"', "true", "null", "[1]"])
def test_a_score_that_is_no_number_is_refused(value: str) -> None:
    content = f'{{"results": {{"all": {{"accuracy": {value}}}}}}}'.encode()
    with pytest.raises(EvaluationFailed, match=r"place give accuracy as .*, which is not a number"):
        scores(content)


def test_a_standard_error_that_is_no_number_is_left_out() -> None:
    content = b'{"results": {"all": {"accuracy": 0.5, "accuracy_stderr": NaN}}}'
    assert (scores(content).metrics, scores(content).stderr) == ({"accuracy": 0.5}, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "are not JSON"), (b"[]", 'have no "results"'), (document(), "entries: none"), (b"[" * 100_000, "not JSON")],
)
def test_broken_results_fail_the_evaluation(content: bytes, words: str) -> None:
    with pytest.raises(EvaluationFailed, match=words):
        scores(content)


def test_missing_output_is_named() -> None:
    with pytest.raises(EvaluationFailed, match=rf"evaluation mmlu left no usable output: {URI} does not exist"):
        read_output(MemoryS3(), ARCHIVE, "mmlu")
    with pytest.raises(EvaluationFailed, match=rf"{URI} has no results_"):
        in_archive({"manifest.json": b"{}"})

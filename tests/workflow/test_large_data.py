"""A dataset above one shard goes through the Distributed Map; a shard that crashes is retried, a lost one fails."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.datasets.files import prepare_files
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize

MEBIBYTE = 1024 * 1024
DATA = {
    **ENTRY["data"],
    "split": {"train": 0.9, "validation": 0.05, "test": 0.05},
    "dedupe": True,
    "no_leak_with": ["evaluation/gen_qa.jsonl"],
}
PREPARATION = Preparation(
    model="NOVA_LITE_2",
    method="SFT_LORA",
    operations=Operations(split=Split(train=0.9, validation=0.05, test=0.05), dedupe=True, no_leak=True),
)
SHARDS = ["PrepareData", "DataIsCut", "TransformShards", "ReduceShards", "AssembleShards", "FinishData", "DataReady"]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    assembly = synthesize(tmp_path_factory.mktemp("large"), data=DATA)
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)


def rows(mebibytes: int, salt: str) -> bytes:
    """Return rows of about 1.4 KB, one in 500 faulty, one in 50 as before, some that the evaluation set asks too."""
    draw = random.Random(salt)
    words = [f"word{n}" for n in range(2000)]
    made, size, last = [], 0, b""
    while size < mebibytes * MEBIBYTE:
        number = len(made)
        if number % 50 == 49:
            line = last
        elif number % 500 == 7:
            line = b'{"question": "  ", "answer": "nothing"}'
        else:
            asked = f"What is {number % 20} plus {number % 20}?" if number % 1000 == 3 else f"{salt} {number}?"
            row = {"question": asked, "answer": " ".join(draw.choices(words, k=180))}
            line = json.dumps(row).encode()
        made.append(line)
        size += len(line) + 1
        last = line
    return b"\n".join(made)


def prepared(workflow: Workflow, ended: dict[str, Any]) -> dict[str, bytes]:
    folder = f"runs/{ended['name']}"
    found = {}
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl", "manifest.json"):
        found[name] = workflow.s3.get_object(Bucket=workflow["PreparedBucketName"], Key=f"{folder}/{name}")
    key = f"{folder}/quarantine.jsonl"
    found["quarantine.jsonl"] = workflow.s3.get_object(Bucket=workflow["QuarantineBucketName"], Key=key)
    return {name: answer["Body"].read() for name, answer in found.items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sixty_megabytes_leave_the_bytes_of_one_pass(workflow: Workflow, tmp_path: Path) -> None:
    data = rows(60, "large")
    ended = workflow.run(data)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    path = workflow.path(ended["executionArn"])
    assert [state for state in path if state in SHARDS] == SHARDS
    assert len(path) <= 40
    (tmp_path / "data.jsonl").write_bytes(data)
    asked = [{"query": f"What is {n} plus {n}?", "response": str(2 * n)} for n in range(20)]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, asked)))
    one = prepare_files(
        str(tmp_path / "data.jsonl"),
        tmp_path / "out",
        PREPARATION,
        evaluation_sets=[str(tmp_path / "asked.jsonl")],
    )
    found = prepared(workflow, ended)
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["rows"] == one.manifest.rows.as_dict()
    assert all(manifest["rows"][name] for name in ("duplicate", "leaked", "rejected"))
    for name, content in found.items():
        local = (tmp_path / "out" / name).read_bytes()
        if name == "quarantine.jsonl":  # each names its own source
            local = local.replace(str(tmp_path / "data.jsonl").encode(), manifest["inputs"][0]["uri"].encode())
        assert content == local, name


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shards", ["Transform", "Assemble"])
def test_a_shard_that_crashes_once_is_retried(workflow: Workflow, shards: str) -> None:
    workflow.emulator.faults.crash_function(f"Data{shards}", times=1)
    ended = workflow.run(rows(34, f"crash {shards}"))
    assert workflow.emulator.faults.fired["crash_function"] == 1
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shard_that_keeps_crashing_fails_the_run(workflow: Workflow) -> None:
    workflow.emulator.faults.crash_function("DataTransform", times=None)
    ended = workflow.run(rows(34, "crash always"))
    assert (ended["status"], ended["error"]) == ("FAILED", "DataPreparationFailed")
    assert "shard 1 of 2 could not be prepared (2 shards were lost): Runtime.ExitError" in ended["cause"]
    workflow.record(ended["name"])
    workflow.nothing_left_running()
    assert workflow.jobs() == {} or not workflow.live_jobs()

"""A large dataset goes through shards and leaves the same bytes as one call; a lost shard never passes."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers import assemble_shard, finish_data, prepare_data, reduce_shards, transform_shard
from lambda_handlers.datasets import shards as cutting
from lambda_handlers.datasets.stage import preparing_at_once
from lambda_handlers.protocol.errors import DataPreparationFailed, DatasetRejected

SPLIT = {"train": 0.7, "validation": 0.1, "test": 0.2, "by": "rows"}
EVALUATION = "s3://incoming-bucket/evaluation/asked.jsonl"
OPERATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "all": {"split": SPLIT, "dedupe": True, "limit": 300, "no_leak": True, "no_leak_with": [EVALUATION]},
    "content": {"split": {**SPLIT, "by": "content"}, "seed": 7},
    "dedupe": {"dedupe": True},
}


class Recorder:
    def __init__(self, _: str) -> None:
        pass

    def append(self, **event: Any) -> Mapping[str, Any]:
        return {"seq": 1, "hash": ""}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for handler in (prepare_data, finish_data):
        monkeypatch.setattr(handler, "LedgerClient", Recorder)
    for name in ("APPEND_LEDGER_FUNCTION", "PREPARED_BUCKET", "QUARANTINE_BUCKET", "RUN_LEDGER_TABLE"):
        monkeypatch.setenv(name, name.lower().replace("_", "-"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("incoming-bucket", "prepared-bucket", "quarantine-bucket"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="incoming-bucket", VersioningConfiguration={"Status": "Enabled"})
        asked = "\n".join(json.dumps({"query": f"what is {n}?", "response": "x"}) for n in range(9))
        client.put_object(Bucket="incoming-bucket", Key="evaluation/asked.jsonl", Body=asked.encode())
        for handler in (prepare_data, transform_shard, reduce_shards, assemble_shard, finish_data):
            monkeypatch.setattr(handler, "client", lambda _: client)
        yield client


def rows(seed: int, bad: int = 3) -> bytes:
    draw = random.Random(seed)
    made = [
        json.dumps({"question": f"What is {draw.randrange(250)}?", "answer": "a" * draw.randrange(1, 60)})
        for _ in range(400)
    ]
    for _ in range(bad):
        made.insert(draw.randrange(len(made)), draw.choice(["not json", '{"question": "x"}', '{"question": NaN}']))
    made.insert(draw.randrange(len(made)), "")
    return "\n".join(made).encode()


class Call:
    """The calls of one run, as the state machine makes them."""

    def __init__(self, s3: Any, run: str, objects: dict[str, bytes], stage: str | None = None, **config: Any) -> None:
        found = []
        for name, data in objects.items():
            version = s3.put_object(Bucket="incoming-bucket", Key=f"datasets/{name}", Body=data)["VersionId"]
            uri, digest = f"s3://incoming-bucket/datasets/{name}", hashlib.sha256(data).hexdigest()
            found.append({"uri": uri, "version_id": version, "sha256": digest, "bytes": len(data)})
        self.s3 = s3
        self.stage = {"stage": stage} if stage else {}
        self.event = {
            **self.stage,
            "run": {
                "id": run,
                "execution_arn": "arn:e",
                "state_machine_arn": "arn:s",
                "started_at": "2026-01-01T00:00:00Z",
                "lock_generation": 1,
            },
            "dataset": {"uri": "s3://incoming-bucket/datasets/", "objects": found},
            "config": {"model": "NOVA_LITE_2", "method": "SFT_LORA", "max_reject_ratio": 0.05, **config},
        }

    def at_once(self) -> dict[str, Any]:
        result = prepare_data.handler(self.event, None)
        assert "shards" not in result
        return result

    def cut(self) -> dict[str, Any]:
        found: dict[str, Any] = prepare_data.handler(self.event, None)["shards"]
        return found

    def each(self, handler: Callable[..., None], listed: dict[str, Any], skip: int | None = None) -> list[Any]:
        content = self.s3.get_object(Bucket="prepared-bucket", Key=listed["key"])["Body"].read()
        done = []
        for shard in json.loads(content):
            if shard["number"] != skip:
                event = {**self.stage, "run": self.event["run"], "config": self.event["config"], "shard": shard}
                handler(event, None)
            done.append(shard["number"])
        return done

    def reduce(self, listed: dict[str, Any], done: list[Any]) -> dict[str, Any]:
        return reduce_shards.handler({**self.event, "shards": listed, "done": done}, None)

    def finish(self, listed: dict[str, Any], done: list[Any], reduced: dict[str, Any]) -> dict[str, Any]:
        return finish_data.handler({**self.event, "shards": listed, "done": done, "reduced": reduced}, None)

    def by_shards(self) -> dict[str, Any]:
        listed = self.cut()
        reduced = self.reduce(listed, self.each(transform_shard.handler, listed))
        return self.finish(listed, self.each(assemble_shard.handler, listed), reduced)


def files(s3: Any, result: dict[str, Any]) -> dict[str, bytes]:
    named = {name: result[name]["uri"] for name in ("train", "validation", "test") if name in result}
    named |= {"manifest": result["manifest_uri"], "quarantine": result["quarantine_uri"]}
    found = {}
    for name, uri in named.items():
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        found[name] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_size(size: int) -> None:
        monkeypatch.setattr(preparing_at_once, "SHARD_BYTES", size)
        monkeypatch.setattr(preparing_at_once, "cut", lambda objects: cutting.cut(objects, shard_bytes=size))

    return set_size


@pytest.mark.parametrize("operations", OPERATIONS)
@pytest.mark.parametrize("objects", [1, 3])
def test_shards_leave_the_same_bytes_as_one_call(
    s3: Any, tiny: Callable[[int], None], operations: str, objects: int
) -> None:
    data = {f"{n}.jsonl": rows(n) for n in range(objects)}
    whole = Call(s3, "run", data, **OPERATIONS[operations]).at_once()
    expected = files(s3, whole)
    tiny(3000)
    result = Call(s3, "run", data, **OPERATIONS[operations]).by_shards()
    found = files(s3, result)
    assert result == whole
    assert {name: content for name, content in found.items() if name != "manifest"} == {
        name: content for name, content in expected.items() if name != "manifest"
    }
    # Only versions tell the two uploads of the same data apart.
    assert _without_versions(found["manifest"]) == _without_versions(expected["manifest"])


def test_shards_of_two_stages_of_a_run_do_not_meet(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    first, further = Call(s3, "run", {"a.jsonl": rows(1)}), Call(s3, "run", {"b.jsonl": rows(2)}, stage="rl")
    expected = Call(s3, "other", {"b.jsonl": rows(2)}).by_shards()
    listed, later = first.cut(), further.cut()
    assert (listed["key"], later["key"]) == ("work/run/shards.json", "work/run/rl/shards.json")
    done, done_later = first.each(transform_shard.handler, listed), further.each(transform_shard.handler, later)
    reduced, reduced_later = first.reduce(listed, done), further.reduce(later, done_later)
    result = further.finish(later, further.each(assemble_shard.handler, later), reduced_later)
    assert result["train"]["uri"] == "s3://prepared-bucket/runs/run/rl/train.jsonl"
    assert files(s3, result)["train"] == files(s3, expected)["train"]
    assert first.finish(listed, first.each(assemble_shard.handler, listed), reduced)["rows"]["out"] == 400


def _without_versions(manifest: bytes) -> Any:
    document = json.loads(manifest)
    for item in document["inputs"]:
        del item["version_id"]
    return document


def test_what_cannot_be_cut_is_one_shard_where_rows_are_compared(s3: Any, tiny: Callable[[int], None]) -> None:
    table = "question,answer\n" + "".join(f'"what is\n{n % 40}?",x\n' for n in range(100))
    tiny(500)
    call = Call(s3, "run", {"a.csv": table.encode()}, dedupe=True)
    listed = call.cut()
    assert listed["count"] == 1
    reduced = call.reduce(listed, call.each(transform_shard.handler, listed))
    result = call.finish(listed, call.each(assemble_shard.handler, listed), reduced)
    assert (result["rows"]["out"], result["rows"]["duplicate"]) == (40, 60)


def test_a_shard_that_was_lost_fails_the_run_with_its_reason(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    call = Call(s3, "run", {"a.jsonl": rows(1)})
    listed = call.cut()
    done = call.each(transform_shard.handler, listed, skip=2)
    with pytest.raises(DataPreparationFailed, match=r"shard 3 of the dataset left no summary.json"):
        call.reduce(listed, done)
    cause = json.dumps({"errorMessage": "out of memory", "errorType": "X"})
    failed = [*done[:2], {"shard": 2, "error": {"Error": "Runtime.ExitError", "Cause": cause}}, *done[3:]]
    with pytest.raises(
        DataPreparationFailed,
        match=rf"shard 3 of {len(done)} could .*: Runtime.ExitError: A function ended .*: out of memory",
    ):
        call.reduce(listed, failed)
    with pytest.raises(DataPreparationFailed, match=rf"of {len(done)} shards only {len(done) - 1} were prepared"):
        call.reduce(listed, done[:-1])


def test_a_shard_that_was_lost_when_parts_were_made_fails_the_run_too(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    call = Call(s3, "run", {"a.jsonl": rows(1)})
    listed = call.cut()
    reduced = call.reduce(listed, call.each(transform_shard.handler, listed))
    done = call.each(assemble_shard.handler, listed)
    with pytest.raises(DataPreparationFailed, match=rf"of {len(done)} shards only {len(done) - 1} were prepared"):
        call.finish(listed, done[:-1], reduced)


def test_fewer_rows_than_documented_stop_the_run_in_shards_too(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(30)
    with pytest.raises(DatasetRejected, match=r"7 .*8"):
        Call(s3, "run", {"a.jsonl": b'{"question": "x", "answer": "y"}\n' * 7}).by_shards()


def test_a_part_that_was_lost_fails_the_run(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    call = Call(s3, "run", {"a.jsonl": rows(1)})
    listed = call.cut()
    reduced = call.reduce(listed, call.each(transform_shard.handler, listed))
    done = call.each(assemble_shard.handler, listed)
    s3.put_object(Bucket="prepared-bucket", Key="work/run/0001/rows.jsonl", Body=b"{}\n")
    with pytest.raises(DataPreparationFailed, match=r"train.jsonl has \d+ rows where there should be 400"):
        call.finish(listed, done, reduced)


def test_a_shard_that_is_prepared_again_changes_nothing(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    call = Call(s3, "run", {"a.jsonl": rows(1)}, **OPERATIONS["all"])
    listed = call.cut()
    call.each(transform_shard.handler, listed)
    reduced = call.reduce(listed, call.each(transform_shard.handler, listed))
    call.each(assemble_shard.handler, listed)
    again = call.finish(listed, call.each(assemble_shard.handler, listed), reduced)
    assert again["rows"]["in"] == 403
    assert call.by_shards() == again


def test_too_many_bad_rows_in_shards_stop_the_run_with_everything_to_look_at(
    s3: Any, tiny: Callable[[int], None]
) -> None:
    tiny(3000)
    with pytest.raises(DatasetRejected, match=r"60 of 460 rows .* Manifest: s3://prepared-bucket/runs/run/manifest"):
        Call(s3, "run", {"a.jsonl": rows(1, bad=60)}).by_shards()
    rejected = s3.get_object(Bucket="quarantine-bucket", Key="runs/run/quarantine.jsonl")["Body"].read()
    assert [json.loads(line)["row"] for line in rejected.splitlines()] == sorted(
        json.loads(line)["row"] for line in rejected.splitlines()
    )
    assert len(rejected.splitlines()) == 60


def test_a_shard_of_an_object_that_vanished_is_named(s3: Any, tiny: Callable[[int], None]) -> None:
    tiny(3000)
    call = Call(s3, "run", {"a.jsonl": rows(1)})
    listed = call.cut()
    version = call.event["dataset"]["objects"][0]["version_id"]
    s3.delete_object(Bucket="incoming-bucket", Key="datasets/a.jsonl", VersionId=version)
    with pytest.raises(DataPreparationFailed, match=r"datasets/a.jsonl changed or vanished"):
        call.each(transform_shard.handler, listed)


def test_an_object_without_rows_is_refused_either_way(s3: Any, tiny: Callable[[int], None]) -> None:
    data = {"a.jsonl": rows(1), "b.jsonl": b"\n" * 4000}
    with pytest.raises(DatasetRejected, match=r"datasets/b.jsonl holds no rows"):
        Call(s3, "run", data).at_once()
    tiny(3000)
    with pytest.raises(DatasetRejected, match=r"datasets/b.jsonl holds no rows"):
        Call(s3, "run", data).by_shards()


def test_scratch_is_left_clean(
    s3: Any, tiny: Callable[[int], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Call(s3, "run", {"a.jsonl": rows(1)}, **OPERATIONS["all"]).at_once()
    tiny(3000)
    Call(s3, "run", {"a.jsonl": rows(1)}, **OPERATIONS["all"]).by_shards()
    assert list(tmp_path.iterdir()) == []


def media_rows(count: int) -> bytes:
    """Return rows with images of two other buckets, of the run's own, one that is missing and one that is elsewhere."""
    made = []
    for number in range(count):
        where = {7: "photos-bucket/none", 9: "closed-bucket/x"}.get(number)
        uri = f"s3://{where or ('photos-bucket', 'drawings-bucket')[number % 2] + f'/{number % 20}.png'}"
        if number % 10 == 5:
            uri = "s3://prepared-bucket/runs/earlier/media/a.png"
        made.append(
            {"question": f"{number}?", "answer": "A cat.", "image_format": "png", "s3_uri": uri, "bucket_owner": "1"}
        )
    return "\n".join(map(json.dumps, made)).encode()


def test_media_from_two_buckets_make_the_same_rows_in_shards(s3: Any, tiny: Callable[[int], None]) -> None:
    for bucket in ("photos-bucket", "drawings-bucket"):
        s3.create_bucket(Bucket=bucket)
        for number in range(20):
            s3.put_object(Bucket=bucket, Key=f"{number}.png", Body=b"%d" % number)
    s3.put_object(Bucket="prepared-bucket", Key="runs/earlier/media/a.png", Body=b"earlier")
    data = {"a.jsonl": media_rows(200), "b.jsonl": media_rows(100)}
    config = {"media_buckets": ["photos-bucket", "drawings-bucket"], "account": "444455556666", "dedupe": True}
    whole = Call(s3, "run", data, **config).at_once()
    expected = files(s3, whole)
    copies = copied(s3)
    assert len(copies) == 16 + 2  # 0.png to 19.png by turns, those of the numbers that end in 5 left out

    tiny(2000)
    call = Call(s3, "run", data, **config)
    found = files(s3, call.by_shards())
    call.each(transform_shard.handler, call.cut())

    assert {name: found[name] for name in ("train", "quarantine")} == {
        name: expected[name] for name in ("train", "quarantine")
    }
    assert _without_versions(found["manifest"]) == _without_versions(expected["manifest"])
    assert copied(s3) == copies
    assert whole["rows"]["rejected"] == 4
    assert [json.loads(line)["codes"] for line in found["quarantine"].splitlines()] == [["media_missing"]] * 4
    locations = {
        tuple(json.loads(line)["messages"][0]["content"][0]["image"]["source"]["s3Location"].values())
        for line in found["train"].splitlines()
    }
    assert locations == {
        ("s3://prepared-bucket/runs/earlier/media/a.png", "1"),
        *((f"s3://prepared-bucket/{key}", "444455556666") for key in copies),
    }


def copied(s3: Any) -> dict[str, Any]:
    """Return when each copy of the run was made."""
    found = s3.list_objects_v2(Bucket="prepared-bucket", Prefix="runs/run/media/")["Contents"]
    return {each["Key"]: each["LastModified"] for each in found}


def test_media_of_buckets_that_nobody_named_are_not_read(s3: Any, tiny: Callable[[int], None]) -> None:
    s3.put_object(Bucket="prepared-bucket", Key="runs/earlier/media/a.png", Body=b"earlier")
    with pytest.raises(DatasetRejected, match="the setting media_buckets does not name the bucket photos-bucket"):
        Call(s3, "run", {"a.jsonl": media_rows(20)}).at_once()
    rejected = s3.get_object(Bucket="quarantine-bucket", Key="runs/run/quarantine.jsonl")["Body"].read()
    assert len(rejected.splitlines()) == 20
    tiny(2000)
    with pytest.raises(DatasetRejected, match="the setting media_buckets does not name the bucket photos-bucket"):
        Call(s3, "run", {"a.jsonl": media_rows(20)}).by_shards()

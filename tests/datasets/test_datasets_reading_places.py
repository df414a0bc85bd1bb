"""Where data is: files, folders, objects and prefixes, and what happens when they change while they are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.reading import local_files
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.protocol.errors import DataPreparationFailed, InvalidRequest

MIB = 1024 * 1024
ROW = b'{"q": "x"}\n'


def names(found: list[Any]) -> list[str]:
    return [each.uri.rpartition("/")[2] for each in found]


def fill(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).write_bytes(ROW)


def test_a_file_is_found_and_read_from_any_place(tmp_path: Path) -> None:
    fill(tmp_path, "a.jsonl")
    [file] = local_files.find(str(tmp_path / "a.jsonl"))
    assert (file.uri, file.size, file.version_id) == (str(tmp_path / "a.jsonl"), len(ROW), None)
    assert b"".join(file.chunks()) == ROW
    assert b"".join(file.chunks(3)) == ROW[3:]


def test_a_folder_stands_for_its_data_files_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "b.jsonl", "a.JSONL.gz", "C.jsonl", ".d.jsonl", "_e.jsonl", "README.md")
    (tmp_path / "f.jsonl").mkdir()
    assert names(local_files.find(str(tmp_path))) == ["C.jsonl", "a.JSONL.gz", "b.jsonl"]


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ([], "none.jsonl", r"none\.jsonl cannot be read: No such file or directory"),
        ([], "", r"holds nothing to read: none of the 0 files"),
        (["a.txt", "_b.csv"], "", r"none of the 1 files in it ends in \.jsonl, \.json or \.csv"),
        (["a.jsonl", "b.csv", "c.csv"], "", r"data of several kinds, a\.jsonl and b\.csv for instance"),
    ],
)
def test_a_place_with_nothing_to_read_is_refused(tmp_path: Path, files: list[str], path: str, message: str) -> None:
    fill(tmp_path, *files)
    with pytest.raises(InvalidRequest, match=message):
        local_files.find(str(tmp_path / path))


def test_a_file_that_may_not_be_read_or_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidRequest, match=r"pipe\.jsonl is not a file"):
        local_files.find(str(tmp_path / "pipe.jsonl"))
    fill(tmp_path, "a.jsonl")
    (tmp_path / "a.jsonl").chmod(0)

    def refuse(path: Path, *_: object, **__: object) -> None:
        # The tests may run as root, whom no mode keeps out.
        assert stat.S_IMODE(path.stat().st_mode) == 0
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidRequest, match=r"a\.jsonl cannot be read: Permission denied"):
        local_files.find(str(tmp_path / "a.jsonl"))


@pytest.mark.parametrize("change", ["append", "rewrite", "replace", "folder", "delete"])
@pytest.mark.parametrize("moment", ["before", "during"])
def test_a_file_that_changes_or_vanishes_while_it_is_read_fails(tmp_path: Path, change: str, moment: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(ROW * 200_000)
    [file] = local_files.find(str(path))
    rows = read_rows(file)
    if moment == "during":
        next(rows)
    if change == "append":
        with path.open("ab") as more:
            more.write(ROW)
    elif change == "rewrite":
        path.write_bytes(ROW.replace(b"x", b"y") * 200_000)
        os.utime(path, ns=(0, 0))
    elif change == "replace":
        other = tmp_path / "other"
        other.write_bytes(ROW * 200_000)
        os.utime(other, ns=(file.modified_ns, file.modified_ns))
        other.replace(path)
    elif change == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.unlink()
    with pytest.raises(DataPreparationFailed, match=r"a\.jsonl (changed|vanished)"):
        list(rows)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("plain-bucket", "versioned-bucket"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="versioned-bucket", VersioningConfiguration={"Status": "Enabled"})
        yield client


def put(s3: Any, *keys: str, bucket: str = "plain-bucket", data: bytes = ROW) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=data)


def test_an_object_is_found_with_its_version_and_read_from_any_place(s3: Any) -> None:
    put(s3, "d/a.jsonl", bucket="versioned-bucket")
    [found] = s3_objects.find(s3, "s3://versioned-bucket/d/a.jsonl")
    assert found.version_id
    assert (found.uri, found.size) == ("s3://versioned-bucket/d/a.jsonl", len(ROW))
    put(s3, "d/a.jsonl", bucket="versioned-bucket", data=b"newer")
    assert b"".join(found.chunks()) == ROW
    assert b"".join(found.chunks(4)) == ROW[4:]
    assert list(found.chunks(len(ROW))) == []
    put(s3, "empty.jsonl", data=b"")
    [empty] = s3_objects.find(s3, "s3://plain-bucket/empty.jsonl")
    assert b"".join(empty.chunks()) == b""


@pytest.mark.parametrize("uri", ["s3://plain-bucket/d/", "s3://plain-bucket/d"])
def test_a_prefix_stands_for_the_data_directly_under_it_by_name(s3: Any, uri: str) -> None:
    put(s3, "d/", "d/b.csv", "d/a.csv.gz", "d/_c.csv", "d/.d.csv", "d/e.md", "d/f/g.csv", "dd.csv", "e/a.jsonl")
    assert names(s3_objects.find(s3, uri)) == ["a.csv.gz", "b.csv"]


def test_an_object_goes_before_the_prefix_of_its_name(s3: Any) -> None:
    put(s3, "d.csv", "d.csv/a.csv")
    assert names(s3_objects.find(s3, "s3://plain-bucket/d.csv")) == ["d.csv"]


def test_a_long_prefix_is_listed_to_its_end(s3: Any) -> None:
    put(s3, *(f"n{number}.jsonl" for number in range(5)))
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params | {"MaxKeys": 2})
    assert len(s3_objects.find(s3, "s3://plain-bucket")) == 5


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://plain-bucket/none/", "s3://plain-bucket/none/ cannot be read: nothing is there"),
        ("s3://plain-bucket/none.jsonl", r"none\.jsonl cannot be read: nothing is there"),
        ("s3://plain-bucket/text/", r"none of the 1 objects directly under it ends in \.jsonl, \.json or \.csv"),
        ("s3://plain-bucket/mixed/", r"data of several kinds, a\.jsonl and b\.csv for instance"),
        ("s3://no-bucket/a.jsonl", r"cannot be found \(NoSuchBucket\)"),
        ("s3:///a", "has the form s3://bucket/key"),
    ],
)
def test_an_address_with_nothing_to_read_is_refused(s3: Any, uri: str, message: str) -> None:
    put(s3, "text/a.txt", "mixed/a.jsonl", "mixed/b.csv")
    with pytest.raises(InvalidRequest, match=message):
        s3_objects.find(s3, uri)


@pytest.mark.parametrize("bucket", ["plain-bucket", "versioned-bucket"])
@pytest.mark.parametrize("change", ["replace", "delete"])
def test_an_object_that_changes_or_vanishes_before_it_is_read_fails(s3: Any, bucket: str, change: str) -> None:
    put(s3, "a.jsonl", bucket=bucket)
    [found] = s3_objects.find(s3, f"s3://{bucket}/a.jsonl")
    if change == "replace":
        put(s3, "a.jsonl", bucket=bucket, data=ROW * 2)
    else:
        s3.delete_object(Bucket=bucket, Key="a.jsonl", **({"VersionId": found.version_id} if found.version_id else {}))
    if change == "replace" and bucket == "versioned-bucket":
        assert len(list(read_rows(found))) == 1
        return
    with pytest.raises(DataPreparationFailed, match=rf"s3://{bucket}/a\.jsonl changed or vanished"):
        list(read_rows(found))


def test_a_range_of_an_object_is_read_from_its_place(s3: Any) -> None:
    put(s3, "a.jsonl", data=ROW * 10)
    [found] = s3_objects.find(s3, "s3://plain-bucket/a.jsonl")
    assert [offset for _, offset, _ in read_rows(found, start=12, end=34)] == [22, 33]

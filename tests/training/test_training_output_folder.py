"""The folder of a HyperPod job is read as an archive is: as streams, within limits, and nothing of what is strange."""

from __future__ import annotations

from typing import IO, Any

import pytest
from botocore.exceptions import ClientError

from lambda_handlers.training import output_folder
from lambda_handlers.training.output_archive import ArchiveError, Limits, whole
from tests.training.training_support import FOLDER, MemoryS3


def below(**files: bytes) -> MemoryS3:
    return MemoryS3({f"{FOLDER}/{name.replace('__', '/')}": content for name, content in files.items()})


def shown(s3: Any, limits: Limits | None = None, uri: str = FOLDER) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def visit(name: str, content: IO[bytes], size: int) -> None:
        found[name] = whole(name, content, size, most=(limits or Limits()).file)

    output_folder.walk(s3, uri, visit, limits=limits)
    return found


@pytest.mark.parametrize("uri", [FOLDER, f"{FOLDER}/"])
def test_every_object_is_shown_by_its_path_on_all_pages(uri: str) -> None:
    s3 = below(**{f"eval-result__{n}": bytes([n]) * n for n in range(5)})
    s3.objects[f"{FOLDER}-2/other"] = b"of a job whose name begins alike"
    s3.objects[f"{FOLDER}/eval-result/"] = b""
    assert shown(s3, uri=uri) == {f"eval-result/{n}": bytes([n]) * n for n in range(5)}


def test_only_what_is_asked_for_is_fetched() -> None:
    s3 = below(manifest=b"x", details=b"y")
    asked: list[str] = []
    get = s3.get_object
    s3.get_object = lambda **request: (asked.append(request["Key"]), get(**request))[1]  # type: ignore[method-assign]
    output_folder.walk(s3, FOLDER, lambda name, content, _: name == "manifest" and content.read())
    assert [key.rpartition("/")[2] for key in asked] == ["manifest"]


def test_lines_are_read_as_those_of_a_file() -> None:
    lines: list[bytes] = []
    output_folder.walk(below(rows=b"one\ntwo\nthree"), FOLDER, lambda _, content, size: lines.extend(content))
    assert lines == [b"one\n", b"two\n", b"three"]


@pytest.mark.parametrize(
    ("files", "limits", "words"),
    [
        ({}, Limits(), "is empty: the job wrote nothing there"),
        ({"..__..__evaluations__known.json": b"{}"}, Limits(), "'../../evaluations/known.json', which is outside"),
        ({"__etc__x": b""}, Limits(), "'/etc/x', which is outside"),
        ({"a": b"12", "b": b"34"}, Limits(total=3), "is larger than 3 bytes or"),
        ({"a": b"", "b": b"", "c": b""}, Limits(members=2), "or 2 files"),
        ({"a": b"1234"}, Limits(file=3), "holds a of 4 bytes; at most 3 are read"),
    ],
)
def test_what_is_missing_strange_or_too_large_is_refused(files: dict[str, bytes], limits: Limits, words: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        shown(below(**files), limits)
    assert words in str(caught.value)
    assert str(caught.value).startswith(FOLDER)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("PreconditionFailed", "holds runs/run-1/jobs/job-1/a, which was written again while it was read"),
        ("NoSuchKey", "holds runs/run-1/jobs/job-1/a, which vanished, or may not be read"),
        ("AccessDenied", "which vanished, or may not be read"),
    ],
)
def test_an_object_is_read_as_it_was_listed(code: str, words: str) -> None:
    s3 = below(a=b"1")
    asked: list[Any] = []

    def refuse(**request: Any) -> Any:
        asked.append(request.get("IfMatch"))
        raise ClientError({"Error": {"Code": code, "Message": code}}, "GetObject")

    s3.get_object = refuse  # type: ignore[method-assign]
    with pytest.raises(ArchiveError, match=words):
        shown(s3)
    assert asked == ['"e"']


def test_a_folder_that_may_not_be_listed_is_told_of_and_other_errors_are_raised() -> None:
    def refused(code: str) -> MemoryS3:
        def paginate(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": code}}, "ListObjectsV2")

        s3 = below(a=b"1")
        s3.paginate = paginate  # type: ignore[method-assign]
        return s3

    with pytest.raises(ArchiveError, match=f"{FOLDER} does not exist, or may not be listed"):
        shown(refused("AccessDenied"))
    with pytest.raises(ClientError, match="InvalidRequest"):
        shown(refused("InvalidRequest"))

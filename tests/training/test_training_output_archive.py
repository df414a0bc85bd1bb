"""A job's archive is read as a stream, within limits, and nothing in it can reach outside."""

from __future__ import annotations

import tarfile

import pytest

from lambda_handlers.training import output_archive
from lambda_handlers.training.output_archive import ArchivedFile, ArchiveError, Limits
from tests.training.training_support import URI, MemoryS3, archive, giant_header, link


def read(content: bytes, limits: Limits | None = None) -> list[ArchivedFile]:
    return output_archive.read(MemoryS3({URI: content}), URI, lambda name: name.endswith(".json"), limits)


def test_wanted_files_are_read_and_the_others_passed_over() -> None:
    content = archive({"a/x.json": b"{}", "b.bin": b"\0" * 5000, "c.json": b"[]"})
    assert read(content) == [ArchivedFile(name="a/x.json", content=b"{}"), ArchivedFile(name="c.json", content=b"[]")]


def test_links_and_paths_that_leave_the_archive_are_passed_over() -> None:
    content = archive(
        {"../up.json": b"1", "/etc/abs.json": b"2", "a/../../b.json": b"3", "good.json": b"4"},
        link("soft.json", "/etc/passwd"),
        link("hard.json", "good.json", tarfile.LNKTYPE),
        link("pipe.json", "", tarfile.FIFOTYPE),
    )
    assert read(content) == [ArchivedFile(name="good.json", content=b"4")]


@pytest.mark.parametrize(
    "limits", [Limits(total=100), Limits(members=1), Limits(file=100)], ids=["total", "members", "file"]
)
def test_an_archive_beyond_the_limits_is_refused(limits: Limits) -> None:
    with pytest.raises(ArchiveError, match=r"output\.tar\.gz (is larger|holds b\.json)"):
        read(archive({"a.bin": b"", "b.json": b"x" * 200}), limits)


def test_a_header_that_claims_gigabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(ArchiveError, match="an extended header has 4294967296 bytes"):
        read(giant_header())


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b\x08broken"])
def test_something_else_is_not_an_archive(content: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"s3://artifacts-bucket/.* is not a whole tar\.gz archive"):
        read(content)


@pytest.mark.parametrize("left", [0.3, 0.9, 0.99])
def test_a_truncated_archive_is_refused(left: float) -> None:
    import random

    noise = random.Random(1).randbytes(50_000)
    content = archive({"a.json": noise, "b.json": noise})
    with pytest.raises(ArchiveError, match="not a whole"):
        read(content[: int(len(content) * left)])


def test_a_missing_archive_is_named() -> None:
    with pytest.raises(ArchiveError, match=rf"{URI} does not exist"):
        output_archive.read(MemoryS3(), URI, lambda _: True)

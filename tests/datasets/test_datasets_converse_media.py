"""The rules of images, videos and documents in a Converse row."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.faults import CODES
from tests.datasets.converse_support import (
    ANSWER,
    DOCUMENT,
    IMAGE,
    LOCATION,
    QUESTION,
    REASONING,
    VIDEO,
    codes,
    medium,
    message,
    row,
)

ALLOWED = {
    (1, "image"): {"jpeg", "png", "gif", "webp"},
    (2, "image"): {"jpeg", "png", "gif"},
    (1, "video"): {"mov", "mkv", "mp4", "webm"},
    (2, "video"): {"mov", "mkv", "mp4"},
    (1, "document"): set(),
    (2, "document"): {"pdf"},
}
FORMATS = ["jpeg", "jpg", "png", "gif", "webp", "bmp", "mov", "mkv", "mp4", "webm", "avi", "pdf", "docx", ""]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(("nova", "kind"), ALLOWED)
def test_each_version_reads_its_formats(nova: int, kind: str, file_format: str) -> None:
    expected = [] if file_format in ALLOWED[nova, kind] else [f"{kind}_format"]
    assert codes(row([medium(kind, file_format)], ANSWER), nova) == expected
    assert codes(row([medium(kind, file_format.upper())], ANSWER), nova) == expected


def test_jpg_is_named_as_jpeg() -> None:
    assert message(row([medium("image", "jpg")], ANSWER)) == (
        "messages[0].content[0].image.format is 'jpg'; allowed: jpeg, png, gif; write \"jpeg\""
    )


@pytest.mark.parametrize("item", [IMAGE, VIDEO, DOCUMENT])
def test_a_model_that_reads_only_text_is_given_no_media(item: dict[str, Any]) -> None:
    good = row([item, *QUESTION], ANSWER)
    assert codes(good) == []
    assert codes(good, multimodal=False) == ["media_model"]


@pytest.mark.parametrize(("item", "limit"), [(IMAGE, 10), (VIDEO, 1), (DOCUMENT, 1)])
def test_limits_are_those_of_a_whole_conversation(item: dict[str, Any], limit: int) -> None:
    [kind] = item
    assert codes(row([item] * limit, ANSWER)) == []
    assert codes(row([item] * (limit + 1), ANSWER)) == [f"{kind}_count"]
    assert codes(row([item] * limit, ANSWER, [item], ANSWER)) == [f"{kind}_count"]


@pytest.mark.parametrize("pair", [(IMAGE, VIDEO), (IMAGE, DOCUMENT), (VIDEO, DOCUMENT)])
def test_a_conversation_has_one_kind_of_media(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert codes(row([*pair], ANSWER)) == ["media_mixed"]
    assert codes(row([pair[0]], ANSWER, [pair[1]], ANSWER)) == ["media_mixed"]


@pytest.mark.parametrize("item", [IMAGE, VIDEO, DOCUMENT])
def test_media_belong_to_the_user(item: dict[str, Any]) -> None:
    assert codes(row(QUESTION, [item, *ANSWER])) == ["media_role"]


def test_media_and_reasoning_stand_in_different_turns() -> None:
    assert codes(row([IMAGE], [REASONING, *ANSWER])) == []
    assert codes(row([IMAGE, REASONING], ANSWER)) == ["reasoning_role", "media_reasoning"]


@pytest.mark.parametrize(
    "uri", ["s3://b/a b", "s3://b/é", "s3://", "https://b/i.png", "s3://b/i.png?x", "s3://b/a\n", 5, None]
)
def test_the_address_has_only_certain_characters(uri: Any) -> None:
    item = medium("image", "png", {"s3Location": {"uri": uri, "bucketOwner": "1"}})
    assert codes(row([item], ANSWER)) == ["media_location"]


@pytest.mark.parametrize("owner", [None, "", " ", 111122223333])
def test_the_owner_of_the_bucket_has_to_be_named(owner: Any) -> None:
    item = medium("image", "png", {"s3Location": {"uri": "s3://b/i.png", "bucketOwner": owner}})
    assert codes(row([item], ANSWER)) == ["media_owner"]


@pytest.mark.parametrize(
    "value",
    [
        "s3://b/i.png",
        {"format": "png"},
        {"format": "png", "source": LOCATION, "alt": "x"},
        {"format": "png", "source": {"bytes": "x"}},
        {"format": "png", "source": {**LOCATION, "bytes": "x"}},
        {"format": "png", "source": {"s3Location": {**LOCATION["s3Location"], "region": "x"}}},
    ],
)
def test_media_have_one_shape(value: Any) -> None:
    assert codes(row([{"image": value}], ANSWER)) == ["content"]


def test_a_missing_owner_is_a_missing_owner() -> None:
    assert codes(row([medium("image", "png", {"s3Location": {"uri": "s3://b/i.png"}})], ANSWER)) == ["media_owner"]


def test_every_code_is_known() -> None:
    kinds = {f"{kind}_{what}" for kind in ("image", "video", "document") for what in ("format", "count")}
    assert kinds <= set(CODES)

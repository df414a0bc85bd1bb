"""Rules for images, videos and documents in a Converse row (AWS, Nova data preparation pages)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault

MAX_IMAGES: Final = 10
MAX_VIDEOS: Final = 1
_KINDS: Final = frozenset({"image", "video", "document"})
_FORMATS: Final = {
    (1, "image"): ("jpeg", "png", "gif", "webp"),
    (2, "image"): ("jpeg", "png", "gif"),
    (1, "video"): ("mov", "mkv", "mp4", "webm"),
    (2, "video"): ("mov", "mkv", "mp4"),
    (1, "document"): (),
    (2, "document"): ("pdf",),
}
_LOCATION: Final = re.compile(r"s3://[\w\-/.]+", re.ASCII)


def item_faults(name: str, value: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with one image, video or document."""
    if role != "user":
        yield Fault("media", f"{place}: a {name} belongs to the user's turn")
    if not isinstance(value, dict) or value.keys() != {"format", "source"}:
        yield Fault("content", f"{place} is not of the form {{format, source}}")
        return
    allowed = _FORMATS[nova, name]
    if not isinstance(value["format"], str) or value["format"].lower() not in allowed:
        formats = ", ".join(allowed) or "none on this Nova version"
        yield Fault("media", f"{place}.format is {value['format']!r}; allowed: {formats}")
    yield from _location_faults(value["source"], f"{place}.source.s3Location")


def message_faults(content: list[Any], kinds: set[str], place: str) -> Iterator[Fault]:
    """Yield what is wrong with the media of one turn as a whole."""
    used = sorted(kinds & _KINDS)
    if len(used) > 1:
        yield Fault("media", f"{place} mixes {' and '.join(used)}; one kind of media per turn")
    if used and "reasoningContent" in kinds:
        yield Fault("media", f"{place} has media and reasoning in one turn")
    for name, limit in (("image", MAX_IMAGES), ("video", MAX_VIDEOS)):
        count = sum(isinstance(item, dict) and name in item for item in content)
        if count > limit:
            yield Fault("media", f"{place} has {count} {name}s; at most {limit} are allowed")


def _location_faults(source: Any, place: str) -> Iterator[Fault]:
    location = source.get("s3Location") if isinstance(source, dict) else None
    if not isinstance(location, dict) or not location.keys() <= {"uri", "bucketOwner"}:
        yield Fault("content", f"{place} is not of the form {{uri, bucketOwner}}")
        return
    uri, owner = location.get("uri"), location.get("bucketOwner")
    if not isinstance(uri, str) or not _LOCATION.fullmatch(uri):
        yield Fault("media", f"{place}.uri is {uri!r}, not an s3:// address of letters, digits, _ - / and .")
    if not isinstance(owner, str) or not owner:
        yield Fault("media", f"{place}.bucketOwner is missing")

"""Rules for images, videos and documents in a Converse row, and how columns become one.

Formats and limits: `catalog.training_data`. Limits are for a whole conversation, which is one sample.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.catalog.training_data import MEDIA_KINDS, MEDIA_URI
from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms.media_place import MediaItem, MediaPlace

_URI: Final = re.compile(MEDIA_URI, re.ASCII)


def item(name: str, kind_of_file: str, uri: str, owner: str) -> dict[str, Any]:
    """Return the content item of an image or video; `jpg` becomes `jpeg`, as the format is called."""
    return {
        name: {
            "format": written_format(kind_of_file),
            "source": {"s3Location": {"uri": uri, "bucketOwner": owner}},
        }
    }


def written_format(name: str) -> str:
    """Return the name of a file format as rows write it."""
    folded = name.strip().lower()
    return "jpeg" if folded == "jpg" else folded


def item_faults(name: str, value: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with one image, video or document."""
    if role != "user":
        yield Fault("media_role", f"{place}: a {name} belongs to the user's turn")
    if not isinstance(value, dict) or value.keys() != {"format", "source"}:
        yield Fault("content", f"{place} is not of the form {{format, source}}")
        return
    yield from format_faults(name, value["format"], f"{place}.format", nova)
    yield from _source_faults(value["source"], f"{place}.source")


def format_faults(name: str, value: Any, place: str, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with the format of an image, video or document."""
    allowed = MEDIA_KINDS[name].formats[nova]
    if isinstance(value, str) and value.lower() in allowed:
        return
    hint = '; write "jpeg"' if isinstance(value, str) and written_format(value) in allowed else ""
    formats = ", ".join(allowed) if allowed else f"none, Nova {nova} trains on no {name}s"
    yield Fault(f"{name}_format", f"{place} is {value!r}; allowed: {formats}{hint}")


def uri_faults(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with the address of an image, video or document."""
    if not isinstance(value, str) or not _URI.fullmatch(value):
        yield Fault("media_location", f"{place} is {value!r}, not an s3:// address of letters, digits, _ - / and .")


def owner_faults(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with the owner of the bucket of an image, video or document."""
    if not isinstance(value, str) or not value.strip():
        yield Fault("media_owner", f"{place} is {value!r}, not the number of an AWS account")


def conversation_faults(messages: list[dict[str, Any]], *, multimodal: bool) -> Iterator[Fault]:
    """Yield what is wrong with the media of a conversation as a whole."""
    counts: Counter[str] = Counter()
    for index, message in enumerate(messages):
        here = _counted(message.get("content"))
        if here.keys() & MEDIA_KINDS.keys() and here["reasoningContent"]:
            yield Fault("media_reasoning", f"messages[{index}] has media and reasoning in one turn")
        counts += here
    used = [name for name in MEDIA_KINDS if counts[name]]
    if used and not multimodal:
        yield Fault("media_model", f"messages has media ({', '.join(used)}), but the model reads only text")
    if len(used) > 1:
        yield Fault(
            "media_mixed", f"messages has {' and '.join(f'{name}s' for name in used)}; one kind of media is allowed"
        )
    for name in used:
        limit = MEDIA_KINDS[name].per_sample
        if counts[name] > limit:
            yield Fault(f"{name}_count", f"messages has {counts[name]} {name}s; at most {limit} allowed in a sample")


def place_all(messages: list[dict[str, Any]], place: MediaPlace, *, source: str = "") -> None:
    """Bring the media of a good row to a place, and write into the row where they are then.

    Raises RejectedRowError with the faults of all media that cannot be had; `source` stands before each.
    """
    found: list[Fault] = []
    for path, name, value in _media(messages):
        location = value["source"]["s3Location"]
        item = MediaItem(name, value["format"].lower(), location["uri"])
        try:
            location["uri"], location["bucketOwner"] = place.place(item, location["bucketOwner"])
        except RejectedRowError as rejection:
            found += [Fault(fault.code, f"{source}{path}: {fault.message}") for fault in rejection.faults]
    if found:
        raise RejectedRowError(found)


def buckets(messages: list[dict[str, Any]]) -> set[str]:
    """Return the buckets in which the media of a good row lie."""
    uris = (value["source"]["s3Location"]["uri"] for _, _, value in _media(messages))
    return {uri.removeprefix("s3://").partition("/")[0] for uri in uris}


def _media(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for turn, message in enumerate(messages):
        for index, content in enumerate(message["content"]):
            for name in content.keys() & MEDIA_KINDS.keys():
                yield f"messages[{turn}].content[{index}].{name}", name, content[name]


def _counted(content: Any) -> Counter[str]:
    items = content if isinstance(content, list) else ()
    return Counter(name for item in items if isinstance(item, dict) for name in item)


def _source_faults(source: Any, place: str) -> Iterator[Fault]:
    location = source.get("s3Location") if isinstance(source, dict) and source.keys() == {"s3Location"} else None
    if not isinstance(location, dict) or not location.keys() <= {"uri", "bucketOwner"}:
        yield Fault("content", f"{place} is not of the form {{s3Location: {{uri, bucketOwner}}}}")
        return
    yield from uri_faults(location.get("uri"), f"{place}.s3Location.uri")
    yield from owner_faults(location.get("bucketOwner"), f"{place}.s3Location.bucketOwner")

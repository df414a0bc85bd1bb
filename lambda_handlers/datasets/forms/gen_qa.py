"""Rows for an evaluation with one's own questions (AWS, `gen_qa.jsonl`: query, response, system, images, metadata).

Reserved words are refused in every text, as the SDK's validator does.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms import chats, parsing
from lambda_handlers.datasets.forms.fields import Field, FieldTransform, closed_faults
from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.texts import kind, optional_text, required_text

_DATA_URL: Final = re.compile(r"data:image/[^;,\s]+;base64,", re.IGNORECASE | re.ASCII)


def faults(row: dict[str, Any], *, multimodal: bool = True) -> list[Fault]:
    """List everything that is wrong with a row `{query, response, system?, images?, metadata?}`."""
    return closed_faults(GEN_QA, FIELDS, row) + _model_faults(row, multimodal)


def _model_faults(row: dict[str, Any], multimodal: bool) -> list[Fault]:
    if multimodal or "images" not in row:
        return []
    return [Fault("media_model", "images: the model reads only text")]


def _image_faults(images: Any, place: str) -> Iterator[Fault]:
    if not isinstance(images, list) or not images:
        yield Fault("wrong_type", f"{place} is {kind(images)}, not an array with at least one image")
        return
    for index, image in enumerate(images):
        if not isinstance(image, dict) or image.keys() != {"data"}:
            yield Fault("image_data", f"{place}[{index}] is not of the form {{data}}")
        else:
            yield from _data_faults(image["data"], f"{place}[{index}].data")


def _data_faults(data: Any, place: str) -> Iterator[Fault]:
    head = _DATA_URL.match(data) if isinstance(data, str) else None
    if head is None:
        shown = repr(data[:40]) if isinstance(data, str) else kind(data)
        yield Fault("image_data", f"{place} is {shown}, not a text that begins data:image/<format>;base64,")
    elif not _decodes(data[head.end() :]):
        yield Fault("image_data", f"{place}: what follows {head.group()!r} is not base64 of an image")


def _decodes(text: str) -> bool:
    try:
        return bool(binascii.a2b_base64(text, strict_mode=True))
    except ValueError:  # binascii.Error is one; so is a letter beyond ASCII
        return False


def _read_images(images: Any) -> Any:
    """Return one image or several, given as texts or objects, as an array of `{data}`."""
    given = images if isinstance(images, list) else [images]
    return [_read_image(image) for image in given]


def _read_image(image: Any) -> Any:
    if isinstance(image, str):
        return {"data": _padded(image)}
    if isinstance(image, dict) and isinstance(image.get("data"), str):
        return {**image, "data": _padded(image["data"])}
    return image


def _padded(data: str) -> str:
    """Add the "=" that some encoders leave out at the end of base64, without which strict decoders refuse it."""
    head = _DATA_URL.match(data)
    missing = -(len(data) - head.end()) % 4 if head else 0
    return data if data.endswith("=") else data + "=" * missing


def _images_from_text(text: str) -> Any:
    """Return what a CSV text means: a JSON array of images, or one image."""
    return parsing.value_of(text) if text.lstrip().startswith("[") else text


FIELDS: Final = {
    "query": Field(rule=required_text),
    "response": Field(rule=required_text),
    "system": Field(rule=optional_text),
    "images": Field(rule=_image_faults, read=_read_images, from_text=_images_from_text),
    "metadata": Field(rule=optional_text),
}


class GenQaTransform(FieldTransform):
    """Turn flat rows, and conversations of one question, into `{query, response}` with what else they bring."""

    def __init__(self, settings: RowSettings) -> None:
        super().__init__(GEN_QA, FIELDS, settings)

    def prompt(self) -> str:
        """Return the question."""
        query: str = self._made["query"]
        return query

    def _row_faults(self, row: dict[str, Any]) -> list[Fault]:
        return faults(row, multimodal=self._settings.multimodal)

    def _model_faults(self, values: dict[str, Any]) -> list[Fault]:
        return _model_faults(values, self._settings.multimodal)

    def _from_conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        made = chats.question_and_answer(row, self._settings, system=self._columns["system"])
        made |= {name: row[column] for name in ("images", "metadata") if (column := self._columns[name]) in row}
        made = self._tidied(made)
        return made, self._row_faults(made)


GEN_QA: Final = Form(
    name="gen_qa",
    output="gen_qa.jsonl",
    required=("query", "response"),
    optional=("system", "images", "metadata"),
    make=GenQaTransform,
    features=("system", "images"),
)

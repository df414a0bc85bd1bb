"""What a form of rows is, and what turns one row into it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lambda_handlers.datasets.forms.columns_seen import ColumnsSeen
from lambda_handlers.datasets.forms.media_place import MediaPlace


class RowTransform(Protocol):
    """Turns rows into lines of one form, one at a time; it holds state and belongs to one shard.

    After a row was made, `features` and `prompt()` tell about that row.
    """

    columns_seen: ColumnsSeen
    features: int
    """Bit 0: the row came as flat columns. Bit n + 1: it has the n-th of its form's `features`."""
    media_bits: int
    """The bits of `features` that tell of media which lie in buckets; 0 where a form has none."""

    def __call__(self, line: bytes) -> bytes:
        """Return the line made of a row of JSON, without a line end; raise RejectedRowError with every fault found."""

    def from_columns(self, values: Mapping[str, str]) -> bytes:
        """Return the line made of a CSV row; raise RejectedRowError with every fault found."""

    def prompt(self) -> str:
        """Return what the user says in the row made last, its turns joined by line ends; "" where nobody asks."""

    def buckets(self) -> Collection[str]:
        """Return the buckets in which the media of the row made last lie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSettings:
    """What a transform has to know.

    `columns` maps standard names to those of the data. `as_is` refuses rows that are not of the form already.
    `nova` is the version of the model, 1 or 2; `multimodal` tells whether it reads images, videos and documents.
    `media` brings those of good rows to where the output is; None leaves them where they are, and so does `as_is`.
    """

    nova: int = 2
    multimodal: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    system_prompt: str | None = None
    as_is: bool = False
    media: MediaPlace | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A form of rows.

    `output` names the object that takes the good rows. `required` and `optional` are the standard names of the columns
    from which a row is made; with `passes_through`, any other column may be mapped too, except to those `reserved`
    names, which rows of this or another form are known by. `features` are the parts that all rows of a dataset have or
    none; of `modalities`, which are features too, a dataset has at most one.
    """

    name: str
    output: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    make: Callable[[RowSettings], RowTransform]
    passes_through: bool = False
    reserved: frozenset[str] = frozenset()
    features: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()

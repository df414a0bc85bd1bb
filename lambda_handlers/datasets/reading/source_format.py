"""What a source is: its kind by its name, gzip and the encoding by its first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest

Kind = Literal["jsonl", "json", "csv"]

_KINDS: Final[dict[str, Kind]] = {".jsonl": "jsonl", ".json": "json", ".csv": "csv"}
ALLOWED: Final = ".jsonl, .json or .csv, each also with .gz"
GZIP_MAGIC: Final = b"\x1f\x8b"
# Which of the first four bytes are zero where ASCII is written in UTF-16 without a byte order mark.
_WIDE: Final = ((False, True, False, True), (True, False, True, False))


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFormat:
    """The kind of a source, and whether its bytes are packed."""

    kind: Kind
    gzipped: bool

    @property
    def is_splittable(self) -> bool:
        """Tell whether a part of the bytes can be read without those before it: plain JSON Lines only."""
        return self.kind == "jsonl" and not self.gzipped


def kind_of(uri: str) -> Kind | None:
    """Return the kind that the ending of a name stands for, upper or lower case; None for any other name."""
    name = uri.lower().removesuffix(".gz")
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), None)


def format_of(uri: str, first_bytes: bytes) -> SourceFormat:
    """Return the format of a source from its name and its first bytes (two are enough).

    Whether it is gzip is told by the bytes, whatever the name. Raises InvalidRequest for an unknown ending.
    """
    kind = kind_of(uri)
    if kind is None:
        raise InvalidRequest(f"the dataset {uri} has a name that does not tell its format: it has to end in {ALLOWED}")
    return SourceFormat(kind=kind, gzipped=first_bytes.startswith(GZIP_MAGIC))


def check_one_kind(place: str, uris: Sequence[str]) -> None:
    """Raise InvalidRequest if the names of the data found in a place tell more than one kind."""
    first_of = {kind_of(uri): uri for uri in reversed(uris)}
    if len(first_of) > 1:
        examples = " and ".join(sorted(uri.rpartition("/")[2] for uri in first_of.values()))
        raise InvalidRequest(
            f"{place} holds data of several kinds, {examples} for instance: give one file, or one kind"
        )


def check_encoding(uri: str, first_bytes: bytes) -> None:
    """Raise DatasetRejected if the first four bytes of a text are those of UTF-16 or UTF-32."""
    nul = tuple(byte == 0 for byte in first_bytes[:4])
    if first_bytes.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or nul in _WIDE:
        raise DatasetRejected(f"the dataset {uri} is in UTF-16 or UTF-32: save it as UTF-8")

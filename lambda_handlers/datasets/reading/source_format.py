"""What a source is: its kind by its name, gzip by its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lambda_handlers.protocol.errors import InvalidRequest

Kind = Literal["jsonl", "json", "csv"]

_KINDS: Final[dict[str, Kind]] = {".jsonl": "jsonl", ".json": "json", ".csv": "csv"}
ALLOWED: Final = ".jsonl, .json or .csv, each also with .gz"
GZIP_MAGIC: Final = b"\x1f\x8b"


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

"""The manifest of a prepared dataset: what went in, what came out, and by which rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambda_handlers.datasets.writers import WrittenObject

SCHEMA_VERSION: Final = "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCounts:
    """Where each row went; `rows_in` is the sum of the others."""

    rows_in: int
    out: int
    rejected: int
    duplicate: int = 0
    leaked: int = 0
    over_limit: int = 0

    def __post_init__(self) -> None:
        gone = self.rejected + self.duplicate + self.leaked + self.over_limit
        if self.rows_in != self.out + gone:
            raise ValueError(f"rows do not add up: {self}")

    def as_dict(self) -> dict[str, int]:
        """Return the six counts under the names that the manifest uses."""
        counts = asdict(self)
        return {"in": counts.pop("rows_in"), **counts}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadObject:
    """An object as it was read: its location and version, SHA-256 and size in bytes."""

    uri: str
    version_id: str | None
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetManifest:
    """Everything about one preparation that has to be known later; equal runs make equal manifests."""

    model: str
    method: str
    columns: Mapping[str, str]
    rows: RowCounts
    inputs: Sequence[ReadObject]
    outputs: Sequence[WrittenObject]
    rules: Mapping[str, int]
    errors: Sequence[str]
    warnings: Sequence[str]

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False).encode() + b"\n"

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as plain values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "method": self.method,
            "columns": dict(self.columns),
            "rows": self.rows.as_dict(),
            "inputs": [asdict(item) for item in self.inputs],
            "outputs": [asdict(item) for item in self.outputs],
            "rules": dict(sorted(self.rules.items())),
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        }

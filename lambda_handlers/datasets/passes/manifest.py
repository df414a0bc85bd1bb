"""The manifest of a prepared dataset: what went in, what came out, and by which rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from lambda_handlers.datasets.preparation import Operations
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
    """Everything about one preparation that has to be known later; equal runs make equal manifests.

    `errors` are what is wrong with the dataset as a whole. `rejection` is why the dataset may not be used, in words,
    or None; `first_reasons` are those of the first rejected rows. `rows` of an output are the rows it holds.
    """

    model: str
    method: str
    eval_task: str | None
    form: str
    columns: Mapping[str, str]
    operations: Operations
    max_reject_ratio: float
    rows: RowCounts
    inputs: Sequence[ReadObject]
    evaluation_sets: Sequence[ReadObject]
    outputs: Sequence[WrittenObject]
    rules: Mapping[str, int]
    first_reasons: Sequence[str]
    errors: Sequence[str]
    warnings: Sequence[str]
    rejection: str | None

    def to_json(self) -> bytes:
        """Return the manifest as indented JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False).encode() + b"\n"

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as plain values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "status": "rejected" if self.rejection else "accepted",
            "rejection": self.rejection,
            **{name: getattr(self, name) for name in ("model", "method", "eval_task", "form")},
            "columns": dict(self.columns),
            "operations": asdict(self.operations),
            "max_reject_ratio": self.max_reject_ratio,
            "rows": self.rows.as_dict(),
            "inputs": [asdict(item) for item in self.inputs],
            "evaluation_sets": [asdict(item) for item in self.evaluation_sets],
            "outputs": [asdict(item) for item in self.outputs],
            "rules": dict(sorted(self.rules.items())),
            "first_reasons": list(self.first_reasons),
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        }


def read_ours(data: bytes) -> dict[str, Any] | None:
    """Return the manifest that bytes are; None for anything that was not written by `DatasetManifest.to_json`."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        return None
    known = {"status", *(field.name for field in fields(DatasetManifest))}
    return found if found.keys() >= known else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """The result: the manifest, and the first reasons for rejecting rows, in words."""

    manifest: DatasetManifest

    @property
    def first_reasons(self) -> tuple[str, ...]:
        """Return why the first rejected rows were rejected."""
        return tuple(self.manifest.first_reasons)

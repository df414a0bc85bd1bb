"""What a run of the bench was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`quick` takes small inputs and few rounds; `sdk_python` is an interpreter that can import the seed SDK."""

    quick: bool = False
    sdk_python: Path | None = None

    @property
    def pairs(self) -> int:
        """Return how often things are run in turn."""
        return 3 if self.quick else 5

"""What to make of a dataset: the model, the method, the columns, and the operations on all rows together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES

_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Shares of the rows for training, validation and test; they add up to 1.

    By `rows`, the counts are exact and the seed decides who goes where. By `content`, a keyed hash of the row decides:
    the counts are near the shares, and a row that was once in the test set stays there when data is added.
    """

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    by: Literal["rows", "content"] = "rows"

    def problems(self) -> list[str]:
        """Return what is wrong with the shares; empty when they can be used."""
        shares = {"train": self.train, "validation": self.validation, "test": self.test}
        found = [f"{name} is {share}: use a share from 0 to 1" for name, share in shares.items() if not 0 <= share <= 1]
        if not found and abs(sum(shares.values()) - 1) > _TOLERANCE:
            found.append(f"the shares {', '.join(map(str, shares.values()))} add up to {sum(shares.values()):g}, not 1")
        if not found and not self.train:
            found.append("train is 0: nothing would be left to train on")
        if self.by not in ("rows", "content"):
            found.append(f"by is {self.by!r}: use rows or content")
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Operations:
    """What is done with the good rows of a dataset together, in this order: dedupe, limit, split, no_leak.

    `dedupe` keeps the first of equal rows. `limit` keeps the first so many. `split` assigns rows. `no_leak` takes from
    the training rows those whose normalized user prompt stands in the test rows or in a given evaluation set.
    """

    split: Split | None = None
    seed: int = 42
    dedupe: bool = False
    limit: int | None = None
    no_leak: bool = False

    def any(self) -> bool:
        """Tell whether rows have to be looked at together."""
        return bool(self.split or self.dedupe or self.limit is not None or self.no_leak)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What to make of a dataset.

    `model`, `method` and `eval_task` are names of the catalog; `eval_task` goes with the method EVALUATION (default
    gen_qa). `columns` maps standard names to those of the data; equal names need no mapping. `system_prompt` goes to
    rows that bring none; none is invented. `as_is` only validates: rows have to be of the form already.
    """

    model: str
    method: str
    eval_task: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    system_prompt: str | None = None
    operations: Operations = field(default_factory=Operations)
    as_is: bool = False
    max_row_bytes: int = MAX_ROW_BYTES

"""Decide whether a prepared dataset may go on to training."""

from __future__ import annotations

from lambda_handlers.datasets.passes.single import Prepared
from lambda_handlers.protocol.errors import DatasetRejected


def check(prepared: Prepared, *, max_reject_ratio: float, manifest_uri: str) -> None:
    """Raise DatasetRejected for a dataset with no rows, an absent column, or too many rejected rows (a ratio 0..1)."""
    rows = prepared.manifest.rows
    if not rows.rows_in:
        raise _rejected("the dataset has no rows", [], manifest_uri)
    if prepared.manifest.errors:
        raise _rejected("; ".join(prepared.manifest.errors), list(prepared.manifest.errors), manifest_uri)
    if not rows.out or rows.rejected > max_reject_ratio * rows.rows_in:
        sentence = (
            f"{rows.rejected} of {rows.rows_in} rows ({rows.rejected / rows.rows_in:.2%}) were rejected; "
            f"the limit is {max_reject_ratio:.2%}. First reasons: {'; '.join(prepared.first_reasons)}"
        )
        raise _rejected(sentence, list(prepared.first_reasons), manifest_uri)


def _rejected(sentence: str, problems: list[str], manifest_uri: str) -> DatasetRejected:
    return DatasetRejected(f"{sentence}. Manifest: {manifest_uri}", problems=problems)

"""Rules about a dataset as a whole: they reject it, and never drop some of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lambda_handlers.catalog.methods import TrainingMethod
from lambda_handlers.catalog.models import NovaModel
from lambda_handlers.catalog.training_data import MIXES_NO_MEDIA, sample_problems
from lambda_handlers.datasets.forms.columns import expected
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.passes.summary import Kind, Place, ShardSummary

_SHOWN: Final = 3


def errors(form: Form, columns: Mapping[str, str], summary: ShardSummary) -> list[str]:
    """Return what is wrong with the dataset that all good rows make, and with columns that no row has."""
    return [
        *_absent_columns(form, columns, summary),
        *_parts_of_some_rows(form, summary),
        *_mixed_modalities(form, summary),
    ]


def warnings(model: NovaModel, method: TrainingMethod, columns: Mapping[str, str], rows: int) -> list[str]:
    """Return what is worth knowing of a dataset with so many rows to train on."""
    ignored = "reasoning_text is mapped, but Nova 1 models do not train on reasoning: the column is ignored"
    return [
        *([ignored] if model.version == 1 and "reasoning_text" in columns else []),
        *(sample_problems(method.technique, model.version, rows) if rows else []),
    ]


def place_words(place: Place, *, sources: int) -> str:
    """Name a row: by its number, and with several sources by its line in one of them."""
    where = f" (line {place.line} of {place.source})" if sources > 1 else ""
    return f"row {place.row}{where}"


def _absent_columns(form: Form, columns: Mapping[str, str], summary: ShardSummary) -> list[str]:
    flat = summary.having(0, there=True).count
    if flat < summary.accepted:
        return []  # Beside good rows of another form, a flat row is a slip of that row.
    return summary.columns_seen.absent_columns(expected(form, columns), flat=flat + summary.columns_seen.rejected)


def _parts_of_some_rows(form: Form, summary: ShardSummary) -> Iterator[str]:
    for bit, feature in enumerate(form.features, start=1):
        there, absent = summary.having(bit, there=True), summary.having(bit, there=False)
        if there.count and absent.count:
            yield (
                f"{there.count} of {summary.accepted} good rows have {feature} and {absent.count} have none; "
                "either all rows of a dataset have it or none has. "
                f"First with {feature}: {first_rows(there, summary)}; first without: {first_rows(absent, summary)}"
            )


def _mixed_modalities(form: Form, summary: ShardSummary) -> Iterator[str]:
    found = [
        (name, kind)
        for name in form.modalities
        if (kind := summary.having(form.features.index(name) + 1, there=True)).count
    ]
    if len(found) > 1:
        kinds = "; ".join(f"{kind.count} rows have {name}, first {first_rows(kind, summary)}" for name, kind in found)
        yield f"{MIXES_NO_MEDIA}, but {kinds}"


def first_rows(kind: Kind, summary: ShardSummary) -> str:
    """Name the first rows of a kind."""
    return ", ".join(place_words(place, sources=summary.sources) for place in kind.first[:_SHOWN])

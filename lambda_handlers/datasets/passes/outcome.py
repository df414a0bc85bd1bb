"""What came of a preparation: the manifest, and whether the dataset may be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambda_handlers import catalog
from lambda_handlers.catalog.training_data import documented_bounds
from lambda_handlers.datasets.forms.columns import resolve
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.passes import dataset_rules, media_rules
from lambda_handlers.datasets.passes.manifest import DatasetManifest, Prepared, ReadObject, RowCounts
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.passes.summary import Reason, ShardSummary
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.writers import WrittenObject
from lambda_handlers.protocol.errors import DatasetRejected


def conclude(
    preparation: Preparation,
    form: Form,
    summary: ShardSummary,
    *,
    assigned: Mapping[str, int] | None = None,
    inputs: Sequence[ReadObject],
    evaluation_sets: Sequence[ReadObject] = (),
    outputs: Sequence[WrittenObject],
    max_reject_ratio: float,
    with_minimum: bool = False,
) -> Prepared:
    """Make the manifest from the merged `summary` of all shards, and decide; `outputs` end with the quarantine.

    `assigned` tells how many good rows became what (`Assignment.counts`); without it all go to the first output. A
    dataset is rejected when it has no rows, breaks a rule about datasets, has more than `max_reject_ratio` (0 to 1)
    rejected rows or no good one, or, `with_minimum`, fewer rows to train on than is documented.
    """
    model, method = catalog.model(preparation.model), catalog.method(preparation.method)
    counts = _counts(summary, assigned)
    training = (assigned or {"train": summary.accepted})["train"]
    place = media_rules.place_of(preparation, inputs, outputs)
    errors = [
        *dataset_rules.errors(form, preparation.columns, summary),
        *media_rules.errors(summary, place),
    ]
    reasons = tuple(_words(reason, summary) for reason in summary.reasons)
    bounds = documented_bounds(method.technique) if with_minimum else None
    too_few = bounds.problem(training) if bounds and training < bounds.minimum else None
    return Prepared(
        manifest=DatasetManifest(
            model=model.name,
            method=method.name,
            eval_task=preparation.eval_task,
            form=form.name,
            columns=resolve(form, preparation.columns),
            operations=preparation.operations,
            max_reject_ratio=max_reject_ratio,
            rows=counts,
            inputs=inputs,
            evaluation_sets=evaluation_sets,
            outputs=outputs,
            rules=summary.rules,
            first_reasons=reasons,
            errors=errors,
            warnings=[
                *dataset_rules.warnings(model, method, preparation.columns, training),
                *media_rules.warnings(summary, place),
            ],
            rejection=_rejection(counts, training, errors, reasons, max_reject_ratio) or too_few,
        )
    )


def check(prepared: Prepared, *, manifest_uri: str | None = None) -> None:
    """Raise DatasetRejected, which names the manifest, when the dataset was rejected."""
    manifest = prepared.manifest
    if manifest.rejection:
        where = f". Manifest: {manifest_uri}" if manifest_uri else ""
        problems = manifest.errors or manifest.first_reasons
        raise DatasetRejected(f"{manifest.rejection}{where}", problems=problems)


def _counts(summary: ShardSummary, assigned: Mapping[str, int] | None) -> RowCounts:
    if assigned is None:
        return RowCounts(rows_in=summary.rows, out=summary.accepted, rejected=summary.rejected)
    gone = {name: rows for name, rows in assigned.items() if name not in PARTS}
    out = sum(assigned[part] for part in PARTS)
    return RowCounts(rows_in=summary.rows, out=out, rejected=summary.rejected, **gone)


def _words(reason: Reason, summary: ShardSummary) -> str:
    place = dataset_rules.place_words(reason.place, sources=summary.sources)
    return f"{place}: {reason.message} [{reason.code}]"


def _rejection(
    counts: RowCounts, training: int, errors: Sequence[str], reasons: Sequence[str], limit: float
) -> str | None:
    if not counts.rows_in:
        return "the dataset has no rows"
    if errors:
        return "; ".join(errors)
    if counts.rejected == counts.rows_in or counts.rejected > limit * counts.rows_in:
        return (
            f"{counts.rejected} of {counts.rows_in} rows ({counts.rejected / counts.rows_in:.2%}) were rejected; "
            f"the limit is {limit:.2%}. First reasons: {'; '.join(reasons)}"
        )
    if not training:
        return f"no row is left to train on: of {counts.rows_in} rows, {counts.as_dict()}"
    return None

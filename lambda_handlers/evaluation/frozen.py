"""The evaluation sets of a run: the same rows for the candidate and the models that it is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms.form import RowTransform
from lambda_handlers.datasets.forms.registry import form_of, settings_of
from lambda_handlers.datasets.passes.index import prompt_hash
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from lambda_handlers.evaluation.stages import set_key
from lambda_handlers.evaluation.trained_rows import runs_compared, test_rows, trained_on
from lambda_handlers.protocol.errors import EvaluationFailed, InvalidRequest, service_errors
from lambda_handlers.protocol.ledger import Ledger, read
from lambda_handlers.protocol.store import ItemStore

MOST_BYTES: Final = 256 * 2**20
"""An evaluation set is held in memory while it is frozen."""


@dataclass(slots=True)
class _Rows:
    """Good rows in order, each with the hash of what it asks; how many were faulty, and why the first was."""

    made: list[tuple[bytes, bytes]] = field(default_factory=list)
    faulty: int = 0
    first_fault: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Freezer:
    """Freeze the evaluation sets of one run."""

    s3: Any
    control: ItemStore
    events: ItemStore
    ledger: Ledger
    prepared_bucket: str

    def freeze(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write the sets of all tasks with data of one's own; return where each is, its SHA-256 and its rows, by task.

        Left out are rows that break the rules of the task, and rows that a model under comparison was trained on.
        Raises EvaluationFailed where more rows are faulty than `max_reject_ratio` allows, or none is left.
        """
        run_id, plan, config = event["run"]["id"], event["plan"], event["config"]
        runs = list(runs_compared(run_id, plan, control=self.control, events=self.events))
        found = {}
        for settings in event["tasks"]:
            uri = self._source(settings, plan, run_id)
            rows = self._rows(settings, uri, config, (plan.get("evaluation_sets") or {}).get(settings["task"]))
            known = trained_on(runs, {prompt for prompt, _ in rows.made}, s3=self.s3, events=self.events)
            kept = [line for prompt, line in rows.made if prompt not in known]
            left_out = {"faulty": rows.faulty, "trained_on": len(rows.made) - len(kept)}
            if not kept:
                raise EvaluationFailed(_nothing_left(settings["task"], uri, left_out, sorted(set(known.values()))))
            found[settings["task"]] = {
                **self._write(settings["task"], run_id, kept),
                "source_uri": uri,
                "left_out": left_out,
                "trained_by": sorted(set(known.values())),
            }
        detail = {"sets": found, "compared_with": runs}
        self.ledger.append(run_id=run_id, event_id="evaluation-sets", type="evaluation_sets_frozen", detail=detail)
        return found

    def _source(self, settings: Mapping[str, Any], plan: Mapping[str, Any], run_id: str) -> str:
        if not settings.get("held_out"):
            return str(settings["dataset_uri"])
        # A run that only evaluates has no rows of its own: those of the run that trained the model are meant.
        trained_by = (plan.get("model") or {}).get("run_id") if plan.get("model") else run_id
        if trained_by is None:
            raise EvaluationFailed(
                f"The evaluation {settings['task']} is on the test rows of the run that trained the model, and no run "
                f"is known to have trained {plan['model']['model_path']}: evaluate a run (base_run) instead."
            )
        return test_rows(read(self.events, trained_by)) or f"s3://{self.prepared_bucket}/runs/{trained_by}/test.jsonl"

    def _rows(
        self, settings: Mapping[str, Any], uri: str, config: Mapping[str, Any], planned: Mapping[str, Any] | None
    ) -> _Rows:
        task = settings["task"]
        preparation = Preparation(model=config["model"], method="EVALUATION", eval_task=task)
        try:
            with service_errors():
                sources = [_as_planned(source, planned) for source in s3_objects.find(self.s3, uri)]
                lines = (line for source in sources for line in read_rows(source, max_row_bytes=MOST_BYTES))
                rows = _made(lines, form_of(preparation).make(settings_of(preparation)), uri)
        except InvalidRequest as error:
            raise EvaluationFailed(f"The set of evaluation {task} cannot be read: {error.message}") from error
        total = len(rows.made) + rows.faulty
        # Conversations of several turns are no questions: of test rows those are left out, however many there are.
        if not settings.get("held_out") and rows.faulty > config["max_reject_ratio"] * total:
            raise EvaluationFailed(
                f"The set of evaluation {task}, {uri}, has {rows.faulty} faulty rows of {total}, more than the share "
                f"of {config['max_reject_ratio']:g} that is allowed; {rows.first_fault}."
            )
        return rows

    def _write(self, task: str, run_id: str, lines: list[bytes]) -> dict[str, Any]:
        body = b"".join(line + b"\n" for line in lines)
        key = set_key(run_id, task)
        with service_errors():
            self.s3.put_object(Bucket=self.prepared_bucket, Key=key, Body=body)
        uri = f"s3://{self.prepared_bucket}/{key}"
        return {"uri": uri, "sha256": hashlib.sha256(body).hexdigest(), "rows": len(lines)}


def _as_planned(source: s3_objects.S3Object, planned: Mapping[str, Any] | None) -> s3_objects.S3Object:
    """Return the set as the plan took it into account: it may have been replaced since."""
    if not planned or not planned["version_id"]:
        return source
    return replace(source, version_id=planned["version_id"], size=planned["bytes"], etag=None)


def _made(lines: Iterable[Line], transform: RowTransform, uri: str) -> _Rows:
    rows = _Rows()
    for number, (line, _, row) in enumerate(lines, start=1):
        try:
            made = _line(transform, row)
        except RejectedRowError as rejection:
            rows.faulty += 1
            rows.first_fault = rows.first_fault or f"row {number} (line {line}): {rejection.faults[0].message}"
            continue
        rows.size += len(made)
        if rows.size > MOST_BYTES:
            raise EvaluationFailed(f"The evaluation set {uri} has more than {MOST_BYTES // 2**20} MiB: use fewer rows.")
        rows.made.append((prompt_hash(transform.prompt()), made.rstrip(b"\n")))
    return rows


def _line(transform: RowTransform, row: bytes | Record | Damaged) -> bytes:
    if isinstance(row, Damaged):
        raise RejectedRowError((row.fault,))
    return transform.from_columns(row.values) if isinstance(row, Record) else transform(row)


def _nothing_left(task: str, uri: str, left_out: Mapping[str, int], runs: list[str]) -> str:
    reasons = [f"{left_out['faulty']} are faulty"] if left_out["faulty"] else []
    if left_out["trained_on"]:
        reasons.append(f"{left_out['trained_on']} were trained on by {', '.join(runs)}")
    why = " and ".join(reasons) or "it has none"
    return f"The evaluation {task} has no rows left of {uri}: {why}. Give it rows that no compared model has seen."

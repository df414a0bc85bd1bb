"""Prepare and validate datasets in local files, with one process or several, in constant memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.output_folder import OutputFolder, check_apart
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.preparing import Job, Progress, prepare_job, validate_job
from lambda_handlers.datasets.reading.path_names import check_path

MAX_REJECT_RATIO: Final = 0.01
"""The share of rows that may be rejected when nothing else is said."""


def prepare_files(
    inputs: str | Sequence[str],
    output: Path,
    preparation: Preparation,
    *,
    evaluation_sets: Sequence[str] = (),
    max_reject_ratio: float = MAX_REJECT_RATIO,
    processes: int = 1,
    progress: Progress | None = None,
    form: Form | None = None,
    raise_rejected: bool = True,
) -> Prepared:
    """Write the good rows of local files and folders, the quarantine and the manifest into the folder `output`.

    The good rows go to `train.jsonl` (or what the form is called by), with a split also to `validation.jsonl` and
    `test.jsonl`. All files appear together at the end; outputs of an earlier preparation in the folder are replaced or
    removed, and nothing else there is touched. Training rows that ask what an evaluation set asks are left out where
    the operations say `no_leak`. `form` is another form than that of the method, for conversions. Without
    `raise_rejected` a dataset that is rejected is returned as well; its manifest has `rejection`. Any number of
    processes makes the same bytes; a script that asks for several needs the usual `if __name__ == "__main__":`.

    Raises:
        InvalidRequest: What is asked for does not fit together, an input cannot be read, or the output would replace a
            file that is not ours.
        DatasetRejected: The data is not fit for use. When its rows are why, all files are there to be looked at.
        DataPreparationFailed: An input changed while it was read.
    """
    check_path(output)
    check_apart(output, [*([inputs] if isinstance(inputs, str) else inputs), *evaluation_sets])
    job = Job.of(inputs, preparation, form, evaluation_sets, processes, progress)
    with OutputFolder(output, job.names, inputs=job.read) as folder:
        prepared, manifest = prepare_job(job, folder, max_reject_ratio=max_reject_ratio)
    if raise_rejected:
        outcome.check(prepared, manifest_uri=manifest)
    return prepared


def validate_files(
    inputs: str | Sequence[str],
    preparation: Preparation,
    *,
    max_reject_ratio: float = MAX_REJECT_RATIO,
    progress: Progress | None = None,
    raise_rejected: bool = True,
) -> Prepared:
    """Tell what `prepare_files` would make of local files and folders, and write nothing.

    The manifest has no outputs. Raises what `prepare_files` raises; of a dataset that is rejected, DatasetRejected has
    the reasons only.
    """
    job = Job.of(inputs, preparation, None, (), 1, progress)
    prepared = validate_job(job, max_reject_ratio=max_reject_ratio)
    if raise_rejected:
        outcome.check(prepared)
    return prepared

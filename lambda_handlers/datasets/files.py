"""Prepare and validate datasets in local files, with one process or several, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.registry import form_of, settings_of
from lambda_handlers.datasets.local_shards import PassOne, RowWork, Targets, in_one_process, in_processes
from lambda_handlers.datasets.output_folder import QUARANTINE, OutputFolder
from lambda_handlers.datasets.passes import assembly, outcome
from lambda_handlers.datasets.passes.evaluation_prompts import prompt_hashes
from lambda_handlers.datasets.passes.index import IndexWriter
from lambda_handlers.datasets.passes.manifest import Prepared, ReadObject
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.reduction import assign, operations_problems
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.passes.summary import merge
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.local_files import find
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import SourceObject
from lambda_handlers.datasets.writers import FileSink, LineBuffer, LineWriter, NullSink, all_or_none
from lambda_handlers.protocol.errors import InvalidRequest

MAX_REJECT_RATIO: Final = 0.01
"""The share of rows that may be rejected when nothing else is said."""

_BLOCK: Final = 1024 * 1024

Progress = Callable[[int, int], None]
"""Is told how many bytes of the input have been read, and of how many."""


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
    job = _Job.of(inputs, preparation, form, evaluation_sets, processes, progress)
    with OutputFolder(output, job.names, inputs=job.read) as folder:
        prepared = _prepare(job, folder, max_reject_ratio)
        manifest = folder.commit(prepared.manifest.to_json())
    if raise_rejected:
        outcome.check(prepared, manifest_uri=str(manifest))
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
    job = _Job.of(inputs, preparation, None, (), 1, progress)
    if preparation.operations.any():
        raise InvalidRequest("split, dedupe, limit and no_leak make new data: they go with preparing, not validating")
    nowhere = Targets(accepted=LineBuffer(NullSink()), quarantine=LineBuffer(NullSink()))
    passed = in_one_process(job.sources, job.work, nowhere, job.on_bytes())
    prepared = outcome.conclude(
        preparation,
        job.work.form,
        merge(passed.shards),
        inputs=passed.inputs,
        outputs=(),
        max_reject_ratio=max_reject_ratio,
    )
    if raise_rejected:
        outcome.check(prepared)
    return prepared


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """What was asked for, looked up and checked."""

    preparation: Preparation
    work: RowWork
    sources: Sequence[SourceObject]
    evaluation_sets: Sequence[SourceObject]
    processes: int
    progress: Progress | None

    @classmethod
    def of(
        cls,
        inputs: str | Sequence[str],
        preparation: Preparation,
        form: Form | None,
        evaluation_sets: Sequence[str],
        processes: int,
        progress: Progress | None,
    ) -> _Job:
        operations = preparation.operations
        problems = operations_problems(operations, with_evaluation_sets=bool(evaluation_sets))
        if processes < 1:
            problems.append(f"processes is {processes}: give 1 or more")
        if problems:
            raise InvalidRequest("; ".join(problems), problems=problems)
        return cls(
            preparation=preparation,
            work=RowWork(
                form=form or form_of(preparation),
                settings=settings_of(preparation),
                max_row_bytes=preparation.max_row_bytes,
            ),
            sources=_found([inputs] if isinstance(inputs, str) else inputs),
            evaluation_sets=_found(evaluation_sets),
            processes=processes,
            progress=progress,
        )

    @property
    def read(self) -> list[str]:
        """Return the paths of everything that is read."""
        return [source.uri for source in (*self.sources, *self.evaluation_sets)]

    @property
    def names(self) -> list[str]:
        """Return the names of the files that take the good rows, by code of their part."""
        split = self.preparation.operations.split
        return [self.work.form.output, *(f"{part}.jsonl" for part in (PARTS[1:] if split else ()))]

    def on_bytes(self) -> Callable[[int], None] | None:
        """Return what is told of every piece of the input that was read."""
        progress, total, done = self.progress, sum(source.size for source in self.sources), 0
        if progress is None:
            return None

        def add(size: int) -> None:
            nonlocal done
            done += size
            progress(done, total)

        return add


def _found(paths: Sequence[str]) -> list[SourceObject]:
    found: list[SourceObject] = [source for path in paths for source in find(path)]
    seen: set[str] = set()
    for source in found:
        where = str(Path(source.uri).resolve())
        if where in seen:
            raise InvalidRequest(f"the dataset {source.uri} is given twice; leave one out")
        seen.add(where)
    return found


def _prepare(job: _Job, folder: OutputFolder, max_reject_ratio: float) -> Prepared:
    operations, form = job.preparation.operations, job.work.form
    quarantine = LineWriter(folder.sink(QUARANTINE))
    outputs = [LineWriter(folder.sink(name)) for name in job.names]
    with all_or_none(*outputs, quarantine):
        if operations.any():
            passed, assigned, compared = _with_operations(job, folder, outputs, quarantine)
        else:
            passed = _pass_one(job, folder, Targets(accepted=outputs[0], quarantine=quarantine))
            assigned, compared = None, []
    return outcome.conclude(
        job.preparation,
        form,
        merge(passed.shards),
        assigned=assigned,
        inputs=passed.inputs,
        evaluation_sets=compared,
        outputs=[writer.written() for writer in (*outputs, quarantine)],
        max_reject_ratio=max_reject_ratio,
    )


def _pass_one(job: _Job, folder: OutputFolder, targets: Targets) -> PassOne:
    if job.processes == 1:
        return in_one_process(job.sources, job.work, targets, job.on_bytes())
    scratch = folder.scratch("shards")
    return in_processes(job.sources, job.work, targets, job.on_bytes(), processes=job.processes, scratch=scratch)


def _with_operations(
    job: _Job, folder: OutputFolder, outputs: Sequence[LineWriter], quarantine: LineWriter
) -> tuple[PassOne, Mapping[str, int], list[ReadObject]]:
    operations, scratch = job.preparation.operations, folder.scratch("rows")
    lines, hashes = scratch / "accepted", scratch / "index"
    accepted = LineBuffer(FileSink(lines))
    index = IndexWriter(FileSink(hashes), prompts=operations.no_leak)
    with all_or_none(accepted, index):
        passed = _pass_one(job, folder, Targets(accepted=accepted, quarantine=quarantine, index=index))
    compared = [Measured(source) for source in job.evaluation_sets]
    with assign(
        _blocks(hashes),
        rows=accepted.rows,
        operations=operations,
        evaluation_prompts=_evaluation_prompts(job, compared),
        scratch=folder.scratch("reduction"),
    ) as assignment:
        with assignment.between(0, accepted.rows) as codes:
            assembly.assemble(_blocks(lines), codes, dict(enumerate(outputs)))
        return passed, assignment.counts(), [measured.facts() for measured in compared]


def _evaluation_prompts(job: _Job, compared: Sequence[Measured]) -> Iterator[bytes]:
    columns, limit = job.preparation.columns, job.preparation.max_row_bytes
    return chain.from_iterable(
        prompt_hashes(read_rows(measured, max_row_bytes=limit), source=measured.uri, columns=columns)
        for measured in compared
    )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block

"""Prepare and validate rows, wherever they come from and go to, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

from lambda_handlers.datasets.earlier_outputs import QUARANTINE
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.media_place import MediaPlace
from lambda_handlers.datasets.local_shards import PassOne, RowWork, Targets, in_one_process, in_processes
from lambda_handlers.datasets.passes import assembly, outcome
from lambda_handlers.datasets.passes.evaluation_prompts import prompts_of
from lambda_handlers.datasets.passes.index import IndexWriter
from lambda_handlers.datasets.passes.manifest import Prepared, ReadObject
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.reduction import assign, operations_problems
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.passes.summary import merge
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading import local_files
from lambda_handlers.datasets.reading.path_names import is_text, shown
from lambda_handlers.datasets.reading.rows import SourceObject
from lambda_handlers.datasets.writers import FileSink, LineBuffer, LineWriter, NullSink, Sink, all_or_none
from lambda_handlers.protocol.errors import InvalidRequest

_BLOCK: Final = 1024 * 1024

Progress = Callable[[int, int], None]
"""Is told how many bytes of the input have been read, and of how many."""
Find = Callable[[str], Sequence[SourceObject]]
"""Gives the files or objects that a path or an address stands for."""


class OutputPlace(Protocol):
    """Takes the outputs of one preparation; they appear there when the manifest is given."""

    def sink(self, name: str) -> Sink:
        """Return where to write an output."""

    def scratch(self, name: str) -> Path:
        """Return an empty local folder that goes with this object."""

    def commit(self, manifest: bytes) -> str:
        """Let the outputs appear, the manifest last; return where that is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
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
        find: Find = local_files.find,
        media: MediaPlace | None = None,
    ) -> Job:
        """Look up what was asked for; raise InvalidRequest or UnsupportedCombination for what cannot be done.

        `media` is where the media of good rows have to lie; None leaves them where they are.
        """
        operations = preparation.operations
        problems = operations_problems(operations, with_evaluation_sets=bool(evaluation_sets))
        if processes < 1:
            problems.append(f"processes is {processes}: give 1 or more")
        texts = {"system_prompt": [preparation.system_prompt or ""], "columns": chain(*preparation.columns.items())}
        problems += [
            f'{name} holds "{shown(text)}", which is not UTF-8'
            for name, given in texts.items()
            for text in given
            if not is_text(text)
        ]
        if problems:
            raise InvalidRequest("; ".join(problems), problems=problems)
        return cls(
            preparation=preparation,
            work=RowWork.of(preparation, form, media),
            sources=_found([inputs] if isinstance(inputs, str) else inputs, find),
            evaluation_sets=_found(evaluation_sets, find),
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


def _found(paths: Sequence[str], find: Find) -> list[SourceObject]:
    found: list[SourceObject] = [source for path in paths for source in find(path)]
    seen: set[str] = set()
    for source in found:
        where = str(Path(source.uri).resolve())
        if where in seen:
            raise InvalidRequest(f"the dataset {source.uri} is given twice; leave one out")
        seen.add(where)
    return found


def prepare_job(
    job: Job, place: OutputPlace, *, max_reject_ratio: float, with_minimum: bool = False
) -> tuple[Prepared, str]:
    """Prepare into a place; return the result, which may be that the dataset is rejected, and where the manifest is.

    `with_minimum` rejects a dataset with fewer rows to train on than is documented. Raises InvalidRequest for a
    `max_reject_ratio` that is no share.
    """
    _check_share(max_reject_ratio)
    prepared = _prepared(job, place, max_reject_ratio, with_minimum)
    return prepared, place.commit(prepared.manifest.to_json())


def validate_job(job: Job, *, max_reject_ratio: float) -> Prepared:
    """Tell what preparing would make, and write nothing.

    Raises InvalidRequest where there are operations, and for a `max_reject_ratio` that is no share.
    """
    _check_share(max_reject_ratio)
    if job.preparation.operations.any():
        raise InvalidRequest("split, dedupe, limit and no_leak make new data: they go with preparing, not validating")
    nowhere = Targets(accepted=LineBuffer(NullSink()), quarantine=LineBuffer(NullSink()))
    passed = in_one_process(job.sources, job.work, nowhere, job.on_bytes())
    return outcome.conclude(
        job.preparation,
        job.work.form,
        merge(passed.shards),
        inputs=passed.inputs,
        outputs=(),
        max_reject_ratio=max_reject_ratio,
    )


def _check_share(max_reject_ratio: float) -> None:
    # NaN is not between anything: it is refused as well.
    if not 0 <= max_reject_ratio <= 1:
        raise InvalidRequest(f"max_reject_ratio is {max_reject_ratio}: use a share from 0 to 1")


def _prepared(job: Job, place: OutputPlace, max_reject_ratio: float, with_minimum: bool) -> Prepared:
    operations, form = job.preparation.operations, job.work.form
    quarantine = LineWriter(place.sink(QUARANTINE))
    outputs = [LineWriter(place.sink(name)) for name in job.names]
    with all_or_none(*outputs, quarantine):
        if operations.any():
            passed, assigned, compared = _with_operations(job, place, outputs, quarantine)
        else:
            passed = _pass_one(job, place, Targets(accepted=outputs[0], quarantine=quarantine))
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
        with_minimum=with_minimum,
    )


def _pass_one(job: Job, place: OutputPlace, targets: Targets) -> PassOne:
    if job.processes == 1:
        return in_one_process(job.sources, job.work, targets, job.on_bytes())
    scratch = place.scratch("shards")
    return in_processes(job.sources, job.work, targets, job.on_bytes(), processes=job.processes, scratch=scratch)


def _with_operations(
    job: Job, place: OutputPlace, outputs: Sequence[LineWriter], quarantine: LineWriter
) -> tuple[PassOne, Mapping[str, int], list[ReadObject]]:
    operations, scratch = job.preparation.operations, place.scratch("rows")
    lines, hashes = scratch / "accepted", scratch / "index"
    accepted = LineBuffer(FileSink(lines))
    index = IndexWriter(FileSink(hashes), prompts=operations.no_leak)
    with all_or_none(accepted, index):
        passed = _pass_one(job, place, Targets(accepted=accepted, quarantine=quarantine, index=index))
    compared = [Measured(source) for source in job.evaluation_sets]
    with assign(
        _blocks(hashes),
        rows=accepted.rows,
        operations=operations,
        evaluation_prompts=prompts_of(compared, job.preparation, job.work.form),
        scratch=place.scratch("reduction"),
    ) as assignment:
        with assignment.between(0, accepted.rows) as codes:
            assembly.assemble(_blocks(lines), codes, dict(enumerate(outputs)))
        return passed, assignment.counts(), [measured.facts() for measured in compared]


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block

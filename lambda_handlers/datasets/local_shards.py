"""Pass one over local files, in this process or in several; the same bytes either way."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Final, Self

from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.media_place import MediaPlace
from lambda_handlers.datasets.forms.registry import form_of, settings_of
from lambda_handlers.datasets.passes import assembly
from lambda_handlers.datasets.passes.index import IndexWriter
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.media_ahead import media_ahead
from lambda_handlers.datasets.passes.shard import transform_shard
from lambda_handlers.datasets.passes.summary import Base, ShardSummary, bases, check_none_empty
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.reader import read_rows, source_format
from lambda_handlers.datasets.reading.rows import LineCount, SourceObject
from lambda_handlers.datasets.shards import ObjectToRead, Piece, cut
from lambda_handlers.datasets.worker import end_with_parent
from lambda_handlers.datasets.writers import FileSink, LineBuffer, all_or_none
from lambda_handlers.protocol.errors import DataPreparationFailed

SHARD_BYTES: Final = 8 * 1024 * 1024
_AHEAD: Final = 4
_BLOCK: Final = 1024 * 1024

OnBytes = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowWork:
    """What is done with every row; it can be handed to another process."""

    form: Form
    settings: RowSettings
    max_row_bytes: int

    @classmethod
    def of(cls, preparation: Preparation, form: Form | None = None, media: MediaPlace | None = None) -> Self:
        """Return the work of a preparation; `form` is another form than that of its method.

        Raises InvalidRequest or UnsupportedCombination for what does not fit together.
        """
        return cls(
            form=form or form_of(preparation),
            settings=replace(settings_of(preparation), media=media),
            max_row_bytes=preparation.max_row_bytes,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Where the rows of all shards go, in order; `index` where rows are compared."""

    accepted: LineBuffer
    quarantine: LineBuffer
    index: IndexWriter | None = None


@dataclass(slots=True)
class PassOne:
    """What pass one found: the summaries of the shards and the facts of the inputs, in order."""

    shards: list[ShardSummary]
    inputs: list[ReadObject]


def in_one_process(
    sources: Sequence[SourceObject], work: RowWork, targets: Targets, on_bytes: OnBytes | None
) -> PassOne:
    """Read each source once, from beginning to end."""
    found, rows = PassOne([], []), 0
    for source in sources:
        measured, lines = Measured(source, on_bytes), LineCount()
        found_rows = read_rows(measured, max_row_bytes=work.max_row_bytes, lines=lines)
        summary = transform_shard(
            media_ahead(found_rows, work.form, work.settings),
            work.form.make(work.settings),
            source=source.uri,
            accepted=targets.accepted,
            quarantine=targets.quarantine,
            index=targets.index,
            first_row=rows,
        )
        summary.lines = lines.count
        rows += summary.rows
        found.shards.append(summary)
        found.inputs.append(measured.facts())
    return found


def in_processes(
    sources: Sequence[SourceObject],
    work: RowWork,
    targets: Targets,
    on_bytes: OnBytes | None,
    *,
    processes: int,
    scratch: Path,
    shard_bytes: int = SHARD_BYTES,
) -> PassOne:
    """Have shards of the sources read by `processes`, this one among them; hash what they made and put it together.

    `scratch` is an empty folder; it holds the shards that are finished and not taken yet, a few per process.
    """
    pieces = _pieces(sources, shard_bytes)
    tasks = [
        _Task(source=source, piece=piece, work=work, folder=scratch, number=number, prompts=_prompts(targets))
        for number, (source, piece) in enumerate(pieces)
    ]
    reading = _Reading(on_bytes)
    shards: list[ShardSummary] = []
    with _results(tasks, processes) as results:
        summaries, same = tee(results)
        for task, base, summary in zip(tasks, bases(summaries), same, strict=True):
            _take(task, summary, targets, base)
            reading.up_to(task.source, task.piece.end)
            shards.append(summary)
    check_none_empty(shards)
    return PassOne(shards, reading.inputs())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    source: SourceObject
    piece: Piece
    work: RowWork
    folder: Path
    number: int
    prompts: bool | None

    def path(self, what: str) -> Path:
        return self.folder / f"{self.number:06}.{what}"


def _prompts(targets: Targets) -> bool | None:
    return targets.index.prompts if targets.index else None


def _pieces(sources: Sequence[SourceObject], shard_bytes: int) -> Iterator[tuple[SourceObject, Piece]]:
    by_uri = {source.uri: source for source in sources}
    objects = [
        ObjectToRead(uri=source.uri, version_id=None, bytes=source.size, can_be_cut=source_format(source).is_splittable)
        for source in sources
    ]
    for shard in cut(objects, shard_bytes=shard_bytes):
        for piece in shard.pieces:
            yield by_uri[piece.uri], piece


def _transform(task: _Task) -> ShardSummary:
    """Make the files of one shard; runs in another process."""
    lines = LineCount()
    accepted, quarantine = (LineBuffer(FileSink(task.path(what))) for what in ("accepted", "quarantine"))
    index = None if task.prompts is None else IndexWriter(FileSink(task.path("index")), prompts=task.prompts)
    rows = read_rows(
        task.source,
        start=task.piece.start,
        end=task.piece.end,
        max_row_bytes=task.work.max_row_bytes,
        lines=lines,
    )
    with all_or_none(accepted, quarantine, *([index] if index else [])):
        summary = transform_shard(
            rows,
            task.work.form.make(task.work.settings),
            source=task.source.uri,
            accepted=accepted,
            quarantine=quarantine,
            index=index,
        )
    summary.lines = lines.count
    return summary


@contextmanager
def _results(tasks: Sequence[_Task], processes: int) -> Iterator[Iterator[ShardSummary]]:
    """Give the summaries in order."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes - 1, mp_context=spawn, initializer=end_with_parent)
    try:
        yield _in_order(pool, tasks, processes=processes)
    except BrokenProcessPool as broken:
        raise DataPreparationFailed(
            "a process that prepared a part of the data ended abruptly; was it short of memory? Try fewer processes"
        ) from broken
    finally:
        _shut_down(pool)


def _shut_down(pool: ProcessPoolExecutor) -> None:
    try:
        pool.shutdown(cancel_futures=True)
    except RuntimeError:
        # A signal came while the pool was starting: it has processes, and no thread yet that would end them.
        for process in multiprocessing.active_children():
            process.kill()
            process.join()


def _in_order(pool: ProcessPoolExecutor, tasks: Sequence[_Task], *, processes: int) -> Iterator[ShardSummary]:
    """Yield summary after summary; this process works too, on what no other has been given.

    The others are given enough not to wait, and no more than a few shards are begun before the first of them is taken.
    """
    given: dict[int, Future[ShardSummary]] = {}
    own: dict[int, ShardSummary] = {}
    begun = 0
    for number in range(len(tasks)):
        while number not in own and not (number in given and given[number].done()):
            most = min(len(tasks), number + _AHEAD * processes)
            while begun < most and sum(not each.done() for each in given.values()) < 2 * processes - 1:
                given[begun] = pool.submit(_transform, tasks[begun])
                begun += 1
            if begun == most:
                break
            own[begun] = _transform(tasks[begun])
            begun += 1
        yield own.pop(number) if number in own else given.pop(number).result()


def _take(task: _Task, summary: ShardSummary, targets: Targets, base: Base) -> None:
    targets.accepted.write_blocks(_blocks(task.path("accepted")), rows=summary.accepted)
    assembly.renumber(_blocks(task.path("quarantine")), base, targets.quarantine)
    if targets.index:
        for block in _blocks(task.path("index")):
            targets.index.write_block(block)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, and remove it."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
    path.unlink()


class _Reading:
    """Hash each source from beginning to end, as far as its shards have been taken."""

    def __init__(self, on_bytes: OnBytes | None) -> None:
        self._on_bytes = on_bytes
        self._sources: dict[str, tuple[Measured, Iterator[bytes]]] = {}

    def up_to(self, source: SourceObject, end: int | None) -> None:
        if source.uri not in self._sources:
            measured = Measured(source, self._on_bytes)
            self._sources[source.uri] = measured, measured.chunks()
        measured, chunks = self._sources[source.uri]
        while end is None or end >= source.size or measured.read < end:
            if next(chunks, None) is None:
                return

    def inputs(self) -> list[ReadObject]:
        return [measured.facts() for measured, _ in self._sources.values()]

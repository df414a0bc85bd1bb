"""Prepare one dataset: every row of the source ends in the output or in quarantine, and is counted once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms.columns import Columns
from lambda_handlers.datasets.forms.converse import NovaVersion
from lambda_handlers.datasets.forms.sft import SftTransform
from lambda_handlers.datasets.passes.manifest import DatasetManifest, ReadObject, RowCounts
from lambda_handlers.datasets.passes.quarantine import quarantined
from lambda_handlers.datasets.reading.json_lines import MAX_ROW_BYTES, Line, LongLine, json_lines
from lambda_handlers.datasets.writers import LineWriter

FIRST_REASONS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """An object to read: its location, its version where it has one, and its bytes."""

    uri: str
    chunks: Iterable[bytes]
    version_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What to make of a dataset: the model it is for, the method, the columns, and a system prompt where wanted."""

    model: str
    nova: NovaVersion
    method: str = "SFT_LORA"
    columns: Columns = field(default_factory=Columns)
    system_prompt: str | None = None
    max_row_bytes: int = MAX_ROW_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """The result: the manifest, and the first reasons for rejecting rows, in words."""

    manifest: DatasetManifest
    first_reasons: tuple[str, ...]


class _Measured:
    """Hash and count the bytes of a source while they go by."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.digest.update(chunk)
            self.size += len(chunk)
            yield chunk


class _Quarantine:
    """Take rejected rows: write them, count their codes, keep the first reasons."""

    def __init__(self, writer: LineWriter, source: str) -> None:
        self._writer = writer
        self._source = source
        self.rows = 0
        self.codes: Counter[str] = Counter()
        self.first_reasons: list[str] = []

    def take(self, row: int, line: Line, faults: tuple[Fault, ...]) -> None:
        self.rows += 1
        self.codes.update({fault.code for fault in faults})
        if len(self.first_reasons) < FIRST_REASONS:
            self.first_reasons.append(f"row {row}: {faults[0].message[:200]} [{faults[0].code}]")
        self._writer.write(quarantined(row=row, line=line, source=self._source, faults=faults))


def prepare(source: Source, preparation: Preparation, *, output: LineWriter, quarantine: LineWriter) -> Prepared:
    """Read a source once and write its good rows to `output`, the others to `quarantine`; close both."""
    transform = SftTransform(
        nova=preparation.nova, columns=preparation.columns, system_prompt=preparation.system_prompt
    )
    measured = _Measured(source.chunks)
    rejected = _Quarantine(quarantine, source.uri)
    try:
        lines = json_lines(measured, max_row_bytes=preparation.max_row_bytes)
        rows = _transform_rows(lines, transform, output, rejected)
        written = output.close(), quarantine.close()
    except BaseException:
        output.abort()
        quarantine.abort()
        raise
    manifest = DatasetManifest(
        model=preparation.model,
        method=preparation.method,
        columns=preparation.columns.named(),
        rows=RowCounts(rows_in=rows, out=written[0].rows, rejected=written[1].rows),
        inputs=(_read_object(source, measured),),
        outputs=written,
        rules=rejected.codes,
        errors=transform.seen.absent_columns(preparation.columns),
        warnings=_warnings(transform, preparation, written[0].rows),
    )
    return Prepared(manifest=manifest, first_reasons=tuple(rejected.first_reasons))


def _transform_rows(lines: Iterable[Line], transform: SftTransform, output: LineWriter, rejected: _Quarantine) -> int:
    row = 0
    write = output.write
    for line in lines:
        row += 1
        data = line[2]
        if type(data) is bytes:
            try:
                write(transform(data))
            except RejectedRowError as rejection:
                rejected.take(row, line, rejection.faults)
        else:
            rejected.take(row, line, (_too_large(data),))
    return row


def _too_large(data: Any) -> Fault:
    assert isinstance(data, LongLine)
    return Fault("row_too_large", f"the row has {data.size} bytes, more than the limit")


def _read_object(source: Source, measured: _Measured) -> ReadObject:
    return ReadObject(
        uri=source.uri, version_id=source.version_id, sha256=measured.digest.hexdigest(), bytes=measured.size
    )


def _warnings(transform: SftTransform, preparation: Preparation, out: int) -> list[str]:
    return [*transform.seen.warnings(out), *_ignored_columns(preparation), *_sample_counts(out)]


def _ignored_columns(preparation: Preparation) -> Iterator[str]:
    if preparation.nova == 1 and "reasoning_text" in preparation.columns.mapped:
        yield "reasoning_text is mapped, but Nova 1 models do not train on reasoning: the column is ignored"


def _sample_counts(out: int) -> Iterator[str]:
    # Documented bounds of supervised fine-tuning (AWS, Nova 2 data preparation page).
    if 0 < out < 8:
        yield f"{out} rows are fewer than the documented minimum of 8"
    if out > 20_000:
        yield f"{out} rows are more than the documented maximum of 20,000"

"""Rows and files that are made to cost much: the time grows with their size, not with its square.

The sizes take well below a second; with one step that looks at everything again for each part they take minutes.
"""

from __future__ import annotations

import gzip
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms.converse_tools import config_faults
from lambda_handlers.datasets.forms.openai_messages import MessageReader
from lambda_handlers.datasets.forms.parsing import parse
from lambda_handlers.datasets.reading import json_values
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line
from lambda_handlers.datasets.reading.unpacking import unpacked
from lambda_handlers.protocol.errors import DatasetRejected
from tests.datasets.converse_support import spec

MIB = 1024 * 1024
CPU_SECONDS = 8


@contextmanager
def little_time() -> Iterator[None]:
    """Fail when more processor time is used than a busy or slow machine explains; waiting for a turn costs none."""

    def stop(*_: object) -> None:
        raise AssertionError(f"more than {CPU_SECONDS} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A source that is read in pieces of 1 MiB, or of another size."""

    uri: str
    data: bytes
    piece: int = MIB
    version_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for at in range(start, len(self.data), self.piece):
            yield self.data[at : at + self.piece]


def rows(data: bytes, uri: str, **options: Any) -> list[Line]:
    return list(read_rows(Whole(uri=uri, data=data), **options))


def test_a_key_that_stands_twice_among_many() -> None:
    row = b"{" + b"".join(b'"key%d":0,' % number for number in range(60_000)) + b'"last":1,"last":2}'
    with little_time(), pytest.raises(RejectedRowError, match='the key "last" stands twice'):
        parse(row)


def test_a_table_with_very_many_columns() -> None:
    names = b",".join(b"c%d" % number for number in range(100_000))
    record = b",".join([b"1"] * 100_000)
    with little_time():
        assert len(rows(b"\n".join([names, record, record, b""]), "a.csv")) == 2
        with pytest.raises(DatasetRejected, match='the column "c7" stands there twice'):
            rows(names + b",c7\n" + record + b"\n", "a.csv")


def test_very_many_tools_in_one_row() -> None:
    tools = [spec(f"tool{number}") for number in range(40_000)]
    with little_time():
        assert not list(config_faults({"toolConfig": {"tools": tools}}, 2))
        found = list(config_faults({"toolConfig": {"tools": [*tools, tools[5], tools[3]]}}, 2))
    assert [fault.message.split(": ")[1] for fault in found] == [
        'the tool "tool3" is defined twice',
        'the tool "tool5" is defined twice',
    ]


def test_very_many_open_calls_that_are_answered_last_first() -> None:
    calls = [{"id": f"call{number}", "function": {"name": "f", "arguments": {}}} for number in range(50_000)]
    reader = MessageReader(owner=None, taken=frozenset())
    with little_time():
        reader.read({"role": "assistant", "tool_calls": calls}, "messages[0]")
        for call in reversed(calls[1:]):
            reader.read({"role": "tool", "tool_call_id": call["id"], "content": "x"}, "messages[1]")
        reader.read({"role": "tool", "content": "x"}, "messages[2]")
    results = reader.turns[-1]["content"]
    assert (len(results), results[-1]["toolResult"]["toolUseId"], reader.faults) == (50_000, "call0", [])


def test_very_many_small_gzip_members() -> None:
    with little_time():
        assert sum(map(len, unpacked([gzip.compress(b"{}\n") * 100_000], uri="a"))) == 300_000


def test_very_many_elements_that_are_nested_rather_deep() -> None:
    element = b"[" * 9 + b'"%b"' % (b"x" * 200) + b"]" * 9
    source = Whole(uri="a.json", data=b"[" + b",\n".join([element] * 40_000) + b"]", piece=20 * MIB)
    with little_time():
        assert sum(1 for _ in read_rows(source)) == 40_000


def test_an_element_that_is_nested_very_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Mock(side_effect=json_values._matched)
    monkeypatch.setattr(json_values, "_matched", looks)
    element = b'{"a":"[",\n"b": ' * 50_000 + b"1" + b', "c": "}"\n}' * 50_000
    [(_, offset, row), (line, _, last)] = rows(b"[" + element + b",2]", "a.json")
    [(_, _, large), _] = rows(b"[" + element + b",2]", "a.json", max_row_bytes=MIB)
    assert (offset, row, line, last) == (1, element, element.count(b"\n") + 1, b"2")
    assert isinstance(large, Damaged)
    assert large.size == len(element)
    # Not several times for each level.
    assert looks.call_count < 5_000

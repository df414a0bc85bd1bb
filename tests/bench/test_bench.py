from __future__ import annotations

from itertools import islice
from pathlib import Path

import orjson
import pytest

from bench import figures
from bench.figures import Figure
from bench.text_rows import csv_record, flat_line, text_rows, write_rows

ORDER = ("Synth", "Demo", "Data preparation")


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "figures.md"
    for title in ("Demo", "Synth"):
        figures.keep(title, figures.section(title, [Figure(what="old", figure="1 s")], "a note"), ORDER, path)
    before = path.read_text()

    figures.keep(
        "Demo", figures.section("Demo", [Figure(what="new", figure="2 s", target="≤ 1 s", met=False)], ""), ORDER, path
    )

    after = path.read_text()
    assert after.partition("## Demo")[0] == before.partition("## Demo")[0]
    assert "| new | 2 s | ≤ 1 s | missed |" in after
    assert after.count("old") == 1
    assert after.index("## Synth") < after.index("## Demo")


@pytest.mark.parametrize("size", [500, 1400])
def test_rows_are_of_the_size_asked_for_and_no_two_alike(size: int) -> None:
    rows = list(islice(text_rows(size), 2000))

    mean = sum(map(len, map(flat_line, rows))) / len(rows)
    assert mean == pytest.approx(size, rel=0.1)
    assert len(set(rows)) == len(rows)
    assert any('"' in answer for _, answer in rows)
    assert any("\n" in answer for _, answer in rows)


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"

    assert write_rows(first, size=50_000, row_bytes=500) == write_rows(second, size=50_000, row_bytes=500)

    assert first.read_bytes() == second.read_bytes()
    assert {*orjson.loads(first.read_bytes().splitlines()[0])} == {"question", "answer"}


def test_csv_has_a_header_and_quotes_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_rows(path, size=1000, row_bytes=500, encode=csv_record)

    assert path.read_bytes().startswith(b"question,answer\r\n")

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nova_constructs.cli import output, times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"), (93_600, "1 d 02 h")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert times.duration(seconds) == text


def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stdout", Terminal())
    return output.console()


def printed(console: Console) -> str:
    output.print_rows(console, ("RUN", "STATUS"), [("r1", output.status_text("FAILED"))])
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[1;31mFAILED" in printed(terminal(monkeypatch))


def test_no_color_keeps_colour_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[1;31m" not in printed(terminal(monkeypatch))
    assert "31m" not in printed(terminal(monkeypatch))


def test_a_pipe_gets_whole_cells_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)

    output.print_rows(output.console(), ("ARN",), [("arn:" + "x" * 500,)])

    assert stream.getvalue().splitlines() == ["ARN", "arn:" + "x" * 500]

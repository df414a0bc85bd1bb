"""docs/figures.md: a section per subject, replaced when that subject is measured again."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures.md"
_HEAD = """# Figures

Written by `make bench`; `python -m bench SUBJECT` replaces one section. Ratios are of things run in turn, in one run;
an absolute time or rate says more about the machine.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What was measured, the figure, its target, and whether it is met; `met` is None where there is no verdict."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """Return the verdict in a word."""
        return {True: "met", False: "missed", None: ""}[self.met]

    def line(self) -> str:
        """Return the figure as a line for the terminal."""
        target = f" (target {self.target}: {self.verdict or 'not measured'})" if self.target else ""
        return f"{self.what}: {self.figure}{target}"


def section(title: str, figures: Iterable[Figure], notes: str) -> str:
    """Return the section of one subject."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}."
    rows = [f"| {each.what} | {each.figure} | {each.target} | {each.verdict} |" for each in figures]
    table = "\n".join(["| what | figure | target | |", "|---|---|---|---|", *rows])
    return f"## {title}\n\n{machine}\n\n{table}\n" + (f"\n{notes.strip()}\n" if notes.strip() else "")


def keep(title: str, text: str, order: Iterable[str], path: Path = FIGURES) -> None:
    """Put a section in its place among the others, which stay as they are; `order` lists the titles."""
    there = path.read_text() if path.exists() else ""
    found = {part.partition("\n")[0]: f"## {part}" for part in re.split(r"^## ", there, flags=re.MULTILINE)[1:]}
    found[title] = text
    known = [name for name in order if name in found]
    path.write_text("\n".join([_HEAD, *(found[name].strip() + "\n" for name in known)]))
